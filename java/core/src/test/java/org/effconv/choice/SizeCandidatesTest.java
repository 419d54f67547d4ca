package org.effconv.choice;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.List;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;
import org.effconv.backend.Backend;
import org.effconv.backend.cpu.CpuBackend;
import org.effconv.cost.Budget;
import org.effconv.cost.Cost;
import org.effconv.search.SmallSearch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SizeCandidatesTest {
    private final Backend backend = CpuBackend.open(1);

    @AfterEach
    void close() {
        backend.close();
    }

    private Cost cost(String architecture, String kind) {
        var plan = SmallSearch.plan(architecture, 32, 32, 3, 10);
        return kind.equals("macs") ? Cost.multiplyAdds(backend, plan) : Cost.parameters(backend, plan);
    }

    private static double[] moved(double[] start, double ratio) {
        double[] soft = start.clone();
        Arrays.setAll(soft, l -> start[l] * Math.pow(ratio, (double) l / (start.length - 1) - 0.5));
        return soft;
    }

    private static boolean rises(int[] sizes) {
        double sum = 0;
        for (int l = 0; l < sizes.length; l++) {
            sum += (2 * l - (sizes.length - 1)) * Math.log(sizes[l]);
        }
        return sum > 0;
    }

    @ParameterizedTest
    @CsvSource({
        "cnn6, k5, macs, 3",
        "cnn6, k5, macs, 0.4",
        "cnn6, 1.3x, macs, 3",
        "cnn6, 1.8x, macs, 50",
        "cnn6, k5, parameters, 3",
        "dwnet, k5, macs, 3",
        "dwnet, 1.3x, macs, 0.3",
        "resnet20, 1.8x, macs, 2",
        "resnet20, k5, parameters, 1",
        "lenet, k5, parameters, 3",
        "flexnet7, 2.5x, macs, 2"
    })
    void allMeetTheBudgetAndDifferAndNoneIsExtreme(String architecture, String budget, String kind, double ratio) {
        Cost cost = cost(architecture, kind);
        double target = Budget.parse(budget, kind).target(cost);
        double[] start = SizeCandidates.start(cost, target);
        List<int[]> all = SizeCandidates.of(moved(start, ratio), cost, target, 4);
        assertTrue(!all.isEmpty() && all.size() <= 4);
        int[] mixed = Baselines.mixed(cost, target);
        assertTrue(all.stream().limit(2).anyMatch(sizes -> Arrays.equals(sizes, mixed)));
        for (int i = 0; i < all.size(); i++) {
            int[] sizes = all.get(i);
            String what = Arrays.toString(sizes);
            assertTrue(cost.meets(cost.at(sizes), target), what);
            if (!Arrays.equals(sizes, mixed)) {
                assertTrue(
                        IntStream.range(0, sizes.length)
                                .allMatch(l -> sizes[l] <= 2 * start[l] + 1e-9 && sizes[l] >= start[l] / 2 - 1e-9),
                        what);
            }
            for (int j = 0; j < i; j++) {
                assertTrue(!Arrays.equals(all.get(j), sizes), what + " twice");
            }
        }
    }

    @Test
    void theyGoTheWayOfTheSearch() {
        Cost cost = cost("cnn6", "macs");
        double target = Budget.parse("k5", "macs").target(cost);
        double[] start = SizeCandidates.start(cost, target);
        List<int[]> rising = SizeCandidates.of(moved(start, 1.5), cost, target, 4);
        List<int[]> falling = SizeCandidates.of(moved(start, 1 / 1.5), cost, target, 4);
        assertTrue(rising.size() >= 3 && falling.size() >= 3);
        for (List<int[]> all : List.of(rising, falling)) {
            assertTrue(rises(all.get(0)));
            assertArrayEquals(Baselines.mixed(cost, target), all.get(1));
        }
        assertTrue(rises(rising.get(2)), Arrays.toString(rising.get(2)));
        assertTrue(
                IntStream.range(1, 6).allMatch(l -> rising.get(0)[l - 1] <= rising.get(0)[l]),
                Arrays.toString(rising.get(0)));
        assertTrue(!rises(falling.get(2)), Arrays.toString(falling.get(2)));
    }

    /** [5 3 3 3 3 7] is near to a steep rise and meets this budget, and is none. */
    @Test
    void aShapeRisesInEveryLayerOrIsNone() {
        Cost cost = cost("cnn6", "macs");
        double target = Budget.parse("1.8x", "macs").target(cost);
        List<int[]> all = SizeCandidates.of(moved(SizeCandidates.start(cost, target), 1.01), cost, target, 4);
        assertEquals(
                List.of("[3, 3, 3, 5, 5, 5]", "[3, 5, 5, 3, 3, 3]"),
                all.stream().limit(2).map(Arrays::toString).toList());
        double[] wild = {8, 3, 3, 3, 3, 8};
        assertTrue(
                SizeCandidates.of(wild, cost, target, 4).stream().anyMatch(sizes -> sizes[0] > sizes[1]),
                "in a longer race what the search came to");
        for (int[] sizes : SizeCandidates.of(wild, cost, target, 3)) {
            assertTrue(
                    Arrays.equals(sizes, all.get(1))
                            || IntStream.range(1, 6).allMatch(l -> sizes[l - 1] <= sizes[l])
                            || IntStream.range(1, 6).allMatch(l -> sizes[l - 1] >= sizes[l]),
                    Arrays.toString(sizes));
        }
    }

    @ParameterizedTest
    @CsvSource({
        "cnn6, macs, 3",
        "cnn6, macs, 0.4",
        "cnn6, parameters, 1",
        "dwnet, macs, 2",
        "resnet20, macs, 2",
        "lenet, macs, 2",
        "planted1, macs, 1"
    })
    void cheaperOnesCostLessAndLess(String architecture, String kind, double ratio) {
        Cost cost = cost(architecture, kind);
        double most = Budget.parse("as-good-as:k5", kind).target(cost);
        double searched = cost.fixed() + 0.6 * (most - cost.fixed());
        double[] soft = cost.layers().size() == 1
                ? SizeCandidates.start(cost, searched)
                : moved(SizeCandidates.start(cost, searched), ratio);
        int[] uniform = cost.plan().uniformSizes(5);
        List<int[]> all = SizeCandidates.cheaper(soft, cost, searched, most, uniform);
        double last = 0;
        for (int[] sizes : all) {
            assertTrue(
                    cost.at(sizes) > last && cost.at(sizes) <= most && !Arrays.equals(sizes, uniform),
                    Arrays.toString(sizes));
            last = cost.at(sizes);
        }
        assertTrue(all.size() >= (cost.layers().size() < 3 ? 0 : 4), "only " + all.size());
    }

    @Test
    void aSearchThatMovedNothingLeavesPlainShapes() {
        Cost cost = cost("cnn6", "macs");
        double target = Budget.parse("k5", "macs").target(cost);
        List<int[]> all = SizeCandidates.of(SizeCandidates.start(cost, target), cost, target, 4);
        assertEquals(2, all.size());
        assertTrue(rises(all.get(0)));
    }

    @ParameterizedTest
    @CsvSource({
        "cnn6, 1.15x, macs, false",
        "cnn6, 1.3x, macs, false",
        "cnn6, 1.8x, macs, true",
        "cnn6, k5, parameters, true",
        "dwnet, 1.3x, macs, true",
        "lenet, k3, macs, false"
    })
    void whereNoSearchCouldPointAnywhereNoneNeedsToRun(String architecture, String budget, String kind, boolean open) {
        Cost cost = cost(architecture, kind);
        double target = Budget.parse(budget, kind).target(cost);
        double[] start = SizeCandidates.start(cost, target);
        boolean several = DoubleStream.of(0.1, 1, 10)
                .anyMatch(ratio ->
                        SizeCandidates.of(moved(start, ratio), cost, target, 3).size() > 1);
        assertEquals(several, SizeCandidates.open(cost, target, 3));
        assertEquals(open, several);
    }
}

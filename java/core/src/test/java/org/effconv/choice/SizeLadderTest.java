package org.effconv.choice;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.effconv.backend.Backend;
import org.effconv.backend.cpu.CpuBackend;
import org.effconv.cost.Budget;
import org.effconv.cost.BudgetRange;
import org.effconv.cost.Cost;
import org.effconv.cost.CostTest;
import org.effconv.cost.EqualCost;
import org.effconv.error.EffconvException.InvalidInput;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Sizes of a range of budgets: each budget met, and more budget never less size. */
class SizeLadderTest {
    private final Backend backend = CpuBackend.open(1);

    @AfterEach
    void close() {
        backend.close();
    }

    private Cost cost(String architecture, String kind) {
        return CostTest.of(backend, architecture, kind);
    }

    // Sizes as five noisy searches might leave them: they grow with the budget, not in every layer.
    private static SizePath path(Cost cost, double[] ends, long seed) {
        Random random = new Random(seed);
        List<double[]> found = new ArrayList<>();
        for (int g = 0; g < 5; g++) {
            double uniform = EqualCost.uniform(cost, ends[0] * Math.pow(ends[1] / ends[0], g / 4.0));
            found.add(cost.layers().stream()
                    .mapToDouble(l -> Math.max(1, Math.min(l.kmax(), uniform * (0.6 + 0.8 * random.nextDouble()))))
                    .toArray());
        }
        return new SizePath(cost, found);
    }

    @ParameterizedTest
    @CsvSource({"cnn6, parameters", "cnn6, macs", "cnn6, latency", "resnet20, parameters", "dwnet, macs"})
    void everyBudgetIsMetAndNoneHasLessSizeThanASmallerOne(String architecture, String kind) {
        Cost cost = cost(architecture, kind);
        double[] ends = BudgetRange.parse("any:k3..k5", kind).targets(cost);
        SizePath path = path(cost, ends, 1);
        SizeLadder ladder = SizeLadder.of(path, ends[0], ends[1]);
        int sum = 0;
        double[] softBefore = new double[cost.layers().size()];
        for (int i = 0; i <= 1000; i++) {
            double budget = ends[0] * Math.pow(ends[1] / ends[0], i / 1000.0);
            double[] soft = path.at(budget);
            assertEquals(budget, cost.soft(soft).total(), 1e-6 * budget);
            for (int l = 0; l < soft.length; l++) {
                assertTrue(soft[l] >= softBefore[l] - 1e-9, "layer " + l + " at " + budget);
            }
            softBefore = soft;
            SizeLadder.Rung rung = ladder.at(budget).orElseThrow(() -> new AssertionError("no sizes at " + budget));
            assertEquals(cost.at(rung.sizes()), rung.cost(), 1e-9 * budget);
            assertTrue(Cost.deviation(rung.cost(), budget) <= cost.kind().tolerance(), rung.cost() + " for " + budget);
            int now = IntStream.of(rung.sizes()).sum();
            assertTrue(now >= sum, Arrays.toString(rung.sizes()) + " at " + budget + " sums to less than " + sum);
            sum = now;
        }
    }

    /**
     * By shares of the cost alone the first layer, with 1 % of it, would be 5 to 9 on most rungs, 0.54 away in log size
     * on average.
     */
    @Test
    void aLayerThatCostsNextToNothingStaysNearItsSoftSizeToo() {
        Cost cost = cost("cnn6", "parameters");
        SizePath path = new SizePath(
                cost,
                List.of( // as a search found them
                        new double[] {3.24, 2.71, 2.76, 3.47, 2.97, 2.59},
                        new double[] {3.26, 2.76, 2.82, 4.23, 3.18, 3.22},
                        new double[] {3.38, 2.76, 2.99, 4.23, 3.62, 4.22},
                        new double[] {3.38, 2.76, 2.99, 4.23, 4.13, 5.38},
                        new double[] {3.85, 2.94, 2.99, 4.23, 5.18, 6.23}));
        double away = SizeLadder.of(path, cost.uniform(3), cost.uniform(5)).rungs().stream()
                .mapToDouble(rung -> Math.abs(Math.log(rung.sizes()[0] / rung.soft()[0])))
                .average()
                .orElseThrow();
        assertTrue(away < 0.35, "on average " + away);
    }

    @ParameterizedTest
    @CsvSource({"cnn6, parameters", "dwnet, macs", "resnet20, parameters"})
    void withoutTheOrderOfTheSumsSizesAreNoFurtherFromTheSoftOnes(String architecture, String kind) {
        Cost cost = cost(architecture, kind);
        double[] ends = BudgetRange.parse("any:k3..k5", kind).targets(cost);
        SizePath path = path(cost, ends, 1);
        SizeLadder ordered = SizeLadder.of(path, ends[0], ends[1]);
        SizeLadder apart = SizeLadder.apart(path, ends[0], ends[1]);
        double nearer = 0;
        for (int i = 0; i <= 1000; i++) {
            double budget = ends[0] * Math.pow(ends[1] / ends[0], i / 1000.0);
            SizeLadder.Rung with = ordered.at(budget).orElseThrow();
            SizeLadder.Rung without = apart.at(budget).orElseThrow();
            assertTrue(Cost.deviation(without.cost(), budget) <= cost.kind().tolerance());
            assertEquals(with.budget(), without.budget());
            double more = moved(with, cost) - moved(without, cost);
            assertTrue(
                    more >= -1e-12,
                    Arrays.toString(without.sizes()) + " is further away than " + Arrays.toString(with.sizes()));
            nearer += more;
        }
        assertTrue(architecture.equals("resnet20") || nearer > 0, "the order costs something with few layers");
    }

    // As SumChoices has it.
    private static double moved(SizeLadder.Rung rung, Cost cost) {
        double total = cost.soft(rung.soft()).total();
        int n = rung.sizes().length;
        return IntStream.range(0, n)
                .mapToDouble(l -> (cost.spent(l, rung.soft()[l]) / total + 1.0 / n)
                        / 2
                        * Math.pow(Math.log(rung.sizes()[l] / rung.soft()[l]), 2))
                .sum();
    }

    @Test
    void beyondTheEndsTheSizesGoOn() {
        Cost cost = cost("cnn6", "parameters");
        SizePath path = path(cost, new double[] {cost.uniform(3), cost.uniform(5)}, 2);
        for (int k : new int[] {1, 7}) {
            assertEquals(cost.uniform(k), cost.soft(path.at(cost.uniform(k))).total(), 0.01 * cost.uniform(k));
        }
    }

    @Test
    void whereNoOddSizesMeetABudgetThereIsAGap() {
        Cost cost = cost("planted1", "parameters"); // one sized layer
        double[] ends = {cost.uniform(3), cost.uniform(7)};
        SizeLadder ladder = SizeLadder.of(path(cost, ends, 3), ends[0], ends[1]);
        assertEquals(5, ladder.at(cost.uniform(5)).orElseThrow().sizes()[0]);
        assertTrue(ladder.at((cost.uniform(5) + cost.uniform(7)) / 2.0).isEmpty());
    }

    @ParameterizedTest
    @CsvSource({
        "any, k3, k7, PARAMETERS",
        "any:k1..k5, k1, k5, PARAMETERS",
        "' ANY:100k..0.3M ', 100k, 0.3M, PARAMETERS",
        "any:30MMAC..60MMAC, 30MMAC, 60MMAC, MULTIPLY_ADDS",
        "any:1.5x..4x, 1.5x, 4x, PARAMETERS"
    })
    void rangesParse(String text, String low, String high, Cost.Kind kind) {
        BudgetRange range = BudgetRange.parse(text, Budget.BY_UNIT);
        assertEquals(low, range.low().text());
        assertEquals(high, range.high().text());
        assertEquals(kind, range.cost());
        assertTrue(assertThrows(InvalidInput.class, () -> Budget.parse(text))
                .getMessage()
                .contains("effconv search"));
    }

    @ParameterizedTest
    @CsvSource({
        "any:k3, 'expected a range', auto",
        "any:, 'expected a range', auto",
        "any:k3..k5..k7, 'expected a range', auto",
        "k5, 'expected a range', auto",
        "any:k3..auto, 'cannot end in auto', auto",
        "any:k3..4.2ms, 'expected one kind', auto",
        "any:k4..k7, 'expected an odd number', auto",
        "any:k3..4.2ms, 'is one of latency', macs",
        "anything, 'expected a range', auto"
    })
    void otherTextsAreNoRange(String text, String part, String cost) {
        String message = assertThrows(InvalidInput.class, () -> BudgetRange.parse(text, cost))
                .getMessage();
        assertTrue(message.contains(part), message);
    }

    @Test
    void theSmallerEndComesFirst() {
        Cost cost = cost("cnn6", "parameters");
        String message = assertThrows(InvalidInput.class, () -> BudgetRange.parse("any:k7..k3", "auto")
                        .targets(cost))
                .getMessage();
        assertTrue(message.contains("expected the smaller end first"), message);
    }
}

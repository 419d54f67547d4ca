package org.effconv.choice;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import org.effconv.backend.Backend;
import org.effconv.backend.cpu.CpuBackend;
import org.effconv.cost.Budget;
import org.effconv.cost.Cost;
import org.effconv.error.EffconvException.JobFailed;
import org.effconv.nn.Architecture;
import org.effconv.nn.NetworkPlan;
import org.effconv.search.SmallSearch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class BaselinesTest {
    private final Backend backend = CpuBackend.open(1);

    @AfterEach
    void close() {
        backend.close();
    }

    private Cost count(String architecture, int extent, int channels) {
        return Cost.parameters(backend, SmallSearch.plan(architecture, extent, extent, channels, 10));
    }

    private static void meets(Cost count, double target, int[] sizes, String what) {
        count.plan().checkSizes(sizes);
        for (int l = 0; l < sizes.length; l++) {
            assertTrue(sizes[l] <= count.layers().get(l).kmax(), what + ": " + Arrays.toString(sizes));
        }
        assertTrue(
                Cost.deviation(count.at(sizes), target) <= 0.02,
                what + ": " + Arrays.toString(sizes) + " cost " + count.at(sizes) + " of " + target);
    }

    @ParameterizedTest
    @CsvSource({
        "cnn6, 28, 1, k3",
        "cnn6, 28, 1, k5",
        "cnn6, 32, 3, 1.5x",
        "cnn6, 32, 3, 2x",
        "resnet20, 32, 3, k3",
        "resnet20, 32, 3, 1.7x",
        "resnet20, 32, 3, k5",
        "dwnet, 32, 3, k5",
        "flexnet7, 32, 3, 2.5x",
        "lenet, 28, 1, k7"
    })
    void everyBaselineMeetsTheBudget(String architecture, int extent, int channels, String budget) {
        Cost count = count(architecture, extent, channels);
        double target = Budget.parse(budget).target(count);
        int[] found = new Random(3)
                .ints(count.layers().size(), 1, 5)
                .map(ring -> 2 * ring - 1)
                .toArray();
        meets(count, target, Baselines.mixed(count, target), "mixed");
        meets(count, target, Baselines.smallFirst(count, target), "small first");
        meets(count, target, Baselines.largeFirst(count, target), "large first");
        for (int seed = 0; seed < 5; seed++) {
            meets(count, target, Baselines.random(count, target, seed), "random");
            meets(count, target, Baselines.shuffled(found, count, target, seed), "shuffled");
        }
    }

    @Test
    void uniformSizesAreTheOneOfTheBudgetOrTheTwoBesideIt() {
        Cost count = count("cnn6", 28, 1);
        assertEquals(1, Baselines.uniform(count, count.uniform(5)).size());
        assertArrayEquals(
                count.plan().uniformSizes(5),
                Baselines.uniform(count, count.uniform(5)).get(0));
        List<int[]> two = Baselines.uniform(count, (count.uniform(3) + count.uniform(5)) / 2.0);
        assertEquals(2, two.size());
        assertArrayEquals(count.plan().uniformSizes(3), two.get(0));
        assertArrayEquals(count.plan().uniformSizes(5), two.get(1));
        Cost lenet = count("lenet", 28, 1); // all sizes up to 9 cost within 2 % of uniform 3
        assertArrayEquals(
                lenet.plan().uniformSizes(3),
                Baselines.uniform(lenet, lenet.uniform(3)).get(0));
    }

    @Test
    void aMixHasNeighbouringOddSizesOnly() {
        Cost count = count("resnet20", 32, 3);
        int[] sizes = Baselines.mixed(count, (count.uniform(3) + count.uniform(5)) / 2.0);
        assertArrayEquals(
                new int[] {3, 5}, IntStream.of(sizes).distinct().sorted().toArray(), Arrays.toString(sizes));
    }

    @Test
    void sizesRiseAndFallWithDepth() {
        Cost count = count("cnn6", 32, 3);
        int[] rising = Baselines.smallFirst(count, count.uniform(5));
        int[] falling = Baselines.largeFirst(count, count.uniform(5));
        for (int l = 1; l < rising.length; l++) {
            assertTrue(rising[l] >= rising[l - 1], Arrays.toString(rising));
            assertTrue(falling[l] <= falling[l - 1], Arrays.toString(falling));
        }
        assertTrue(
                rising[5] >= 2 * rising[0] && falling[0] >= 2 * falling[5],
                Arrays.toString(rising) + Arrays.toString(falling));
    }

    @Test
    void aShuffleIsAPermutationBeforeTheRepair() {
        int[] found = {3, 5, 5, 7, 1, 5};
        int[] sorted = found.clone();
        Arrays.sort(sorted);
        int moved = 0;
        for (int seed = 0; seed < 50; seed++) {
            int[] permuted = Baselines.permuted(found, seed);
            assertNotEquals(Arrays.toString(found), Arrays.toString(permuted));
            moved += Arrays.equals(permuted, Baselines.permuted(found, seed + 1)) ? 0 : 1;
            Arrays.sort(permuted);
            assertArrayEquals(sorted, permuted);
        }
        assertTrue(moved > 40, moved + " of 50 seeds shuffle differently from the next");
        assertArrayEquals(new int[] {5, 5}, Baselines.permuted(new int[] {5, 5}, 1)); // nothing to shuffle
    }

    @Test
    void everyChoiceThatMeetsTheBudgetIsDrawnEquallyOften() {
        String network =
                """
                {"name": "three", "kmax": 9, "layers": [
                  {"type": "conv", "channels": 3}, {"type": "conv", "channels": 5}, {"type": "conv", "channels": 4},
                  {"type": "globalAveragePool"}, {"type": "linear", "outputs": "classes"}]}
                """;
        Cost count =
                Cost.parameters(backend, Architecture.parse(network, "test").plan(new NetworkPlan.Input(9, 9, 2, 3)));
        double target = 1300;
        Map<String, Integer> drawn = new HashMap<>();
        for (int a = 1; a <= 9; a += 2) {
            for (int b = 1; b <= 9; b += 2) {
                for (int c = 1; c <= 9; c += 2) {
                    int[] sizes = {a, b, c};
                    if (Cost.deviation(count.at(sizes), target) <= 0.02) {
                        drawn.put(Arrays.toString(sizes), 0);
                    }
                }
            }
        }
        assertTrue(drawn.size() >= 3, drawn.toString());
        int draws = 400 * drawn.size();
        for (int seed = 0; seed < draws; seed++) {
            String sizes = Arrays.toString(Baselines.random(count, target, seed));
            assertTrue(drawn.containsKey(sizes), sizes);
            drawn.merge(sizes, 1, Integer::sum);
        }
        // Binomial counts of mean 400: 5 standard deviations are 100.
        drawn.forEach((sizes, n) ->
                assertTrue(Math.abs(n - 400) < 100, sizes + " was drawn " + n + " times of " + draws + ": " + drawn));
    }

    @Test
    void aBudgetThatNoSizesMeetIsRefused() {
        Cost count = count("planted1", 30, 1);
        double target = 1.5 * count.uniform(3);
        assertThrows(JobFailed.class, () -> Baselines.random(count, target, 1));
        assertThrows(JobFailed.class, () -> Baselines.mixed(count, target));
    }
}

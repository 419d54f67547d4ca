package org.effconv.cost;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.Random;
import java.util.stream.LongStream;
import org.effconv.backend.Backend;
import org.effconv.backend.cpu.CpuBackend;
import org.effconv.choice.SizeRounding;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.error.EffconvException.JobFailed;
import org.effconv.nn.SizedLayer;
import org.effconv.search.SmallSearch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class BudgetTest {
    private final Backend backend = CpuBackend.open(1);
    private final Cost cnn6 = Cost.parameters(backend, SmallSearch.plan("cnn6", 28, 28, 1, 10));
    private final Cost resnet = Cost.parameters(backend, SmallSearch.plan("resnet20", 32, 32, 3, 10));

    @AfterEach
    void close() {
        backend.close();
    }

    @ParameterizedTest
    @CsvSource({
        "120k, auto, AMOUNT, 120000, PARAMETERS",
        "1.2M, auto, AMOUNT, 1.2e6, PARAMETERS",
        "123456, parameters, AMOUNT, 123456, PARAMETERS",
        "1.5x, auto, RATIO, 1.5, PARAMETERS",
        "k5, auto, UNIFORM, 5, PARAMETERS",
        "K11, macs, UNIFORM, 11, MULTIPLY_ADDS",
        "auto, latency, AUTO, 0, LATENCY",
        "' 2.5K ', auto, AMOUNT, 2500, PARAMETERS",
        "30MMAC, auto, AMOUNT, 3e7, MULTIPLY_ADDS",
        "0.3 GMACs, macs, AMOUNT, 3e8, MULTIPLY_ADDS",
        "30M, macs, AMOUNT, 3e7, MULTIPLY_ADDS",
        "4.2ms, auto, AMOUNT, 4.2, LATENCY",
        "4200 us, latency, AMOUNT, 4.2, LATENCY",
        "1.5s, auto, AMOUNT, 1500, LATENCY",
        "as-good-as:k5, auto, AS_GOOD_AS, 5, MULTIPLY_ADDS",
        "as-good-as:k3, parameters, AS_GOOD_AS, 3, PARAMETERS",
        "1.5x, latency, RATIO, 1.5, LATENCY"
    })
    void parses(String text, String cost, Budget.Form form, double value, Cost.Kind kind) {
        Budget budget = Budget.parse(text, cost);
        assertEquals(form, budget.form());
        assertEquals(value, budget.value(), 1e-9);
        assertEquals(kind, budget.cost());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "k4",
                "k0",
                "k35",
                "0",
                "0x",
                "0ms",
                "0MMAC",
                "-5k",
                "5kk",
                "1e5",
                "five",
                "k",
                "x",
                "1.x",
                "ms",
                "4 m s",
                "3kms",
                "macs",
                "30 M MACs",
                "as-good-as:",
                "as-good-as:5",
                "as-good-as:k4"
            })
    void refusesOtherTexts(String text) {
        InvalidInput e = assertThrows(InvalidInput.class, () -> Budget.parse(text));
        assertTrue(e.getMessage().contains("'" + text + "'") && e.getMessage().contains("expected"), e.getMessage());
    }

    @ParameterizedTest
    @CsvSource({
        "4.2ms, parameters, 'budget ''4.2ms'' is one of latency, and cost ''parameters'' was asked for: expected a number of parameters (120k)'",
        "4.2ms, macs, expected a number of multiply-adds (30MMAC)",
        "30MMAC, parameters, expected a number of parameters (120k)",
        "30MMAC, latency, expected a time (4.2ms)",
        "4.2, latency, 'budget ''4.2'' of latency has no unit: expected a time in us, ms or s (4.2ms)'"
    })
    void refusesAUnitOfAnotherCost(String text, String cost, String expected) {
        String message =
                assertThrows(InvalidInput.class, () -> Budget.parse(text, cost)).getMessage();
        assertTrue(message.contains(expected), message);
    }

    @Test
    void resolvesAgainstTheNetwork() {
        assertEquals(cnn6.uniform(5), Budget.parse("k5").target(cnn6));
        assertEquals(1.5 * cnn6.uniform(3), Budget.parse("1.5x").target(cnn6));
        assertTrue(Double.isNaN(Budget.parse("auto").target(cnn6)));
    }

    @ParameterizedTest
    @ValueSource(strings = {"100", "900M"})
    void refusesWhatNoSizesCanMeetAndSaysTheLimits(String text) {
        InvalidInput e =
                assertThrows(InvalidInput.class, () -> Budget.parse(text).target(cnn6));
        assertTrue(e.getMessage().contains(String.format("%,d", cnn6.plan().leastParameters())), e.getMessage());
        assertTrue(e.getMessage().contains(String.format("%,d", cnn6.plan().mostParameters())), e.getMessage());
    }

    @Test
    void softCountIsExactAtOddSizesAndItsSlopesAreThoseOfDifferences() {
        int[] odd = {3, 7, 1, 5, 7, 3};
        assertEquals(
                cnn6.at(odd),
                cnn6.soft(Arrays.stream(odd).asDoubleStream().toArray()).total());
        double[] v = {3.3, 6.1, 1.4, 4.9, 6.6, 2.2};
        double[] slopes = cnn6.soft(v).slopes();
        for (int l = 0; l < v.length; l++) {
            double[] above = v.clone();
            double[] below = v.clone();
            above[l] += 1e-4;
            below[l] -= 1e-4;
            double expected = (cnn6.soft(above).total() - cnn6.soft(below).total()) / 2e-4;
            assertEquals(expected, slopes[l], 1e-6 * expected);
        }
    }

    @Test
    void roundsToTheNearestOddWithinKmax() {
        assertArrayEquals(
                new int[] {1, 3, 5, 5, 7, 7}, SizeRounding.round(new double[] {1.99, 2, 4, 5.99, 6.1, 30}, cnn6));
    }

    @Test
    void repairMovesNothingWhereRoundingFits() {
        double[] v = {3.2, 5.1, 4.9, 5.3, 4.6, 5};
        assertArrayEquals(SizeRounding.round(v, cnn6), SizeRounding.repair(v, cnn6, cnn6.uniform(5) * 0.999));
    }

    @Test
    void repairMovesTheLayerNearestItsEdge() {
        // Rounding gives 5 everywhere but in conv5, which is nearest to an edge and costs what is missing.
        double[] v = {5, 5, 5, 5, 3.9, 5};
        assertArrayEquals(new int[] {5, 5, 5, 5, 5, 5}, SizeRounding.repair(v, cnn6, cnn6.uniform(5)));
    }

    @Test
    void repairMeetsTheBudgetAndIsTheBestChoiceThereIs() {
        Random random = new Random(1);
        for (int draw = 0; draw < 20; draw++) {
            double[] v = random.doubles(6, 2, 6.5).toArray();
            double target = cnn6.soft(v).total();
            int[] repaired = SizeRounding.repair(v, cnn6, target);
            assertTrue(Cost.deviation(cnn6.at(repaired), target) <= 0.02);
            if (Arrays.equals(repaired, SizeRounding.round(v, cnn6))) {
                continue;
            }
            assertTrue(distance(v, repaired) <= bestDistance(v, target) + 1e-3, Arrays.toString(v));
        }
    }

    // Over all sizes 1, 3, 5, 7 of the six layers that meet the budget.
    private double bestDistance(double[] v, double target) {
        return LongStream.range(0, 4096)
                .mapToObj(code -> {
                    int[] sizes = new int[6];
                    Arrays.setAll(sizes, l -> 1 + 2 * (int) (code >> (2 * l) & 3));
                    return sizes;
                })
                .filter(sizes -> Cost.deviation(cnn6.at(sizes), target) <= 0.02)
                .mapToDouble(sizes -> distance(v, sizes))
                .min()
                .orElseThrow();
    }

    private double distance(double[] v, int[] sizes) {
        double sum = 0;
        for (int l = 0; l < v.length; l++) {
            double share = cnn6.layers().get(l).parametersPerTap()
                    * v[l]
                    * v[l]
                    / cnn6.soft(v).total();
            sum += share * Math.pow(Math.log(sizes[l] / v[l]), 2);
        }
        return sum;
    }

    @Test
    void repairsDeepNetworks() {
        Random random = new Random(2);
        for (int draw = 0; draw < 5; draw++) {
            double[] v = random.doubles(resnet.layers().size(), 1, 7).toArray();
            double target = resnet.soft(v).total();
            assertTrue(Cost.deviation(resnet.at(SizeRounding.repair(v, resnet, target)), target) <= 0.02);
        }
    }

    @Test
    void saysTheNearestWhereNoSizesFit() {
        Cost single = Cost.parameters(backend, SmallSearch.plan("planted1", 32, 32, 1, 2));
        SizedLayer layer = single.layers().get(0);
        double target = single.plan().fixedParameters() + layer.parametersPerTap() * 16.0; // k = 4
        JobFailed e = assertThrows(JobFailed.class, () -> SizeRounding.repair(new double[] {4}, single, target));
        assertTrue(e.getMessage().contains("[3]") || e.getMessage().contains("[5]"), e.getMessage());
    }
}

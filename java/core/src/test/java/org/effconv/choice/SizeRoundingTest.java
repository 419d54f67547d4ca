package org.effconv.choice;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.effconv.backend.Backend;
import org.effconv.backend.cpu.CpuBackend;
import org.effconv.cost.Cost;
import org.effconv.cost.CostTest;
import org.effconv.error.EffconvException.JobFailed;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SizeRoundingTest {
    private final Backend backend = CpuBackend.open(1);

    @AfterEach
    void close() {
        backend.close();
    }

    private Cost cost(String architecture, String kind) {
        return CostTest.of(backend, architecture, kind);
    }

    @ParameterizedTest
    @CsvSource({"cnn6, parameters", "dwnet, macs", "resnet20, latency", "planted1, parameters"})
    void sizesUnderACeilingCostNoMore(String architecture, String kind) {
        Cost cost = cost(architecture, kind);
        Random random = new Random(1);
        for (int draw = 0; draw < 50; draw++) {
            double[] v = cost.layers().stream()
                    .mapToDouble(layer -> 1 + random.nextDouble() * Math.min(8, layer.kmax() - 1))
                    .toArray();
            int[] plain = SizeRounding.round(v, cost);
            double soft = cost.soft(v).total();
            int[] under = SizeRounding.under(v, cost, soft);
            assertTrue(cost.at(under) <= soft, Arrays.toString(under) + " for " + Arrays.toString(v));
            for (int l = 0; l < under.length; l++) {
                assertTrue(under[l] >= 1 && under[l] % 2 == 1 && under[l] <= plain[l], Arrays.toString(under));
            }
            assertArrayEquals(plain, SizeRounding.under(v, cost, cost.at(plain)));
            assertTrue(cost.at(SizeRounding.under(v, cost, cost.uniform(1))) <= cost.uniform(1));
        }
    }

    @Test
    void underACeilingTheLayerGivesWayThatMovesLeastForWhatItSaves() {
        Cost cost = cost("cnn6", "parameters");
        double[] v = {5, 5, 5, 5, 5, 4.1}; // the last, rounded up from near the edge, is the costliest, too
        assertArrayEquals(
                new int[] {5, 5, 5, 5, 5, 3}, SizeRounding.under(v, cost, cost.at(new int[] {5, 5, 5, 5, 5, 5}) - 1));
    }

    @Test
    void aSizeThatIsNoNumberIsNotRounded() {
        Cost cost = cost("cnn6", "parameters");
        for (double broken : new double[] {Double.NaN, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY}) {
            double[] v = {3, 3, broken, 3, 3, 3};
            String named = "size of layer " + cost.layers().get(2).name() + " is " + broken;
            for (Executable rounding : List.<Executable>of(
                    () -> SizeRounding.round(v, cost),
                    () -> SizeRounding.repair(v, cost, cost.uniform(3)),
                    () -> SizeRounding.under(v, cost, cost.uniform(3)))) {
                String message = assertThrows(JobFailed.class, rounding).getMessage();
                assertTrue(message.contains(named), message);
            }
        }
    }

    @Test
    void aCeilingThatNothingMeetsIsRefused() {
        Cost cost = cost("cnn6", "parameters");
        assertThrows(
                JobFailed.class, () -> SizeRounding.under(new double[] {3, 3, 3, 3, 3, 3}, cost, cost.uniform(1) - 1));
    }
}

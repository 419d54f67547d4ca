package org.effconv.cost;

import static org.effconv.search.SmallSearch.uniform;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import org.effconv.backend.Backend;
import org.effconv.backend.cpu.CpuBackend;
import org.effconv.search.SmallSearch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class EqualCostTest {
    private final Backend backend = CpuBackend.open(1);

    @AfterEach
    void close() {
        backend.close();
    }

    private Cost cost(String architecture) {
        return Cost.parameters(backend, SmallSearch.plan(architecture, 32, 32, 3, 10));
    }

    @ParameterizedTest
    @ValueSource(strings = {"cnn6", "resnet20", "dwnet", "planted1"})
    void drawsCostWhatTheSizesCost(String architecture) {
        Cost cost = cost(architecture);
        for (double size : new double[] {2.4, 5, 8.7}) {
            double[] v = uniform(cost, size);
            for (long index = 0; index < 20; index++) {
                double[] drawn = EqualCost.drawn(v, 0.4, EqualCost.normals(v.length, 3, index), cost, false);
                assertEquals(
                        cost.soft(v).total(),
                        cost.soft(drawn).total(),
                        1e-9 * cost.soft(v).total());
            }
        }
    }

    @Test
    void drawsSpreadInLogarithmsAsWidelyAsAsked() {
        Cost cost = cost("resnet20");
        double[] v = uniform(cost, 7);
        double square = 0;
        int draws = 400;
        for (long index = 0; index < draws; index++) {
            for (double drawn : EqualCost.drawn(v, 0.3, EqualCost.normals(v.length, 1, index), cost, false)) {
                square += Math.pow(Math.log(drawn / 7), 2) / (draws * v.length);
            }
        }
        assertEquals(0.3, Math.sqrt(square), 0.03); // the common factor takes a little
    }

    @ParameterizedTest
    @ValueSource(strings = {"cnn6", "resnet20", "dwnet"})
    void oddDrawsKeepTheMeanAndTheCost(String architecture) {
        Cost cost = cost(architecture);
        int[] largest = cost.plan().largestSizes();
        int draws = 2000;
        double mean = 0;
        double off = 0;
        for (long index = 0; index < draws; index++) {
            double[] v =
                    EqualCost.drawn(uniform(cost, 4.3), 0.4, EqualCost.normals(largest.length, 1, index), cost, false);
            v[0] = index % 2 == 0 ? 1 : largest[0];
            double[] odd = EqualCost.odd(v, cost, 5, index);
            for (int l = 0; l < v.length; l++) {
                assertTrue(odd[l] % 2 == 1 && Math.abs(odd[l] - v[l]) < 2, odd[l] + " for " + v[l]);
                mean += (odd[l] - v[l]) / draws / v.length;
            }
            off += cost.soft(odd).total() / cost.soft(v).total() - 1;
        }
        assertEquals(0, mean, 0.05);
        assertEquals(0, off / draws, 0.01);
    }

    @Test
    void oddDrawsOfManyLayersAreNearTheirCost() {
        Cost cost = cost("resnet20");
        double[] v = uniform(cost, 4);
        for (long index = 0; index < 100; index++) {
            int[] odd = Arrays.stream(EqualCost.odd(v, cost, 1, index))
                    .mapToInt(k -> (int) k)
                    .toArray();
            assertEquals(cost.soft(v).total(), cost.at(odd), 0.1 * cost.at(odd), Arrays.toString(odd));
        }
    }

    @Test
    void withoutABudgetOppositeDrawsAreOppositeFactors() {
        Cost cost = cost("cnn6");
        double[] v = uniform(cost, 5);
        double[] z = EqualCost.normals(v.length, 1, 4);
        double[] up = EqualCost.drawn(v, 0.2, z, cost, true);
        double[] down = EqualCost.drawn(v, -0.2, z, cost, true);
        for (int l = 0; l < v.length; l++) {
            assertEquals(25, up[l] * down[l], 1e-9);
            assertEquals(5 * Math.exp(0.2 * z[l]), up[l], 1e-9);
        }
    }

    @Test
    void oneFactorScalesAllThatAreWithinTheirRange() {
        Cost cost = cost("cnn6");
        double[] shape = {1, 2, 3, 2, 1, 2};
        double[] scaled = EqualCost.scaled(shape, cost, cost.uniform(5));
        assertEquals(cost.uniform(5), cost.soft(scaled).total(), 1e-6);
        double factor = scaled[0];
        assertArrayEquals(Arrays.stream(shape).map(s -> s * factor).toArray(), scaled, 1e-9);
        assertArrayEquals(uniform(cost, 1), EqualCost.scaled(shape, cost, 1), 0, "less than the least there is");
    }

    @Test
    void drawsDependOnSeedAndIndexAlone() {
        assertArrayEquals(EqualCost.normals(5, 1, 7), EqualCost.normals(5, 1, 7), 0);
        assertNotEquals(EqualCost.normals(5, 1, 7)[0], EqualCost.normals(5, 1, 8)[0]);
        assertNotEquals(EqualCost.normals(5, 1, 7)[0], EqualCost.normals(5, 2, 7)[0]);
        double mean = 0;
        for (long index = -500; index < 500; index++) {
            mean += EqualCost.normals(1, 1, index)[0] / 1000;
        }
        assertTrue(Math.abs(mean) < 0.12, "neighbouring indices start alike: mean " + mean);
    }
}

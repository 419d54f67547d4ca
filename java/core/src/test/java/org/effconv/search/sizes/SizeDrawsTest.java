package org.effconv.search.sizes;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.stream.IntStream;
import org.effconv.backend.Backend;
import org.effconv.backend.MaskKind;
import org.effconv.backend.Support;
import org.effconv.backend.cpu.CpuBackend;
import org.effconv.cost.Cost;
import org.effconv.predict.SearchSettings;
import org.effconv.search.SmallSearch;
import org.effconv.tensor.DataType;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Draws that cost the same, and of those the ones that multiply less. */
class SizeDrawsTest {
    private static final int STEPS = 400;

    private final Backend backend = CpuBackend.open(1);

    @AfterEach
    void close() {
        backend.close();
    }

    private Cost cost(String architecture) {
        return Cost.parameters(backend, SmallSearch.plan(architecture, 32, 32, 3, 10));
    }

    private int grid(Cost cost, int l, double v) {
        return backend.supportGrid(
                MaskKind.RAMP, DataType.F32, v, cost.layers().get(l).kmax(), Support.SIGNAL);
    }

    private SizeDraws draws(Cost cost, boolean free) {
        return new SizeDraws(cost, Cost.multiplyAdds(backend, cost.plan()), SearchSettings.standard(), free, 1);
    }

    /** Multiply-adds of a step on its grids, over those of sizes v as they stand. */
    private double work(Cost cost, double[] v, boolean learning) {
        Cost work = Cost.multiplyAdds(backend, cost.plan());
        SizeDraws draws = draws(cost, false);
        double sum = 0;
        for (long step = 0; step < STEPS; step++) {
            double[] drawn = draws.drawn(v, step, learning);
            int[] grids = new int[v.length];
            Arrays.setAll(grids, l -> learning ? grid(cost, l, drawn[l]) : (int) drawn[l]);
            sum += work.at(grids) / STEPS;
        }
        return sum / work.soft(v).total();
    }

    @ParameterizedTest
    @CsvSource({
        "cnn6, 3, 1.68",
        "cnn6, 7, 1.29",
        "resnet20, 3, 1.66",
        "resnet20, 7, 1.33",
        "dwnet, 3, 1.14",
        "dwnet, 7, 1.16"
    })
    void whatIsDrawnMultipliesAboutAsMuchAsTheSizesThemselves(String architecture, double k, double learning) {
        Cost cost = cost(architecture);
        double[] v = SmallSearch.uniform(cost, k);
        double standing = work(cost, v, false);
        assertTrue(standing < 1.06, standing + " where sizes stand");
        double soft = work(cost, v, true);
        assertTrue(soft < learning, soft + " where they learn");
    }

    @ParameterizedTest
    @CsvSource({"cnn6, 3", "cnn6, 5", "resnet20, 5", "dwnet, 5"})
    void noLayerIsDrawnSmallerThanOthersForWhatItMultiplies(String architecture, double k) {
        Cost cost = cost(architecture);
        double[] v = SmallSearch.uniform(cost, k);
        for (boolean learning : new boolean[] {false, true}) {
            double[] mean = new double[v.length];
            double[] square = new double[v.length];
            SizeDraws draws = draws(cost, false);
            for (long step = 0; step < STEPS; step++) {
                double[] drawn = draws.drawn(v, step, learning);
                for (int l = 0; l < v.length; l++) {
                    mean[l] += (learning ? Math.log(drawn[l] / k) : drawn[l] / k) / STEPS;
                    square[l] += Math.pow(Math.log(drawn[l] / k), 2) / STEPS;
                }
            }
            double all = Arrays.stream(mean).average().orElseThrow();
            for (int l = 0; l < v.length; l++) {
                assertEquals(
                        all,
                        mean[l],
                        learning ? 0.06 : 0.15,
                        Arrays.toString(mean)); // odd ones: wide draws have larger means
                assertTrue(Math.sqrt(square[l]) > 0.22, "layer " + l + " hardly spreads: " + Math.sqrt(square[l]));
            }
        }
    }

    @Test
    void theTwoStepsOfAPairAreOpposite() {
        Cost cost = cost("cnn6");
        double[] v = SmallSearch.uniform(cost, 5);
        int compared = 0;
        for (long step = 0; step < 20; step += 2) {
            double[] up = draws(cost, false).drawn(v, step, true);
            double[] down = draws(cost, false).drawn(v, step + 1, true);
            double[] products = IntStream.range(0, v.length)
                    .filter(l -> inside(cost, l, up[l]) && inside(cost, l, down[l]))
                    .mapToDouble(l -> up[l] * down[l])
                    .toArray();
            for (double product : products) {
                assertEquals(products[0], product, 1e-9 * product); // one common factor each
                compared++;
            }
        }
        assertTrue(compared > 30, compared + " of 60");
    }

    private static boolean inside(Cost cost, int l, double v) {
        return v > 1 && v < cost.layers().get(l).kmax();
    }

    @Test
    void drawsDependOnTheStepAlone() {
        Cost cost = cost("dwnet");
        double[] v = SmallSearch.uniform(cost, 5);
        SizeDraws draws = draws(cost, false);
        double[] first = draws.drawn(v, 7, true);
        draws.drawn(v, 8, false);
        assertArrayEquals(first, draws.drawn(v, 7, true), 0);
    }
}

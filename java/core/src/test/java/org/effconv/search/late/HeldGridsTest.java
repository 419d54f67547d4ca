package org.effconv.search.late;

import static org.junit.jupiter.api.Assertions.*;

import java.util.List;
import org.effconv.backend.Backend;
import org.effconv.backend.MaskKind;
import org.effconv.backend.Support;
import org.effconv.backend.cpu.CpuBackend;
import org.effconv.cost.Cost;
import org.effconv.nn.SizedLayer;
import org.effconv.predict.SearchSettings;
import org.effconv.search.SmallSearch;
import org.effconv.search.sizes.SizeDraws;
import org.effconv.tensor.DataType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class HeldGridsTest {
    private static final HeldGrids.GridOf GRID = (l, v) -> Math.min(21, 2 * (int) Math.floor((v + 1) / 2) + 1);

    private static final List<SizedLayer> LAYERS = List.of(layer(0, 4), layer(1, 16));

    private static SizedLayer layer(int index, int channels) {
        return new SizedLayer(index, "layer" + index, channels, channels, 1, 1, 8, 8, 8, 8, 21, 3);
    }

    private static final double[] REACH = {2, 2};

    private final HeldGrids grids = new HeldGrids(LAYERS);

    private HeldGrids.Choice next(double a, double b) {
        return grids.next(new double[] {a, b}, new double[] {a, b}, REACH, GRID);
    }

    @Test
    void gridsHoldWhateverMayBeDrawn() {
        HeldGrids.Choice choice = next(5.2, 12.4);
        assertTrue(choice.shared());
        assertArrayEquals(new int[] {GRID.grid(0, 7.2), GRID.grid(1, 14.4)}, choice.grids());
        for (double drawn = 3.2; drawn <= 7.2; drawn += 0.1) {
            assertArrayEquals(
                    choice.grids(),
                    grids.next(new double[] {5.2, 12.4}, new double[] {drawn, 12.4}, REACH, GRID)
                            .grids());
        }
    }

    @Test
    void aSizeAroundAnEdgeKeepsTheLargerGrid() {
        int[] above = next(5.05, 12.4).grids();
        assertEquals(9, above[0]);
        for (double v : new double[] {4.95, 5.02, 4.8, 4.6, 5.0, 4.51}) {
            assertArrayEquals(above, next(v, 12.4).grids(), "at " + v);
        }
        assertEquals(7, next(4.45, 12.4).grids()[0], "clearly below the edge");
        assertEquals(7, next(4.95, 12.4).grids()[0], "from below, the smaller one");
        assertEquals(9, next(5.01, 12.4).grids()[0]);
        next(4.9, 12.4);
        grids.reset();
        assertEquals(7, next(4.95, 12.4).grids()[0], "forgotten");
    }

    /** At the standard spread, around uniform sizes: a claim of the architecture's description. */
    @ParameterizedTest
    @CsvSource({"cnn6, 3", "cnn6, 5", "resnet20, 3", "resnet20, 5", "dwnet, 3", "dwnet, 5", "flexnet7, 3", "flexnet7, 5"
    })
    void mostStepsOfASearchCanBeRepeated(String architecture, double k) {
        try (Backend backend = CpuBackend.open(1)) {
            Cost cost = Cost.parameters(backend, SmallSearch.plan(architecture, 32, 32, 3, 10));
            double learning = shared(backend, cost, k, LateSizes.REACH, Support.SIGNAL);
            double standing = shared(backend, cost, k, LateSizes.ODD_REACH, Support.MASK);
            assertTrue(learning >= 0.69, learning + " where sizes learn");
            assertTrue(standing >= 0.6, standing + " where they do not");
        }
    }

    private static double shared(Backend backend, Cost cost, double k, double deviations, Support support) {
        double spread = SearchSettings.standard().spread();
        double[] v = SmallSearch.uniform(cost, k);
        double[] reach = SmallSearch.uniform(cost, (Math.exp(deviations * spread) - 1) * k);
        HeldGrids held = new HeldGrids(cost.layers());
        SizeDraws draws = new SizeDraws(cost, SearchSettings.standard(), false, 1);
        int steps = 300;
        int shared = 0;
        for (int step = 0; step < steps; step++) {
            double[] drawn = draws.drawn(v, step, support == Support.SIGNAL);
            shared += held.next(
                                    v,
                                    drawn,
                                    reach,
                                    (l, size) -> backend.supportGrid(
                                            MaskKind.RAMP,
                                            DataType.F32,
                                            size,
                                            cost.layers().get(l).kmax(),
                                            support))
                            .shared()
                    ? 1
                    : 0;
        }
        return (double) shared / steps;
    }

    @Test
    void aStepThatDrawsWiderKeepsToItsOwnGrids() {
        next(5.2, 12.4);
        HeldGrids.Choice wide = grids.next(new double[] {5.2, 12.4}, new double[] {9.5, 11}, REACH, GRID);
        assertFalse(wide.shared());
        assertArrayEquals(new int[] {GRID.grid(0, 9.5), GRID.grid(1, 11)}, wide.grids());
        assertTrue(next(5.2, 12.4).shared());
    }

    @Test
    void heldGridsThatMultiplyTheWorkAreNotTaken() {
        double[] sizes = {5, 5};
        assertFalse(
                grids.next(sizes, new double[] {5, 1.5}, REACH, GRID).shared(),
                "the layer with most of the work draws a small kernel");
        assertTrue(grids.next(sizes, new double[] {1.5, 5}, REACH, GRID).shared());
    }
}

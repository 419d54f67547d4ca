package org.effconv.size;

import static org.junit.jupiter.api.Assertions.*;

import java.util.List;
import org.effconv.nn.SizedLayer;
import org.junit.jupiter.api.Test;

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
            assertArrayEquals(choice.grids(), grids.next(new double[] {5.2, 12.4}, new double[] {drawn, 12.4}, REACH, GRID).grids());
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
        assertFalse(grids.next(sizes, new double[] {5, 1.5}, REACH, GRID).shared(), "the layer with most of the work draws a small kernel");
        assertTrue(grids.next(sizes, new double[] {1.5, 5}, REACH, GRID).shared());
    }
}

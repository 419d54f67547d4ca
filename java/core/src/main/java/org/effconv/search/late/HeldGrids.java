package org.effconv.search.late;

import java.util.List;
import org.effconv.nn.SizedLayer;

/**
 * Support grids that stay the same from step to step, for a device that repeats recorded steps: each holds whatever
 * size may be drawn around a layer's soft size, and is given up for a smaller one only when that size has fallen
 * clearly below the ring's edge. Taps beyond the drawn size have mask 0, so that a larger grid computes the same, with
 * more work.
 */
public final class HeldGrids {
    /** Pixels by which a size must have fallen below a ring's edge before the ring is given up. */
    static final double MARGIN = 0.5;
    /**
     * Most multiply-adds of all grids, in those of the drawn sizes' own: beyond, a step keeps to its own. Not measured
     * on a card yet.
     */
    static final double MOST_WORK = 4;

    private final List<SizedLayer> layers;
    private int[] held; // null: none yet

    HeldGrids(List<SizedLayer> layers) {
        this.layers = layers;
    }

    /** The support grid of a layer at a size. */
    @FunctionalInterface
    interface GridOf {
        int grid(int layer, double v);
    }

    /**
     * @param grids one per layer, none smaller than that of its drawn size
     * @param shared whether they are those of the steps before and after
     */
    record Choice(int[] grids, boolean shared) {}

    /**
     * Grids of the next step.
     *
     * @param sizes soft sizes
     * @param drawn what the step draws around them
     * @param reach how far above each soft size it usually draws at most, in pixels
     */
    Choice next(double[] sizes, double[] drawn, double[] reach, GridOf of) {
        int n = layers.size();
        held = held == null ? new int[n] : held;
        int[] own = new int[n];
        boolean hold = true;
        double ownWork = 0;
        double heldWork = 0;
        for (int l = 0; l < n; l++) {
            own[l] = of.grid(l, drawn[l]);
            int least = of.grid(l, sizes[l] + reach[l]);
            int most = of.grid(l, sizes[l] + reach[l] + MARGIN);
            held[l] = Math.max(least, Math.min(most, held[l]));
            hold &= own[l] <= held[l];
            ownWork += (double) layers.get(l).multiplyAddsPerTap() * own[l] * own[l];
            heldWork += (double) layers.get(l).multiplyAddsPerTap() * held[l] * held[l];
        }
        boolean shared = hold && heldWork <= MOST_WORK * ownWork;
        return new Choice(shared ? held.clone() : own, shared);
    }

    /** Forgets what was held, so that what comes depends on nothing before. */
    void reset() {
        held = null;
    }
}

package org.effconv.size;

import java.util.Arrays;

/**
 * The sizes that each step of a search draws around the predicted ones, at the same cost where there is a budget. Two steps share
 * their draws with opposite signs, so that what a draw of all layers does to a gradient cancels.
 */
final class SizeDraws {
    // Of the spread, without a budget: nothing makes up there for a layer that is drawn too small for its task, and wide draws
    // end below what the task needs.
    private static final double FREE_SHARE = 0.375;

    private final Cost cost;
    private final double spread;
    private final boolean free;
    private final long seed;
    private double[] held; // factors in place of draws; null: none

    /**
     * @param free whether there is no budget
     */
    SizeDraws(Cost cost, SearchSettings settings, boolean free, long seed) {
        this.cost = cost;
        this.free = free;
        this.seed = seed;
        spread = (free ? FREE_SHARE : 1) * settings.spread();
    }

    /** Sizes of a step. */
    double[] drawn(double[] predicted, long step) {
        if (held != null) {
            return times(predicted, held);
        }
        if (spread == 0) {
            return predicted;
        }
        double[] z = EqualCost.normals(predicted.length, seed, step / 2);
        return EqualCost.drawn(predicted, step % 2 == 0 ? spread : -spread, z, cost, free);
    }

    /** From now on what a step draws around these sizes is drawn around all, by the same factors. */
    void hold(double[] predicted, long step) {
        held = factors(predicted, drawn(predicted, step));
    }

    /** By which each drawn size is larger than the predicted one. */
    static double[] factors(double[] predicted, double[] drawn) {
        double[] factors = new double[predicted.length];
        Arrays.setAll(factors, l -> drawn[l] / predicted[l]);
        return factors;
    }

    /** Element by element: a gradient by drawn sizes, the factors taken as constants, becomes one by predicted ones. */
    static double[] times(double[] a, double[] b) {
        double[] product = new double[a.length];
        Arrays.setAll(product, l -> a[l] * b[l]);
        return product;
    }
}

package org.effconv.search.sizes;

import java.util.Arrays;
import java.util.SplittableRandom;
import org.effconv.choice.SizeProposals;
import org.effconv.cost.Cost;
import org.effconv.cost.EqualCost;
import org.effconv.predict.SearchSettings;
import org.effconv.search.late.HeldGrids;

/**
 * The sizes that each step of a search draws around the predicted ones, at the same cost where there is a budget. Two
 * steps share their draws with opposite signs, so that what a draw of all layers does to a gradient cancels.
 *
 * <p>Draws of equal cost differ in what they take to compute: a budget of parameters lets early layers grow, whose
 * kernels are cheap and whose images are large. So of a few pairs of draws the one is taken whose two steps multiply
 * least. A pair counts as a whole, hence no layer is drawn smaller, or larger, than the others on average. Soft sizes
 * count by their own taps, not by those of the grid they lie on: else masks would be drawn where grids are well used,
 * and the loss be felt there alone.
 */
public final class SizeDraws {
    // Of the spread, without a budget: nothing makes up there for a layer that is drawn too small for its task, and
    // wide draws
    // end below what the task needs.
    private static final double FREE_SHARE = 0.375;
    // Pairs to choose from. More save less and less, and take the spread from the layers that multiply most.
    private static final int PAIRS = 4;

    private final Cost cost;
    private final Cost work; // null: pairs are taken as they come
    private final double spread;
    private final boolean free;
    private final long seed;
    private double[] held; // factors in place of draws; null: none

    /**
     * That takes pairs as they come: for grids that are {@linkplain HeldGrids held}, of which a draw's own work says
     * nothing.
     *
     * @param free whether there is no budget
     */
    public SizeDraws(Cost cost, SearchSettings settings, boolean free, long seed) {
        this(cost, null, settings, free, seed);
    }

    /**
     * @param work multiply-adds
     * @param free whether there is no budget; pairs are then taken as they come
     */
    public SizeDraws(Cost cost, Cost work, SearchSettings settings, boolean free, long seed) {
        this.cost = cost;
        this.work = work;
        this.free = free;
        this.seed = seed;
        spread = (free ? FREE_SHARE : 1) * settings.spread();
    }

    /**
     * Sizes of a step.
     *
     * @param learning whether sizes learn in that step. Where they do not, and there is a budget, they are odd: what
     *     networks have in the end, on grids no larger than the budget pays for
     */
    public double[] drawn(double[] predicted, long step, boolean learning) {
        if (held != null) {
            return times(predicted, held);
        }
        if (spread == 0) {
            return predicted;
        }
        int which = (int) (step % 2);
        double[] v = (free || work == null ? pair(predicted, step / 2) : cheapest(predicted, step / 2))[which];
        return learning || free ? v : EqualCost.odd(v, cost, seed, step);
    }

    private double[][] pair(double[] predicted, long index) {
        double[] z = EqualCost.normals(predicted.length, seed, index);
        return new double[][] {
            EqualCost.drawn(predicted, spread, z, cost, free), EqualCost.drawn(predicted, -spread, z, cost, free)
        };
    }

    // By the sizes of now: where they move, the second step of a pair may find another one cheaper, and then two halves
    // stand alone.
    private double[][] cheapest(double[] predicted, long pair) {
        double[][] best = null;
        double least = Double.POSITIVE_INFINITY;
        for (int i = 0; i < PAIRS; i++) {
            double[][] drawn = pair(predicted, pair * PAIRS + i);
            double both = work.soft(drawn[0]).total()
                    + work.soft(drawn[1]).total(); // of odd ones, too: rounding keeps the mean of their taps
            if (best == null || both < least) {
                best = drawn;
                least = both;
            }
        }
        return best;
    }

    /**
     * Odd sizes of a step, around those that were found; without a budget each layer's one of the two beside and the
     * next smaller one.
     */
    public double[] closing(double[] found, long step) {
        if (!free) {
            return drawn(found, step, false);
        }
        SplittableRandom random = EqualCost.mixed(~seed, step);
        double[] odd = new double[found.length];
        for (int l = 0; l < odd.length; l++) {
            int below = 2 * (int) Math.floor((found[l] + 1) / 2) - 1;
            int smaller = found[l] < below + SizeProposals.IN_USE ? below - 2 : below;
            odd[l] = Math.max(1, Math.min(cost.layers().get(l).kmax(), smaller + 2 * random.nextInt(2)));
        }
        return odd;
    }

    /** From now on what a step draws around these sizes is drawn around all, by the same factors. */
    public void hold(double[] predicted, long step) {
        held = factors(predicted, drawn(predicted, step, true));
    }

    /** By which each drawn size is larger than the predicted one. */
    public static double[] factors(double[] predicted, double[] drawn) {
        double[] factors = new double[predicted.length];
        Arrays.setAll(factors, l -> drawn[l] / predicted[l]);
        return factors;
    }

    /** Element by element: a gradient by drawn sizes, the factors taken as constants, becomes one by predicted ones. */
    public static double[] times(double[] a, double[] b) {
        double[] product = new double[a.length];
        Arrays.setAll(product, l -> a[l] * b[l]);
        return product;
    }
}

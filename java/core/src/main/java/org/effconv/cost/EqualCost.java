package org.effconv.cost;

import java.util.Arrays;
import java.util.Random;
import java.util.SplittableRandom;

/** Soft sizes that cost the same: on the surface P(v) = P*. */
public final class EqualCost {
    private static final int ROUNDS = 60; // down to rounding even where all are halvings
    private static final double EXACT = 1e-14; // of the cost: what its sum rounds
    private static final int ATTEMPTS = 32;

    private EqualCost() {}

    /**
     * A multiple of {@code sizes} (above 0), each layer within 1..kmax, that costs {@code target}, or the nearest to
     * it.
     */
    public static double[] scaled(double[] sizes, Cost cost, double target) {
        double low = Math.log(Cost.SMALLEST_SIZE / Arrays.stream(sizes).max().orElseThrow());
        double high = Math.log(Cost.LARGEST_SIZE / Arrays.stream(sizes).min().orElseThrow());
        double[] v = times(sizes, Math.exp(low), cost);
        Cost.Soft soft = cost.soft(v);
        double factor = low;
        for (int i = 0; i < ROUNDS && Math.abs(soft.total() - target) > EXACT * target && high > low; i++) {
            if (soft.total() < target) {
                low = factor;
            } else {
                high = factor;
            }
            double newton = factor + (target - soft.total()) / slope(sizes, v, factor, soft);
            factor = newton > low && newton < high ? newton : (low + high) / 2; // false for what is no number, too
            v = times(sizes, Math.exp(factor), cost);
            soft = cost.soft(v);
        }
        return v;
    }

    // d P / d log(factor): layers at an end of their range do not follow.
    private static double slope(double[] sizes, double[] v, double factor, Cost.Soft soft) {
        double slope = 0;
        for (int l = 0; l < v.length; l++) {
            slope += v[l] == Math.exp(factor) * sizes[l] ? soft.slopes()[l] * v[l] : 0;
        }
        return slope;
    }

    /**
     * Sizes around given ones: v_l exp(spread z_l), z standard normal, times a common factor that brings the cost back
     * to that of v.
     *
     * @param free whether the cost is let go: no common factor
     */
    public static double[] drawn(double[] v, double spread, double[] z, Cost cost, boolean free) {
        double[] away = new double[v.length];
        Arrays.setAll(away, l -> v[l] * Math.exp(spread * z[l]));
        return free ? times(away, 1, cost) : scaled(away, cost, cost.soft(v).total());
    }

    /**
     * Odd sizes at random: each layer's the odd size below or above, with the probability that keeps the mean; of a few
     * such draws the first, or else the best, that costs about the same.
     */
    public static double[] odd(double[] v, Cost cost, long seed, long index) {
        SplittableRandom random = mixed(~seed, index); // others than those of the deviates
        double target = cost.soft(v).total();
        int[] best = null;
        for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
            int[] sizes = new int[v.length];
            for (int l = 0; l < v.length; l++) {
                int below = Math.min(cost.layers().get(l).kmax(), 2 * (int) Math.floor((v[l] + 1) / 2) - 1);
                sizes[l] = random.nextDouble() < (v[l] - below) / 2 ? below + 2 : below;
            }
            if (best == null || Cost.deviation(cost.at(sizes), target) < Cost.deviation(cost.at(best), target)) {
                best = sizes;
            }
            if (cost.meets(cost.at(best), target)) {
                break;
            }
        }
        return Arrays.stream(best).asDoubleStream().toArray();
    }

    /** Standard normal deviates of a step or of another index, one per layer. */
    public static double[] normals(int layers, long seed, long index) {
        Random random = new Random(mixed(seed, index).nextLong());
        double[] z = new double[layers];
        Arrays.setAll(z, l -> random.nextGaussian());
        return z;
    }

    public static SplittableRandom mixed(long seed, long index) {
        SplittableRandom mixed = new SplittableRandom(seed * 0x9E3779B97F4A7C15L + index);
        mixed.nextLong(); // neighbouring seeds start alike
        return mixed;
    }

    /** Uniform size at which the network costs {@code target}; layers whose kmax is smaller stay there. */
    public static double uniform(Cost cost, double target) {
        double[] ones = new double[cost.layers().size()];
        Arrays.fill(ones, 1);
        return Arrays.stream(scaled(ones, cost, target)).max().orElseThrow();
    }

    private static double[] times(double[] sizes, double factor, Cost cost) {
        double[] v = new double[sizes.length];
        Arrays.setAll(
                v,
                l -> Math.max(Cost.SMALLEST_SIZE, Math.min(cost.layers().get(l).kmax(), factor * sizes[l])));
        return v;
    }
}

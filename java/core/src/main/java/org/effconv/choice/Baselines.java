package org.effconv.choice;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.function.Predicate;
import java.util.stream.IntStream;
import org.effconv.cost.Cost;
import org.effconv.cost.EqualCost;
import org.effconv.error.EffconvException.JobFailed;

/** Sizes to hold learned ones against: plain choices of the same cost. */
public final class Baselines {
    /** Of rising and falling sizes: largest over smallest, before rounding. */
    public static final double RATIO = 3;

    private static final double LARGEST_RATIO = 4.5;
    private static final int RATIOS = 16; // tried on each side of RATIO
    private static final double NEAR_RATIO = 1.3;
    private static final int NEAR_RATIOS = 6;
    private static final double SCAN_STEP = 0.02; // of the size a row of sizes starts at, in pixels
    private static final int SHUFFLES = 100;

    private Baselines() {}

    /**
     * The odd sizes that all layers may share and that stand next to the budget: the nearest, where it meets the budget
     * within the {@linkplain Cost.Kind#choiceTolerance tolerance}, or else the largest below and the smallest above
     * (one alone at either end). A layer whose kmax is smaller has its kmax.
     *
     * @return one or two vectors of sizes, the smaller first
     */
    public static List<int[]> uniform(Cost cost, double target) {
        List<int[]> all = IntStream.rangeClosed(0, largest(cost) / 2)
                .mapToObj(ring -> same(cost, 2 * ring + 1))
                .toList();
        int[] nearest = all.stream()
                .min(Comparator.comparingDouble(sizes -> Cost.deviation(cost.at(sizes), target)))
                .orElseThrow();
        if (cost.meets(cost.at(nearest), target)) {
            return List.of(nearest);
        }
        List<int[]> beside = new ArrayList<>();
        all.stream()
                .filter(sizes -> cost.at(sizes) < target)
                .reduce((first, last) -> last)
                .ifPresent(beside::add);
        all.stream().filter(sizes -> cost.at(sizes) > target).findFirst().ifPresent(beside::add);
        return beside;
    }

    /**
     * The sizes nearest to one size for all layers that meet the budget: the uniform ones where they do, else a mix of
     * neighbouring odd sizes, by the repair that ends a search.
     *
     * @throws JobFailed if no such mix meets the budget
     */
    public static int[] mixed(Cost cost, double target) {
        List<int[]> uniform = uniform(cost, target);
        if (uniform.size() == 1 && cost.meets(cost.at(uniform.get(0)), target)) {
            return uniform.get(0);
        }
        double[] ones = new double[cost.layers().size()];
        Arrays.fill(ones, 1);
        return SizeRounding.repair(EqualCost.scaled(ones, cost, target), cost, target);
    }

    /**
     * A draw from all choices of odd sizes, each layer from 1 to its kmax, that meet the budget within the
     * {@linkplain Cost.Kind#choiceTolerance tolerance}: every such choice is equally likely.
     *
     * @throws JobFailed if there is none
     */
    public static int[] random(Cost cost, double target, long seed) {
        return new RandomSizes(cost, target).draw(new SplittableRandom(mix(seed)));
    }

    /**
     * The sizes that a search found, handed out to other layers at random, scaled by one common factor back to the
     * budget, and rounded and repaired as those of a search. An order that would give every layer the size it had is
     * drawn again.
     *
     * @throws JobFailed if no sizes near them meet the budget
     */
    public static int[] shuffled(int[] found, Cost cost, double target, long seed) {
        double[] permuted =
                Arrays.stream(permuted(found, seed)).asDoubleStream().toArray();
        return SizeRounding.repair(EqualCost.scaled(permuted, cost, target), cost, target);
    }

    static int[] permuted(int[] sizes, long seed) {
        SplittableRandom random = new SplittableRandom(mix(seed));
        int[] shuffled = sizes.clone();
        for (int attempt = 0; attempt < SHUFFLES && Arrays.equals(shuffled, sizes); attempt++) {
            for (int i = shuffled.length - 1; i > 0; i--) { // Fisher-Yates
                int at = random.nextInt(i + 1);
                int kept = shuffled[i];
                shuffled[i] = shuffled[at];
                shuffled[at] = kept;
            }
        }
        return shuffled;
    }

    /**
     * Sizes that rise with depth, geometrically, the last about {@value #RATIO} times the first; the ratio nearest to
     * that whose rounded sizes meet the budget.
     *
     * @throws JobFailed if no sizes near such ones meet the budget
     */
    public static int[] smallFirst(Cost cost, double target) {
        return graded(cost, target, false);
    }

    /** The same with sizes that fall with depth. */
    public static int[] largeFirst(Cost cost, double target) {
        return graded(cost, target, true);
    }

    private static int[] graded(Cost cost, double target, boolean falling) {
        for (int i = 0; i <= 2 * RATIOS; i++) {
            int away = (i + 1) / 2 * (i % 2 == 0 ? 1 : -1);
            double ratio = RATIO * Math.pow(LARGEST_RATIO / RATIO, (double) away / RATIOS);
            int[] found = scan(grade(cost.layers().size(), ratio, falling), cost, target);
            if (found != null) {
                return found;
            }
        }
        return SizeRounding.repair(
                EqualCost.scaled(grade(cost.layers().size(), RATIO, falling), cost, target), cost, target);
    }

    /**
     * Sizes that rise or fall with depth in every layer (but where kmax stops them), geometrically, and meet the
     * budget; of a ratio as near to the given one as can be, and not much off it.
     *
     * @param ratio of the last size over the first, before rounding
     * @param good what else they must be
     */
    static Optional<int[]> shaped(Cost cost, double target, double ratio, Predicate<int[]> good) {
        for (int i = 0; i <= 2 * NEAR_RATIOS; i++) {
            int away = (i + 1) / 2 * (i % 2 == 0 ? 1 : -1);
            double near = ratio * Math.pow(NEAR_RATIO, (double) away / NEAR_RATIOS);
            int[] found = scan(grade(cost.layers().size(), Math.max(near, 1 / near), near < 1), cost, target);
            if (found != null && good.test(found)) {
                return Optional.of(found);
            }
        }
        return Optional.empty();
    }

    private static double[] grade(int layers, double ratio, boolean falling) {
        double[] shape = new double[layers];
        for (int l = 0; l < layers; l++) {
            double depth = layers == 1 ? 0 : (double) l / (layers - 1);
            shape[l] = Math.pow(ratio, falling ? 1 - depth : depth);
        }
        return shape;
    }

    // The rounded multiple of a shape that meets the budget best; null if none does within the tolerance.
    private static int[] scan(double[] shape, Cost cost, double target) {
        int[] best = null;
        for (double factor = 1; factor <= Cost.LARGEST_SIZE; factor += SCAN_STEP) {
            int[] sizes = SizeRounding.round(capped(shape, factor, cost), cost);
            double deviation = Cost.deviation(cost.at(sizes), target);
            if (deviation <= cost.kind().choiceTolerance()
                    && (best == null || deviation < Cost.deviation(cost.at(best), target))) {
                best = sizes;
            }
        }
        return best;
    }

    private static double[] capped(double[] shape, double factor, Cost cost) {
        double[] v = new double[shape.length];
        for (int l = 0; l < v.length; l++) {
            v[l] = Math.max(1, Math.min(cost.layers().get(l).kmax(), factor * shape[l]));
        }
        return v;
    }

    private static int[] same(Cost cost, int k) {
        return cost.layers().stream().mapToInt(l -> Math.min(k, l.kmax())).toArray();
    }

    private static int largest(Cost cost) {
        return IntStream.of(cost.plan().largestSizes()).max().orElseThrow();
    }

    private static long mix(long seed) { // neighbouring seeds start alike
        return new SplittableRandom(seed * 0x9E3779B97F4A7C15L).nextLong();
    }
}

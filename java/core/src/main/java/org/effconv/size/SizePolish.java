package org.effconv.size;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;

/**
 * The last step of a search: from the sizes found, the best of the neighbouring choices of the same cost, again and again.
 *
 * <p>A neighbour has one layer a ring larger or smaller, and others moved as little as brings the cost back to the budget. A
 * kernel predictor that was trained under jitter has served the neighbouring sizes too, so the class loss under its weights
 * can compare them. All choices see the same batches, and only what stands out of the spread of the differences from batch to batch counts:
 * where nothing does, the sizes stay.
 */
public final class SizePolish {
    /** By how many standard errors of the mean paired difference a neighbour must be better. */
    public static final double SIGNIFICANCE = 2.5;

    private static final int ROUNDINGS = 12; // choices near the soft sizes that are judged first
    private static final int WAYS = 2; // of bringing the cost back after a layer has moved

    private final Cost cost;
    private final double target;
    private final Function<int[], double[]> judge;

    /**
     * @param target P*; choices stay within the {@linkplain Cost.Kind#tolerance tolerance} of it
     * @param judge  class loss of a choice on each of some batches, the same batches at every call
     */
    public SizePolish(Cost cost, double target, Function<int[], double[]> judge) {
        this.cost = cost;
        this.target = target;
        this.judge = judge;
    }

    /**
     * One move.
     *
     * @param sizes         chosen
     * @param improvement   of the mean loss
     * @param standardError of that improvement
     */
    public record Move(int[] sizes, double improvement, double standardError) {}

    /** The best of the roundings of soft sizes: the loss decides between choices that the budget holds apart from them. */
    public int[] rounding(double[] soft) {
        List<int[]> choices = SizeRounding.near(soft, -1, 0, cost, target, ROUNDINGS);
        int[] best = null;
        double least = Double.POSITIVE_INFINITY;
        for (int[] choice : choices) {
            double mean = Arrays.stream(judge.apply(choice)).average().orElse(Double.POSITIVE_INFINITY);
            if (mean < least) {
                least = mean;
                best = choice;
            }
        }
        return best;
    }

    /**
     * @param start odd sizes that meet the budget
     * @param most  moves at most
     * @return the moves made, in order; empty if the start is the best
     */
    public List<Move> from(int[] start, int most) {
        List<Move> moves = new ArrayList<>();
        int[] sizes = start;
        double[] losses = judge.apply(sizes);
        while (moves.size() < most) {
            Move best = null;
            double[] bestLosses = null;
            for (int[] neighbour : neighbours(sizes)) {
                double[] other = judge.apply(neighbour);
                Move move = compare(neighbour, losses, other);
                boolean stands = move.improvement > SIGNIFICANCE * move.standardError;
                if (stands && (best == null || move.improvement > best.improvement)) {
                    best = move;
                    bestLosses = other;
                }
            }
            if (best == null) {
                return moves;
            }
            moves.add(best);
            sizes = best.sizes;
            losses = bestLosses;
        }
        return moves;
    }

    private List<int[]> neighbours(int[] sizes) {
        List<int[]> all = new ArrayList<>();
        for (int l = 0; l < sizes.length; l++) {
            for (int size : new int[] {sizes[l] - 2, sizes[l] + 2}) {
                if (size >= 1 && size <= cost.layers().get(l).kmax()) {
                    double[] v = Arrays.stream(sizes).asDoubleStream().toArray();
                    v[l] = size;
                    add(SizeRounding.near(v, l, size, cost, target, WAYS), all);
                }
            }
        }
        return all;
    }

    private static void add(List<int[]> some, List<int[]> all) {
        for (int[] choice : some) {
            if (all.stream().noneMatch(known -> Arrays.equals(known, choice))) {
                all.add(choice);
            }
        }
    }

    private static Move compare(int[] sizes, double[] before, double[] after) {
        int n = before.length;
        double mean = 0;
        for (int i = 0; i < n; i++) {
            mean += (before[i] - after[i]) / n;
        }
        double square = 0;
        for (int i = 0; i < n; i++) {
            double d = before[i] - after[i] - mean;
            square += d * d;
        }
        return new Move(sizes, mean, n < 2 ? Double.POSITIVE_INFINITY : Math.sqrt(square / (n - 1) / n));
    }
}

package org.effconv.size;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;

/**
 * The last step of a search: from the sizes found to the best of the neighbouring choices of the same cost, again and again.
 *
 * <p>A neighbour has one layer a ring larger or smaller, and others moved as little as brings the cost back to the budget;
 * at first, other roundings of the soft sizes are neighbours, too, for odd sizes are coarse and the budget leaves only few of
 * them. Kernels that were trained under jitter have served the neighbouring sizes, so that the class loss under them can
 * compare choices. All choices see the same batches, and only what stands out of the spread of the differences from batch to
 * batch counts: where nothing does, the sizes stay.
 */
public final class SizePolish {
    /** By how many standard errors of the mean paired difference a neighbour must be better. */
    public static final double SIGNIFICANCE = 2.5;

    private static final int ROUNDINGS = 12; // other roundings tried
    private static final int WAYS = 2; // of bringing the cost back after a layer has moved
    private static final int FINALISTS = 8; // neighbours that are judged on all batches; the others on the first few
    private static final int FIRST_BATCHES = 3;

    private final Cost cost;
    private final double target;
    private final Judge judge;
    private long left; // batches that may still be judged
    private boolean cutShort;

    /** Tells how good a choice is. */
    @FunctionalInterface
    public interface Judge {
        /**
         * @param sizes   odd, one per layer
         * @param batches how many batches to judge by; fewer where there are fewer
         * @return class loss on each of them, the same batches in the same order at every call
         */
        double[] losses(int[] sizes, int batches);
    }

    /**
     * One move.
     *
     * @param sizes         chosen
     * @param improvement   of the mean loss
     * @param standardError of that improvement
     */
    public record Move(int[] sizes, double improvement, double standardError) {
        boolean stands() {
            return improvement > SIGNIFICANCE * standardError;
        }
    }

    /**
     * @param target P*; choices stay within the {@linkplain Cost.Kind#tolerance tolerance} of it
     */
    public SizePolish(Cost cost, double target, Judge judge) {
        this.cost = cost;
        this.target = target;
        this.judge = judge;
    }

    /**
     * @param soft    soft sizes of the search
     * @param start   their rounding, which meets the budget
     * @param most    moves at most
     * @param batches to judge a choice by
     * @param total   batches to judge at most, all choices taken together; a round that might exceed it is not begun
     * @return the moves made, in order; empty if none is clearly better
     */
    public List<Move> polish(double[] soft, int[] start, int most, int batches, long total) {
        left = total;
        cutShort = false;
        List<Move> moves = new ArrayList<>();
        int[] sizes = start;
        double[] losses = losses(sizes, batches);
        List<int[]> choices = new ArrayList<>(SizeRounding.near(soft, -1, 0, cost, target, ROUNDINGS));
        while (moves.size() < most) {
            addNeighbours(sizes, choices);
            long round = (long) FIRST_BATCHES * choices.size() + (FINALISTS + 1L) * batches;
            if (round > left) {
                cutShort = true;
                break;
            }
            Move best = best(choices, sizes, losses, batches);
            if (best == null) {
                break;
            }
            moves.add(best);
            sizes = best.sizes;
            losses = losses(sizes, batches);
            choices.clear();
        }
        return moves;
    }

    /** Whether the last polish ended because judging another round would have taken too many batches. */
    public boolean cutShort() {
        return cutShort;
    }

    private void addNeighbours(int[] sizes, List<int[]> choices) {
        for (int l = 0; l < sizes.length; l++) {
            for (int size : new int[] {sizes[l] - 2, sizes[l] + 2}) {
                if (size >= 1 && size <= cost.layers().get(l).kmax()) {
                    double[] v = Arrays.stream(sizes).asDoubleStream().toArray();
                    v[l] = size;
                    for (int[] choice : SizeRounding.near(v, l, size, cost, target, WAYS)) {
                        if (choices.stream().noneMatch(known -> Arrays.equals(known, choice))) {
                            choices.add(choice);
                        }
                    }
                }
            }
        }
    }

    // A race: all on a few batches, the best of them on all.
    private Move best(List<int[]> choices, int[] sizes, double[] losses, int batches) {
        List<int[]> finalists = choices.stream()
                .filter(choice -> !Arrays.equals(choice, sizes))
                .map(choice -> compare(choice, losses, losses(choice, Math.min(FIRST_BATCHES, batches))))
                .sorted(Comparator.comparingDouble(Move::improvement).reversed())
                .limit(FINALISTS)
                .map(Move::sizes)
                .toList();
        return finalists.stream()
                .map(choice -> compare(choice, losses, losses(choice, batches)))
                .filter(Move::stands)
                .max(Comparator.comparingDouble(Move::improvement))
                .orElse(null);
    }

    private double[] losses(int[] sizes, int batches) {
        double[] losses = judge.losses(sizes, batches);
        left -= losses.length;
        return losses;
    }

    private static Move compare(int[] sizes, double[] before, double[] after) {
        int n = after.length;
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

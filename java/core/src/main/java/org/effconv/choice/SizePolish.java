package org.effconv.choice;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import org.effconv.cost.Cost;

/**
 * The last part of a search: the choice of odd sizes by the class loss under the predicted kernels.
 *
 * <p>Kernels that were trained with sizes drawn from the budget's surface have served many choices of the same cost, so
 * that the loss under them can compare choices. From the given start the proposals are tried first; then, again and
 * again, neighbours: one layer a ring larger or smaller, and others moved as little as brings the cost back to the
 * budget (without one: one layer a ring smaller, and no others). All choices see the same batches, and only what stands
 * out of the spread of the differences from batch to batch counts: where nothing does, the sizes stay.
 */
public final class SizePolish {
    /** By how many standard errors of the mean paired difference a choice must be better than the present one. */
    public static final double SIGNIFICANCE = 2.5;

    private static final int WAYS = 2; // of bringing the cost back after a layer has moved
    private static final int FIRST_BATCHES = 3; // that all choices of a round are judged by
    private static final int KEPT = 4; // of so many one goes on to the next heat of a round
    private static final int LEAST_CHOICES = 4; // a round of fewer is not worth it, unless there are no more

    private final Cost cost;
    private final double target;
    private final Judge judge;
    private long left; // batches that may still be judged
    private boolean cutShort;

    /** Tells how good a choice is. */
    @FunctionalInterface
    public interface Judge {
        /**
         * @param sizes odd, one per layer
         * @param batches how many batches to judge by; fewer where there are fewer
         * @return class loss on each of them, the same batches in the same order at every call
         */
        double[] losses(int[] sizes, int batches);
    }

    /**
     * One move.
     *
     * @param sizes chosen
     * @param improvement of the mean loss
     * @param standardError of that improvement
     */
    public record Move(int[] sizes, double improvement, double standardError) {
        boolean stands() {
            return improvement > SIGNIFICANCE * standardError;
        }
    }

    /** @param target P*; choices stay within the {@linkplain Cost.Kind#choiceTolerance tolerance} of it. NaN: none */
    public SizePolish(Cost cost, double target, Judge judge) {
        this.cost = cost;
        this.target = target;
        this.judge = judge;
    }

    /**
     * @param proposals tried first
     * @param start present choice, which meets the budget
     * @param most moves at most
     * @param batches to judge a choice by
     * @param total batches to judge at most, all choices taken together; a round has as many choices as that allows
     * @return the moves made, in order; empty if none is clearly better
     */
    public List<Move> polish(List<int[]> proposals, int[] start, int most, int batches, long total) {
        left = total;
        cutShort = false;
        List<Move> moves = new ArrayList<>();
        int[] sizes = start;
        List<int[]> choices = new ArrayList<>(proposals);
        addNeighbours(sizes, choices);
        while (moves.size() < most) {
            int[] present = sizes;
            choices.removeIf(choice -> Arrays.equals(choice, present));
            int tried = affordable(choices.size(), batches);
            if (tried < Math.min(LEAST_CHOICES, choices.size())) {
                cutShort = true;
                break;
            }
            Move best = judged(choices.subList(0, tried), sizes, batches).stream()
                    .filter(Move::stands)
                    .findFirst()
                    .orElse(null);
            if (best == null) {
                break;
            }
            moves.add(best);
            sizes = best.sizes;
            choices.clear();
            addNeighbours(sizes, choices);
        }
        return moves;
    }

    /** Whether the last polish ended because judging another round would have taken too many batches. */
    public boolean cutShort() {
        return cutShort;
    }

    private static boolean contains(List<int[]> choices, int[] sizes) {
        return choices.stream().anyMatch(known -> Arrays.equals(known, sizes));
    }

    private int affordable(int choices, int batches) {
        int tried = choices;
        while (tried > 0 && batchesFor(tried, batches) > left) {
            tried--;
        }
        return tried;
    }

    private static long batchesFor(int choices, int batches) {
        long sum = batches; // of the present choice
        int heat = Math.min(FIRST_BATCHES, batches);
        for (int n = choices; n > 0; n = kept(n)) {
            sum += (long) n * heat;
            if (heat == batches) {
                break;
            }
            heat = Math.min(KEPT * heat, batches);
        }
        return sum;
    }

    private static int kept(int choices) {
        return (choices + KEPT - 1) / KEPT;
    }

    private void addNeighbours(int[] sizes, List<int[]> choices) {
        if (Double.isNaN(target)) {
            addSmaller(sizes, choices);
            return;
        }
        for (int l = 0; l < sizes.length; l++) {
            for (int size : new int[] {sizes[l] - 2, sizes[l] + 2}) {
                if (size >= 1 && size <= cost.layers().get(l).kmax()) {
                    double[] v = Arrays.stream(sizes).asDoubleStream().toArray();
                    v[l] = size;
                    for (int[] choice : SizeRounding.near(v, l, size, cost, target, WAYS)) {
                        if (!contains(choices, choice)) {
                            choices.add(choice);
                        }
                    }
                }
            }
        }
    }

    // Without a budget: one layer a ring smaller.
    private static void addSmaller(int[] sizes, List<int[]> choices) {
        for (int l = 0; l < sizes.length; l++) {
            int[] smaller = sizes.clone();
            smaller[l] -= 2;
            if (smaller[l] >= 1 && !contains(choices, smaller)) {
                choices.add(smaller);
            }
        }
    }

    // Heats: all choices on a few batches, a quarter of them on four times as many, and so on, the last on all. Those
    // of the last, best first.
    private List<Move> judged(List<int[]> choices, int[] sizes, int batches) {
        double[] present = losses(sizes, batches);
        int heat = Math.min(FIRST_BATCHES, batches);
        List<int[]> running = choices;
        while (true) {
            int n = heat;
            List<Move> compared = running.stream()
                    .map(choice -> compare(choice, present, losses(choice, n)))
                    .sorted(Comparator.comparingDouble(Move::improvement).reversed())
                    .toList();
            if (heat == batches) {
                return compared;
            }
            running = compared.stream()
                    .limit(kept(compared.size()))
                    .map(Move::sizes)
                    .toList();
            heat = Math.min(KEPT * heat, batches);
        }
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
        if (Double.isNaN(mean)) { // a loss that is none: the last of all
            return new Move(sizes, Double.NEGATIVE_INFINITY, Double.POSITIVE_INFINITY);
        }
        double square = 0;
        for (int i = 0; i < n; i++) {
            double d = before[i] - after[i] - mean;
            square += d * d;
        }
        return new Move(sizes, mean, n < 2 ? Double.POSITIVE_INFINITY : Math.sqrt(square / (n - 1) / n));
    }
}

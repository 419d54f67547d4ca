package org.effconv.choice;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.effconv.cost.Cost;

/**
 * Odd sizes for every budget of a range: one rung per step of a quarter of the tolerance, so that each budget has a
 * rung within the tolerance of it. From rung to rung the sum of the sizes does not fall. Among all such ladders it is
 * the one with the fewest gaps, and then the one whose rungs lie nearest to the soft sizes in all. A gap is a budget
 * that no odd sizes meet, or none that keep the order.
 *
 * @param rungs at growing budgets
 */
public record SizeLadder(Cost.Kind kind, List<Rung> rungs) {
    private static final double GAP = 1e3; // above any sum of moves

    /**
     * @param budget in the cost's unit
     * @param cost of the network of these sizes
     * @param sizes one odd size per layer
     * @param soft the soft sizes that cost {@code budget}
     */
    public record Rung(double budget, double cost, int[] sizes, double[] soft) {}

    // The last rung of a best ladder so far whose last sum is given; before is null at the bottom.
    private record Best(Best before, Rung rung, double total) {}

    /** Builds the ladder of a path for budgets {@code low} to {@code high}. */
    public static SizeLadder of(SizePath path, double low, double high) {
        TreeMap<Integer, Best> bests = new TreeMap<>(Map.of(0, new Best(null, null, 0))); // by sum of the last rung
        for (double budget : budgets(path.cost().kind(), low, high)) {
            double[] soft = path.at(budget);
            bests = extended(bests, choices(path, budget, soft), budget, soft);
        }
        Best best = bests.values().stream()
                .min((a, b) -> Double.compare(a.total, b.total))
                .orElseThrow();
        ArrayList<Rung> rungs = new ArrayList<>();
        for (Best b = best; b.rung != null; b = b.before) {
            rungs.add(0, b.rung);
        }
        return new SizeLadder(path.cost().kind(), List.copyOf(rungs));
    }

    /** Without the order: at each budget the odd sizes nearest to its soft ones, whatever there is at others. */
    public static SizeLadder apart(SizePath path, double low, double high) {
        ArrayList<Rung> rungs = new ArrayList<>();
        for (double budget : budgets(path.cost().kind(), low, high)) {
            double[] soft = path.at(budget);
            choices(path, budget, soft).values().stream()
                    .min(Comparator.comparingDouble(SumChoices.Choice::moved))
                    .ifPresent(choice -> rungs.add(new Rung(budget, choice.cost(), choice.sizes(), soft)));
        }
        return new SizeLadder(path.cost().kind(), List.copyOf(rungs));
    }

    private static double step(Cost.Kind kind) {
        return kind.tolerance() / 4;
    }

    private static double[] budgets(Cost.Kind kind, double low, double high) {
        int count = 1 + (int) Math.ceil(Math.log(high / low) / step(kind));
        return IntStream.range(0, count)
                .mapToDouble(i -> i == count - 1 ? high : low * Math.pow(high / low, i / (count - 1.0)))
                .toArray();
    }

    private static NavigableMap<Integer, SumChoices.Choice> choices(SizePath path, double budget, double[] soft) {
        Cost.Kind kind = path.cost().kind();
        double own = (1 + kind.tolerance()) / Math.exp(step(kind) / 2) - 1; // leaves the way to the nearest rung
        return SumChoices.near(soft, path.cost(), budget, own);
    }

    private static TreeMap<Integer, Best> extended(
            TreeMap<Integer, Best> bests, Map<Integer, SumChoices.Choice> choices, double budget, double[] soft) {
        Map<Integer, Best> next = new HashMap<>();
        bests.forEach((sum, b) -> next.put(sum, new Best(b.before, b.rung, b.total + GAP)));
        choices.forEach((sum, choice) -> {
            Best below = bests.headMap(sum, true).values().stream()
                    .min((a, b) -> Double.compare(a.total, b.total))
                    .orElse(null);
            if (below != null) {
                Rung rung = new Rung(budget, choice.cost(), choice.sizes(), soft);
                next.merge(
                        sum, new Best(below, rung, below.total + choice.moved()), (a, b) -> b.total < a.total ? b : a);
            }
        });
        return new TreeMap<>(next);
    }

    /** The rung nearest to a budget, if its sizes cost within the tolerance of it. */
    public Optional<Rung> at(double budget) {
        return rungs.stream()
                .min((a, b) -> Double.compare(distance(a, budget), distance(b, budget)))
                .filter(rung -> Cost.deviation(rung.cost, budget) <= kind.tolerance());
    }

    private static double distance(Rung rung, double budget) {
        return Math.abs(Math.log(rung.budget / budget));
    }
}

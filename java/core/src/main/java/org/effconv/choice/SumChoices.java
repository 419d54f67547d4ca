package org.effconv.choice;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.effconv.cost.Cost;
import org.effconv.nn.SizedLayer;

/**
 * Odd sizes near soft ones that cost a given amount, apart by the sum of their sizes: for each sum the choice moved
 * least. Half of a layer's weight in that is its share of the cost, as {@link SizeRounding#repair} measures it, and
 * half the same for all: a layer that costs next to nothing must not pay for the order of the sums and the budget
 * alone, since what it loses is no less. (With a first layer of 7 instead of 3, 1.4 % of the parameters, cnn6 had 0.6
 * to 4.4 % more loss in six trials, docs/results/value.md.)
 */
final class SumChoices {
    private static final int VERY_FEW_LAYERS = 4; // so few have more candidates each
    private static final int FEW_LAYERS = 8;
    private static final int MANY_CANDIDATES = 11; // where the nearest do not meet the amount
    private static final int BEAM = 512; // partial choices kept from layer to layer
    private static final int BUCKETS = 16; // of cost in the tolerance

    /**
     * @param sizes one per layer
     * @param cost of the network
     * @param moved sum over the layers of (share_l + 1 / layers) / 2 (log k_l - log v_l)^2
     */
    record Choice(int[] sizes, double cost, double moved) {
        int sum() {
            return IntStream.of(sizes).sum();
        }
    }

    private record Partial(Partial before, int size, int sum, double cost, double moved) {}

    private SumChoices() {}

    /** All there are within {@code tolerance} of {@code target}, by sum. */
    static NavigableMap<Integer, Choice> near(double[] v, Cost cost, double target, double tolerance) {
        int candidates = v.length <= VERY_FEW_LAYERS ? MANY_CANDIDATES : v.length <= FEW_LAYERS ? 5 : 3;
        NavigableMap<Integer, Choice> nearest = search(v, cost, target, tolerance, candidates);
        return nearest.isEmpty() ? search(v, cost, target, tolerance, MANY_CANDIDATES) : nearest;
    }

    private static NavigableMap<Integer, Choice> search(
            double[] v, Cost cost, double target, double tolerance, int candidates) {
        List<SizedLayer> layers = cost.layers();
        int n = layers.size();
        double soft = cost.soft(v).total();
        int[][] options = new int[n][];
        double[] least = new double[n + 1];
        double[] most = new double[n + 1];
        for (int l = n - 1; l >= 0; l--) {
            options[l] = options(v[l], layers.get(l).kmax(), candidates);
            least[l] =
                    least[l + 1] + cost.layer(l, IntStream.of(options[l]).min().getAsInt());
            most[l] = most[l + 1] + cost.layer(l, IntStream.of(options[l]).max().getAsInt());
        }
        List<Partial> beam = List.of(new Partial(null, 0, 0, cost.fixed(), 0));
        for (int l = 0; l < n; l++) {
            Map<Long, Partial> kept = new HashMap<>();
            for (Partial p : beam) {
                for (int size : options[l]) {
                    double now = p.cost + cost.layer(l, size);
                    if (now + least[l + 1] > target * (1 + tolerance) || now + most[l + 1] < target * (1 - tolerance)) {
                        continue;
                    }
                    double log = Math.log(size / v[l]);
                    double weight = (cost.spent(l, v[l]) / soft + 1.0 / n) / 2;
                    Partial next = new Partial(p, size, p.sum + size, now, p.moved + weight * log * log);
                    long bucket = (long) Math.floor(now / (target * tolerance) * BUCKETS) * 65536 + next.sum;
                    kept.merge(bucket, next, (a, b) -> better(b, a) ? b : a);
                }
            }
            beam = kept.values().stream()
                    .sorted(Comparator.comparingDouble(Partial::moved)
                            .thenComparingDouble(Partial::cost)
                            .thenComparingInt(Partial::sum))
                    .limit(BEAM)
                    .toList();
        }
        TreeMap<Integer, Choice> found = new TreeMap<>();
        for (Partial p : beam) { // from the least moved on
            found.putIfAbsent(p.sum, new Choice(sizes(p, n), p.cost, p.moved));
        }
        return found;
    }

    private static boolean better(Partial a, Partial b) {
        return a.moved != b.moved ? a.moved < b.moved : a.cost < b.cost;
    }

    private static int[] sizes(Partial last, int n) {
        int[] sizes = new int[n];
        Partial p = last;
        for (int l = n - 1; l >= 0; l--) {
            sizes[l] = p.size;
            p = p.before;
        }
        return sizes;
    }

    private static int[] options(double v, int kmax, int candidates) {
        List<Integer> all = new ArrayList<>();
        for (int k = 1; k <= kmax; k += 2) {
            all.add(k);
        }
        return all.stream()
                .sorted(Comparator.comparingDouble(k -> Math.abs(k - v)))
                .limit(candidates)
                .mapToInt(Integer::intValue)
                .toArray();
    }
}

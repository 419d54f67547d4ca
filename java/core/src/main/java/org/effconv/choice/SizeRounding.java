package org.effconv.choice;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.effconv.cost.Cost;
import org.effconv.cost.EqualCost;
import org.effconv.cost.FiniteSizes;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.error.EffconvException.JobFailed;

/** From soft sizes to odd integers that meet a budget. */
public final class SizeRounding {
    private static final int CANDIDATES = 5; // sizes tried per layer: the nearest odd ones
    private static final int MANY_CANDIDATES = 2 * CANDIDATES + 1; // where those do not meet the budget
    private static final int BEAM = 4096; // partial choices kept from layer to layer

    private SizeRounding() {}

    /**
     * The nearest odd sizes: k = 2 round((v - 1) / 2) + 1 within 1..kmax, halves up.
     *
     * @throws JobFailed if a size is not finite
     */
    public static int[] round(double[] v, Cost cost) {
        FiniteSizes.require("soft size", v, cost.layers());
        return cost.rounded(v);
    }

    /**
     * Plain rounding where that is within the {@linkplain Cost.Kind#choiceTolerance tolerance} of P*; else the odd
     * sizes within it that are nearest to the soft ones, by the sum over the layers of share_l (log k_l - log v_l)^2,
     * share_l being the layer's part of P(v): among layers of equal cost those nearest a rounding edge move, and a
     * cheap layer moves sooner than a costly one. (Where v is the best point of the budget's surface, a parameter is
     * worth the same in every layer, so what a move loses is of second order and grows with the cost it moves.)
     *
     * @throws JobFailed if no choice is found; the message names the nearest. {@link #requireReachable} tells
     *     beforehand.
     */
    public static int[] repair(double[] v, Cost cost, double target) {
        int[] rounded = round(v, cost);
        if (cost.meets(cost.at(rounded), target)) {
            return rounded;
        }
        int[] found = null;
        for (int candidates : new int[] {CANDIDATES, MANY_CANDIDATES}) {
            found = search(v, cost, target, candidates);
            if (cost.meets(cost.at(found), target)) {
                return found;
            }
        }
        throw new JobFailed(String.format(
                Locale.ROOT,
                "no odd sizes near %s cost within %.0f %% of %s; the nearest, %s, cost %s",
                format(v),
                100 * cost.kind().choiceTolerance(),
                cost.kind().format(target),
                Arrays.toString(found),
                cost.kind().format(cost.at(found))));
    }

    /**
     * Odd sizes that cost no more than a ceiling: the plain rounding; while that costs too much, one layer a ring less,
     * the one that moves least by the measure of {@link #repair} for what it saves.
     *
     * @param ceiling at least the cost of the network with all sizes 1
     */
    public static int[] under(double[] v, Cost cost, double ceiling) {
        double soft = cost.soft(v).total();
        int[] sizes = round(v, cost);
        while (cost.at(sizes) > ceiling) {
            int best = -1;
            double least = Double.POSITIVE_INFINITY;
            for (int l = 0; l < sizes.length; l++) {
                if (sizes[l] > 1) {
                    double saved =
                            cost.layer(l, sizes[l]) - cost.layer(l, sizes[l] - 2); // 0 where a table of times is flat
                    double share = cost.spent(l, v[l]) / soft;
                    double further = moved(share, v[l], sizes[l] - 2) - moved(share, v[l], sizes[l]);
                    double price = saved > 0 ? further / saved : Double.MAX_VALUE;
                    if (price < least) {
                        least = price;
                        best = l;
                    }
                }
            }
            if (best < 0) {
                throw new JobFailed("no kernel sizes cost " + cost.kind().format(ceiling) + " or less");
            }
            sizes[best] -= 2;
        }
        return sizes;
    }

    /**
     * Refuses a budget that no odd sizes near uniform ones meet, before a search is spent on it: with few layers the
     * choices lie far apart.
     *
     * @throws InvalidInput naming the nearest choice there is
     */
    public static void requireReachable(Cost cost, double target) {
        double[] v = new double[cost.layers().size()];
        double uniform = EqualCost.uniform(cost, target);
        Arrays.setAll(v, l -> Math.min(uniform, cost.layers().get(l).kmax()));
        int[] nearest = search(v, cost, target, MANY_CANDIDATES);
        if (!cost.meets(cost.at(nearest), target)) {
            throw new InvalidInput(String.format(
                    Locale.ROOT,
                    "budget: no odd kernel sizes near uniform ones cost within %.0f %% of %s; the nearest, %s, cost %s",
                    100 * cost.kind().choiceTolerance(),
                    cost.kind().format(target),
                    Arrays.toString(nearest),
                    cost.kind().format(cost.at(nearest))));
        }
    }

    /**
     * Choices that meet the budget and are near to soft sizes, nearest first by the measure of {@link #repair}; of
     * choices that cost nearly the same only the nearest.
     *
     * @param pinned layer that has the given size in all of them; -1 for none
     * @param size of that layer
     * @param most choices at most
     */
    static List<int[]> near(double[] v, int pinned, int size, Cost cost, double target, int most) {
        int[][] options = options(v, cost, CANDIDATES);
        if (pinned >= 0) {
            options[pinned] = new int[] {size};
        }
        return beam(v, cost, target, options).stream()
                .filter(p -> cost.meets(p.cost, target))
                .sorted(Comparator.comparingDouble(Partial::moved))
                .limit(most)
                .map(p -> p.sizes(v.length))
                .toList();
    }

    private record Partial(Partial before, int size, double cost, double moved) {
        int[] sizes(int layers) {
            int[] sizes = new int[layers];
            Partial p = this;
            for (int l = layers - 1; l >= 0; l--) {
                sizes[l] = p.size;
                p = p.before;
            }
            return sizes;
        }
    }

    private static int[] search(double[] v, Cost cost, double target, int candidates) {
        List<Partial> beam = beam(v, cost, target, options(v, cost, candidates));
        Partial best = beam.get(0);
        for (Partial p : beam) {
            best = better(p, best, target, cost.kind().choiceTolerance()) ? p : best;
        }
        return best.sizes(v.length);
    }

    // A beam over the layers, kept diverse in cost: hopeless choices are dropped on the way.
    private static List<Partial> beam(double[] v, Cost cost, double target, int[][] options) {
        int n = v.length;
        double soft = cost.soft(v).total();
        double[] least = new double[n + 1];
        double[] most = new double[n + 1];
        for (int l = n - 1; l >= 0; l--) {
            least[l] =
                    least[l + 1] + cost.layer(l, Arrays.stream(options[l]).min().getAsInt());
            most[l] =
                    most[l + 1] + cost.layer(l, Arrays.stream(options[l]).max().getAsInt());
        }
        List<Partial> beam = List.of(new Partial(null, 0, cost.fixed(), 0));
        for (int l = 0; l < n; l++) {
            ArrayList<Partial> next = new ArrayList<>(beam.size() * options[l].length);
            for (Partial p : beam) {
                for (int size : options[l]) {
                    double moved = p.moved + moved(cost.spent(l, v[l]) / soft, v[l], size);
                    next.add(new Partial(p, size, p.cost + cost.layer(l, size), moved));
                }
            }
            beam = prune(next, target, cost.kind().choiceTolerance(), least[l + 1], most[l + 1]);
        }
        return beam;
    }

    private static boolean better(Partial a, Partial b, double target, double tolerance) {
        boolean aFits = Cost.deviation(a.cost, target) <= tolerance;
        boolean bFits = Cost.deviation(b.cost, target) <= tolerance;
        if (aFits != bFits) {
            return aFits;
        }
        if (aFits && a.moved != b.moved) {
            return a.moved < b.moved;
        }
        return Cost.deviation(a.cost, target) < Cost.deviation(b.cost, target);
    }

    // Per bucket of cost (1/256 of the tolerance wide) only the least moved choice stays; hopeless choices go, unless
    // all are.
    private static List<Partial> prune(
            List<Partial> choices, double target, double tolerance, double least, double most) {
        double width = target * tolerance / 256;
        TreeMap<Long, Partial> buckets = new TreeMap<>();
        for (Partial p : choices) {
            boolean hopeless = p.cost + least > target * (1 + tolerance) || p.cost + most < target * (1 - tolerance);
            long bucket = (long) Math.floor(p.cost / width) * 2 + (hopeless ? 1 : 0);
            buckets.merge(bucket, p, (a, b) -> b.moved < a.moved ? b : a);
        }
        List<Partial> hopeful = buckets.entrySet().stream()
                .filter(e -> e.getKey() % 2 == 0)
                .map(Map.Entry::getValue)
                .toList();
        List<Partial> kept = hopeful.isEmpty() ? List.copyOf(buckets.values()) : hopeful;
        if (kept.size() <= BEAM) {
            return kept;
        }
        return kept.stream()
                .sorted(Comparator.comparingDouble(Partial::moved))
                .limit(BEAM)
                .toList();
    }

    private static int[][] options(double[] v, Cost cost, int candidates) {
        return IntStream.range(0, v.length)
                .mapToObj(l -> options(v[l], cost.layers().get(l).kmax(), candidates))
                .toArray(int[][]::new);
    }

    private static int[] options(double v, int kmax, int candidates) {
        return IntStream.rangeClosed(0, (kmax - 1) / 2)
                .map(r -> 2 * r + 1)
                .boxed()
                .sorted(Comparator.comparingDouble(k -> Math.abs(k - v)))
                .limit(candidates)
                .mapToInt(Integer::intValue)
                .toArray();
    }

    private static double moved(double share, double v, int size) {
        double distance = Math.log(size / v);
        return share * distance * distance;
    }

    private static String format(double[] v) {
        StringBuilder s = new StringBuilder("[");
        for (int l = 0; l < v.length; l++) {
            s.append(l == 0 ? "" : ", ").append(String.format(Locale.ROOT, "%.1f", v[l]));
        }
        return s.append(']').toString();
    }
}

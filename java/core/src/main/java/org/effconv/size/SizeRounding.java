package org.effconv.size;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.effconv.EffconvException.InvalidInput;
import org.effconv.EffconvException.JobFailed;
import org.effconv.nn.SizedLayer;

/** From soft sizes to odd integers that meet a budget. */
public final class SizeRounding {
    /** |P(k) - P*| / P* that a repaired choice may have at most. */
    public static final double TOLERANCE = 0.02;

    private static final int CANDIDATES = 5; // sizes tried per layer: the nearest odd ones
    private static final int MANY_CANDIDATES = 2 * CANDIDATES + 1; // where those do not meet the budget
    private static final int BEAM = 4096; // partial choices kept from layer to layer

    private SizeRounding() {}

    /** k = 2 round((v - 1) / 2) + 1 within 1..kmax, halves up. */
    public static int[] round(double[] v, List<SizedLayer> layers) {
        int[] sizes = new int[v.length];
        for (int l = 0; l < v.length; l++) {
            int k = 2 * (int) Math.floor(v[l] / 2) + 1;
            sizes[l] = Math.max(1, Math.min(layers.get(l).kmax(), k));
        }
        return sizes;
    }

    /**
     * Plain rounding where that is within {@link #TOLERANCE} of P*; else the odd sizes within it that are nearest to the soft
     * ones, by the sum over the layers of share_l (log k_l - log v_l)^2, share_l being the layer's part of P(v): among layers
     * of equal cost those nearest a rounding edge move, and a cheap layer moves sooner than a costly one. (Where v is the
     * best point of the budget's surface, a parameter is worth the same in every layer, so what a move loses is of second
     * order and grows with the parameters it moves.)
     *
     * @throws JobFailed if no choice is found; the message names the nearest. {@link #requireReachable} tells beforehand.
     */
    public static int[] repair(double[] v, ParameterCount count, double target) {
        int[] rounded = round(v, count.layers());
        if (deviation(count.at(rounded), target) <= TOLERANCE) {
            return rounded;
        }
        int[] found = null;
        for (int candidates : new int[] {CANDIDATES, MANY_CANDIDATES}) {
            found = search(v, count, target, candidates);
            if (deviation(count.at(found), target) <= TOLERANCE) {
                return found;
            }
        }
        throw new JobFailed(String.format(Locale.ROOT,
                "no odd sizes near %s cost within %.0f %% of %,.0f parameters; the nearest, %s, cost %,d",
                format(v), 100 * TOLERANCE, target, Arrays.toString(found), count.at(found)));
    }

    /**
     * Refuses a number of parameters that no odd sizes near uniform ones come within {@link #TOLERANCE} of, before a search is spent on it:
     * with few layers the choices lie far apart.
     *
     * @throws InvalidInput naming the nearest choice there is
     */
    public static void requireReachable(ParameterCount count, double target) {
        double[] v = new double[count.layers().size()];
        double uniform = SteadySizes.uniform(count, target);
        Arrays.setAll(v, l -> Math.min(uniform, count.layers().get(l).kmax()));
        int[] nearest = search(v, count, target, MANY_CANDIDATES);
        if (deviation(count.at(nearest), target) > TOLERANCE) {
            throw new InvalidInput(String.format(Locale.ROOT,
                    "budget: no odd kernel sizes near uniform ones cost within %.0f %% of %,.0f parameters; the nearest, %s, cost %,d",
                    100 * TOLERANCE, target, Arrays.toString(nearest), count.at(nearest)));
        }
    }

    /**
     * Choices within {@link #TOLERANCE} of P* that are near to soft sizes, nearest first by the measure of {@link #repair}; of
     * choices that cost nearly the same only the nearest.
     *
     * @param pinned layer that has the given size in all of them; -1 for none
     * @param size   of that layer
     * @param most   choices at most
     */
    static List<int[]> near(double[] v, int pinned, int size, ParameterCount count, double target, int most) {
        int[][] options = options(v, count, CANDIDATES);
        if (pinned >= 0) {
            options[pinned] = new int[] {size};
        }
        return beam(v, count, target, options).stream()
                .filter(p -> deviation(p.parameters, target) <= TOLERANCE)
                .sorted(Comparator.comparingDouble(Partial::moved))
                .limit(most)
                .map(p -> p.sizes(v.length))
                .toList();
    }

    /** |P - P*| / P*. */
    public static double deviation(long parameters, double target) {
        return Math.abs(parameters - target) / target;
    }

    private record Partial(Partial before, int size, long parameters, double moved) {
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

    private static int[] search(double[] v, ParameterCount count, double target, int candidates) {
        List<Partial> beam = beam(v, count, target, options(v, count, candidates));
        Partial best = beam.get(0);
        for (Partial p : beam) {
            best = better(p, best, target) ? p : best;
        }
        return best.sizes(v.length);
    }

    // A beam over the layers, kept diverse in cost: hopeless choices are dropped on the way.
    private static List<Partial> beam(double[] v, ParameterCount count, double target, int[][] options) {
        List<SizedLayer> layers = count.layers();
        int n = layers.size();
        double soft = count.soft(v).count();
        long[] least = new long[n + 1];
        long[] most = new long[n + 1];
        for (int l = n - 1; l >= 0; l--) {
            long weights = layers.get(l).parametersPerTap();
            least[l] = least[l + 1] + weights * square(Arrays.stream(options[l]).min().getAsInt());
            most[l] = most[l + 1] + weights * square(Arrays.stream(options[l]).max().getAsInt());
        }
        List<Partial> beam = List.of(new Partial(null, 0, count.plan().fixedParameters(), 0));
        for (int l = 0; l < n; l++) {
            ArrayList<Partial> next = new ArrayList<>(beam.size() * options[l].length);
            for (Partial p : beam) {
                for (int size : options[l]) {
                    double moved = p.moved + moved(v[l], size, layers.get(l), soft);
                    next.add(new Partial(p, size, p.parameters + layers.get(l).parametersPerTap() * square(size), moved));
                }
            }
            beam = prune(next, target, least[l + 1], most[l + 1]);
        }
        return beam;
    }

    private static boolean better(Partial a, Partial b, double target) {
        boolean aFits = deviation(a.parameters, target) <= TOLERANCE;
        boolean bFits = deviation(b.parameters, target) <= TOLERANCE;
        if (aFits != bFits) {
            return aFits;
        }
        if (aFits && a.moved != b.moved) {
            return a.moved < b.moved;
        }
        return deviation(a.parameters, target) < deviation(b.parameters, target);
    }

    // Per bucket of cost (1/256 of the tolerance wide) only the least moved choice stays; hopeless choices go, unless all are.
    private static List<Partial> prune(List<Partial> choices, double target, long least, long most) {
        double width = target * TOLERANCE / 256;
        TreeMap<Long, Partial> buckets = new TreeMap<>();
        for (Partial p : choices) {
            boolean hopeless = p.parameters + least > target * (1 + TOLERANCE) || p.parameters + most < target * (1 - TOLERANCE);
            long bucket = (long) Math.floor(p.parameters / width) * 2 + (hopeless ? 1 : 0);
            buckets.merge(bucket, p, (a, b) -> b.moved < a.moved ? b : a);
        }
        List<Partial> hopeful = buckets.entrySet().stream().filter(e -> e.getKey() % 2 == 0).map(Map.Entry::getValue).toList();
        List<Partial> kept = hopeful.isEmpty() ? List.copyOf(buckets.values()) : hopeful;
        if (kept.size() <= BEAM) {
            return kept;
        }
        return kept.stream().sorted(Comparator.comparingDouble(Partial::moved)).limit(BEAM).toList();
    }

    private static double moved(double v, int size, SizedLayer layer, double soft) {
        double distance = Math.log(size / v);
        return layer.parametersPerTap() * v * v / soft * distance * distance;
    }

    private static int[][] options(double[] v, ParameterCount count, int candidates) {
        return IntStream.range(0, v.length)
                .mapToObj(l -> options(v[l], count.layers().get(l).kmax(), candidates))
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

    private static long square(int size) {
        return (long) size * size;
    }

    private static String format(double[] v) {
        StringBuilder s = new StringBuilder("[");
        for (int l = 0; l < v.length; l++) {
            s.append(l == 0 ? "" : ", ").append(String.format(Locale.ROOT, "%.1f", v[l]));
        }
        return s.append(']').toString();
    }
}

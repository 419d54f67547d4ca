package org.effconv.size;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import org.effconv.EffconvException.JobFailed;

/**
 * A few choices of odd sizes that meet a budget, from where a short search has moved the soft sizes. Such a search tells which way each layer
 * should go, and not how far; its way in a single layer is noisy, and the trend over the layers is not. So there are choices along the trend, steeper
 * and less steep, and one at the end of the way.
 *
 * <p>No layer gets more than {@value #FARTHEST} times the uniform size, nor less than that part of it: a network with single layers of size 1 and
 * others of 9 learns faster than all others at first and ends behind them (docs/method.md).
 */
public final class SizeCandidates {
    static final double FARTHEST = 2;

    private static final double LEAST_RATIO = 1.2; // of the last size over the first one on the trend, from where on there is a trend
    private static final double LEAST_WAY = 0.1; // of the log of a size: a search that went no further has found nothing
    private static final double[] STEEP = {2.5, 4}; // that ratio, of the choices along the trend
    private static final double[] PARTS = {0.46, 0.56, 0.66, 0.8, 0.97}; // of what the uniform network's sizes cost
    private static final int ROUNDINGS = 24; // of a point, the nearest first, until one is no farther than allowed

    private final Cost cost;
    private final double target;
    private final double[] start;
    private final List<int[]> found = new ArrayList<>();

    private SizeCandidates(Cost cost, double target) {
        this.cost = cost;
        this.target = target;
        start = start(cost, target);
    }

    /**
     * Choices for less and less, each along the way of the search.
     *
     * @param soft where a search under {@code searched} ended
     * @param most what no choice may cost more than
     * @param uniform costs {@code most}; no choice is this one
     * @return in rising order of cost, all different; may be empty in a network of few sizes
     */
    public static List<int[]> cheaper(double[] soft, Cost cost, double searched, double most, int[] uniform) {
        double[] from = start(cost, searched);
        List<int[]> found = new ArrayList<>();
        for (double part : PARTS) {
            double target = cost.fixed() + part * (most - cost.fixed());
            double[] scaled = new double[soft.length];
            double[] start = start(cost, Math.max(target, cost.uniform(1)));
            Arrays.setAll(scaled, l -> start[l] * soft[l] / from[l]);
            if (target > cost.uniform(1)) {
                cheaper(scaled, cost, target).filter(sizes -> !Arrays.equals(sizes, uniform) && cost.at(sizes) <= most
                        && found.stream().noneMatch(known -> Arrays.equals(known, sizes) || cost.at(known) >= cost.at(sizes))).ifPresent(found::add);
            }
        }
        return found;
    }

    // The first along the way if there is one, or else the mix.
    private static Optional<int[]> cheaper(double[] soft, Cost cost, double target) {
        try {
            List<int[]> two = of(soft, cost, target, 2);
            return Optional.of(two.get(two.size() - 1));
        } catch (JobFailed e) { // few layers: no sizes of that cost
            return Optional.empty();
        }
    }

    /** Where a search under a budget begins: the soft size for all layers that meets it, or kmax where that is smaller. */
    public static double[] start(Cost cost, double target) {
        double uniform = SteadySizes.uniform(cost, target);
        return cost.layers().stream().mapToDouble(layer -> Math.min(uniform, layer.kmax())).toArray();
    }

    /**
     * @param soft   where the search ended
     * @param target P*, which all choices meet
     * @param most   choices at most
     * @return all different, in the order of trust; the first is the mix of odd sizes nearest to uniform
     * @throws JobFailed if not even that meets the budget
     */
    public static List<int[]> of(double[] soft, Cost cost, double target, int most) {
        SizeCandidates all = new SizeCandidates(cost, target);
        all.found.add(Baselines.mixed(cost, target));
        double[] way = new double[soft.length];
        Arrays.setAll(way, l -> bounded(Math.log(soft[l] / all.start[l])));
        double[] trend = all.trend(way);
        double ratio = Math.exp(Math.abs(trend[trend.length - 1] - trend[0]));
        for (double steep : STEEP) {
            if (ratio > LEAST_RATIO) {
                all.add(Arrays.stream(trend).map(t -> t * Math.log(steep) / Math.log(ratio)).toArray());
            }
        }
        if (Arrays.stream(way).anyMatch(log -> Math.abs(log) > LEAST_WAY)) {
            all.add(way);
        }
        all.addSmallFirst();
        return all.found.stream().limit(most).toList();
    }

    private static double bounded(double log) {
        return Math.max(-Math.log(FARTHEST), Math.min(Math.log(FARTHEST), log));
    }

    // Least squares of the way over depth, less its mean: the budget settles that.
    private double[] trend(double[] way) {
        int n = way.length;
        double middle = (n - 1) / 2.0;
        double mean = Arrays.stream(way).average().orElse(0);
        double along = IntStream.range(0, n).mapToDouble(l -> (l - middle) * (way[l] - mean)).sum();
        double square = IntStream.range(0, n).mapToDouble(l -> (l - middle) * (l - middle)).sum();
        double slope = n < 2 ? 0 : along / square;
        return IntStream.range(0, n).mapToDouble(l -> slope * (l - middle)).toArray();
    }

    private void add(double[] way) {
        double[] v = new double[way.length];
        Arrays.setAll(v, l -> start[l] * Math.exp(way[l]));
        SizeRounding.near(EqualCost.scaled(v, cost, target), -1, 0, cost, target, ROUNDINGS).stream()
                .filter(this::allowed).filter(this::isNew).findFirst().ifPresent(found::add);
    }

    private void addSmallFirst() {
        try {
            int[] sizes = Baselines.smallFirst(cost, target);
            if (allowed(sizes) && isNew(sizes)) {
                found.add(sizes);
            }
        } catch (JobFailed e) {
            // there are none near the budget: a choice less
        }
    }

    private boolean allowed(int[] sizes) {
        return IntStream.range(0, sizes.length).allMatch(l -> Math.abs(Math.log(sizes[l] / start[l])) <= Math.log(FARTHEST) + 1e-9);
    }

    private boolean isNew(int[] sizes) {
        return found.stream().noneMatch(known -> Arrays.equals(known, sizes));
    }
}

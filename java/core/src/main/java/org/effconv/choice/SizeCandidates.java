package org.effconv.choice;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;
import org.effconv.cost.Cost;
import org.effconv.cost.EqualCost;
import org.effconv.error.EffconvException.JobFailed;

/**
 * A few choices of odd sizes that meet a budget, in the order of trust.
 *
 * <p>A short search tells which way sizes should go over the layers, rise or fall; how far, and where a single layer
 * should go, it does not tell. So most choices are shapes: sizes that rise by {@value #STEEP} from end to end, which
 * above the budget of uniform 3 were level with the mix nearest to uniform at worst, in the few trainings to the end so
 * far (docs/results/value.md, one-run.md); that mix; and what the search points to: a steeper rise, or a fall. Where
 * there is time for a fourth, it is what the search itself came to.
 *
 * <p>But for the mix no layer gets more than {@value #FARTHEST} times the uniform size, nor less than that part of it:
 * a network with single layers of size 1 and others of 9 learns faster than all others at first and ends behind them.
 */
public final class SizeCandidates {
    static final double FARTHEST = 2;

    private static final double LEAST_WAY =
            0.1; // of the log of a size: a search that went no further has found nothing
    static final double STEEP = 2.5; // of the last size over the first, or the reverse
    private static final double STEEPER = 4;
    private static final int SHAPES =
            3; // with the mix; only a longer race, of more candidates, is fair to sizes that have no shape
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
     * Choices for less and less, all of one shape: rising, or falling if that is where a search went.
     *
     * @param soft where a search under {@code searched} ended
     * @param most what no choice may cost more than
     * @param uniform costs {@code most}; no choice is this one
     * @return in rising order of cost, all different; may be empty in a network of few sizes
     */
    public static List<int[]> cheaper(double[] soft, Cost cost, double searched, double most, int[] uniform) {
        double[] from = start(cost, searched);
        double[] way = new double[soft.length];
        Arrays.setAll(way, l -> bounded(Math.log(soft[l] / from[l])));
        double ratio = slope(way) < 0 ? 1 / STEEP : STEEP;
        List<int[]> found = new ArrayList<>();
        for (double part : PARTS) {
            double target = cost.fixed() + part * (most - cost.fixed());
            if (target > cost.uniform(1)) {
                shaped(ratio, cost, target)
                        .filter(sizes -> !Arrays.equals(sizes, uniform)
                                && cost.at(sizes) <= most
                                && found.stream()
                                        .noneMatch(known ->
                                                Arrays.equals(known, sizes) || cost.at(known) >= cost.at(sizes)))
                        .ifPresent(found::add);
            }
        }
        return found;
    }

    // Of that shape if there are such sizes, or else the mix.
    private static Optional<int[]> shaped(double ratio, Cost cost, double target) {
        try {
            SizeCandidates one = new SizeCandidates(cost, target);
            int[] plain = Baselines.mixed(cost, target);
            one.addShape(ratio, plain);
            return Optional.of(one.found.isEmpty() ? plain : one.found.get(0));
        } catch (JobFailed e) { // few layers: no sizes of that cost
            return Optional.empty();
        }
    }

    /**
     * Where a search under a budget begins: the soft size for all layers that meets it, or kmax where that is smaller.
     */
    public static double[] start(Cost cost, double target) {
        double uniform = EqualCost.uniform(cost, target);
        return cost.layers().stream()
                .mapToDouble(layer -> Math.min(uniform, layer.kmax()))
                .toArray();
    }

    /**
     * @param soft where the search ended
     * @param target P*, which all choices meet
     * @param most choices at most, at least two
     * @return all different, in the order of trust; the mix nearest to uniform is one of the first two
     * @throws JobFailed if not even that meets the budget
     */
    public static List<int[]> of(double[] soft, Cost cost, double target, int most) {
        SizeCandidates all = new SizeCandidates(cost, target);
        int[] plain = Baselines.mixed(cost, target);
        all.addShape(STEEP, plain);
        all.found.add(plain);
        double[] way = new double[soft.length];
        Arrays.setAll(way, l -> bounded(Math.log(soft[l] / all.start[l])));
        double slope = slope(way);
        if (slope != 0) {
            all.addShape(slope > 0 ? STEEPER : 1 / STEEP, plain);
        }
        if (most > SHAPES && Arrays.stream(way).anyMatch(log -> Math.abs(log) > LEAST_WAY)) {
            all.add(way, plain);
        }
        return all.found.stream().limit(most).toList();
    }

    /**
     * Whether a search could point to anything but the mix nearest to uniform. If not, it need not run.
     *
     * @param cost with the network's layers
     * @param target P*, in the cost's unit
     * @param most choices at most, as for {@link #of}
     * @throws JobFailed if not even the mix meets the budget
     */
    public static boolean open(Cost cost, double target, int most) {
        if (most > SHAPES) {
            return true;
        }
        SizeCandidates all = new SizeCandidates(cost, target);
        int[] plain = Baselines.mixed(cost, target);
        return DoubleStream.of(STEEP, STEEPER, 1 / STEEP).anyMatch(ratio -> {
            all.addShape(ratio, plain);
            return !all.found.isEmpty();
        });
    }

    private static double bounded(double log) {
        return Math.max(-Math.log(FARTHEST), Math.min(Math.log(FARTHEST), log));
    }

    // Least squares of the way over depth.
    private static double slope(double[] way) {
        double middle = (way.length - 1) / 2.0;
        return IntStream.range(0, way.length)
                .mapToDouble(l -> (l - middle) * way[l])
                .sum();
    }

    private void addShape(double ratio, int[] plain) {
        Baselines.shaped(cost, target, ratio, sizes -> fits(sizes, plain)).ifPresent(found::add);
    }

    private boolean fits(int[] sizes, int[] plain) {
        return allowed(sizes) && isNew(sizes) && !Arrays.equals(sizes, plain);
    }

    private void add(double[] way, int[] plain) {
        double[] v = new double[way.length];
        Arrays.setAll(v, l -> start[l] * Math.exp(way[l]));
        SizeRounding.near(EqualCost.scaled(v, cost, target), -1, 0, cost, target, ROUNDINGS).stream()
                .filter(sizes -> fits(sizes, plain))
                .findFirst()
                .ifPresent(found::add);
    }

    private boolean allowed(int[] sizes) {
        return IntStream.range(0, sizes.length)
                .allMatch(l -> Math.abs(Math.log(sizes[l] / start[l])) <= Math.log(FARTHEST) + 1e-9);
    }

    private boolean isNew(int[] sizes) {
        return found.stream().noneMatch(known -> Arrays.equals(known, sizes));
    }
}

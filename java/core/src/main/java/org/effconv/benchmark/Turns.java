package org.effconv.benchmark;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.DoubleSupplier;

/**
 * Times sides of a comparison in turn, A B A B, so that a machine that slows down for a while slows them all. A side is
 * a function that runs once and gives the seconds that this took.
 */
public final class Turns {
    private Turns() {}

    /**
     * Seconds of each side's runs, in the order of the sides.
     *
     * @param sampling how many runs a side has; by {@link #pairs} all have the same
     */
    public static List<double[]> time(List<? extends DoubleSupplier> sides, Sampling sampling) {
        List<Side> timed = new ArrayList<>();
        sides.forEach(run -> timed.add(new Side(run)));
        for (int n = 0; n < sampling.repeats(); n++) {
            for (Side side : timed) {
                if (n < Sampling.LEAST || side.used < sampling.seconds()) {
                    side.time();
                }
            }
        }
        return timed.stream()
                .map(s -> s.times.stream().mapToDouble(t -> t).toArray())
                .toList();
    }

    /** So many runs of every side, however long they take: the runs of the same number are a pair. */
    public static Sampling pairs(int count) {
        return new Sampling(count, Double.POSITIVE_INFINITY, false);
    }

    /**
     * Runs a side until it is warm: a few times at most, and for less than the seconds that it is measured.
     *
     * @param used seconds that its first run took
     */
    static void warmUp(DoubleSupplier run, double used, Sampling sampling) {
        double warm = used;
        for (int i = 0; i < Sampling.WARM_UP && warm < sampling.seconds(); i++) {
            warm += run.getAsDouble();
        }
    }

    public static double median(double[] times) {
        double[] sorted = times.clone();
        Arrays.sort(sorted);
        return Measurement.quantile(sorted, 0.5);
    }

    private static final class Side {
        private final DoubleSupplier run;
        private final List<Double> times = new ArrayList<>();
        private double used;

        Side(DoubleSupplier run) {
            this.run = run;
        }

        void time() {
            double seconds = run.getAsDouble();
            used += seconds;
            times.add(seconds);
        }
    }
}

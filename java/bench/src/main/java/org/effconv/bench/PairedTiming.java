package org.effconv.bench;

import java.lang.management.ManagementFactory;
import java.util.Arrays;

/**
 * Times two steps in turn, A B A B, so that a machine that slows down for a while slows both. Each turn repeats its step for
 * at least a given time; the answer is the median over the pairs of the time of B over that of A.
 *
 * @param secondsA median seconds of one step of A
 * @param secondsB the same of B
 * @param ratio    median of B / A over the pairs
 * @param low      smallest of these ratios
 * @param high     largest
 */
record PairedTiming(double secondsA, double secondsB, double ratio, double low, double high) {
    private static final int WARM_UP_STEPS = 100; // small steps need the virtual machine's compiler; large ones do not
    private static final double WARM_UP_SECONDS = 1;
    private static final int ROUND = 4; // a search has steps of two kinds, in pairs: a turn holds as many of each

    /** What counts as time. */
    enum Clock {
        /** Wall-clock time. */
        WALL {
            @Override
            long nanoseconds() {
                return System.nanoTime();
            }
        },
        /** Processor time of the calling thread: comparisons of one thread on a machine that others use too. */
        THREAD {
            @Override
            long nanoseconds() {
                return ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime();
            }
        };

        abstract long nanoseconds();
    }

    static PairedTiming of(TrainingStep a, TrainingStep b, int pairs, double turnSeconds, Clock clock) {
        int repeatsA = repeats(a, turnSeconds, clock);
        int repeatsB = repeats(b, turnSeconds, clock);
        double[] timesA = new double[pairs];
        double[] timesB = new double[pairs];
        double[] ratios = new double[pairs];
        for (int i = 0; i < pairs; i++) {
            timesA[i] = seconds(a, repeatsA, clock);
            timesB[i] = seconds(b, repeatsB, clock);
            ratios[i] = timesB[i] / timesA[i];
        }
        Arrays.sort(ratios);
        return new PairedTiming(median(timesA), median(timesB), median(ratios), ratios[0], ratios[pairs - 1]);
    }

    /** Seconds of one step, the smallest of a few. */
    static double quickest(TrainingStep step, int tries, Clock clock) {
        double used = seconds(step, 1, clock);
        for (int i = 1; i < 2 || i < WARM_UP_STEPS && used < WARM_UP_SECONDS; i++) {
            used += seconds(step, 1, clock);
        }
        double best = Double.POSITIVE_INFINITY;
        for (int i = 0; i < tries; i++) {
            best = Math.min(best, seconds(step, 1, clock));
        }
        return best;
    }

    private static int repeats(TrainingStep step, double turnSeconds, Clock clock) {
        return ROUND * (int) Math.max(1, Math.ceil(turnSeconds / quickest(step, 1, clock) / ROUND));
    }

    private static double seconds(TrainingStep step, int repeats, Clock clock) {
        long start = clock.nanoseconds();
        for (int i = 0; i < repeats; i++) {
            step.run();
        }
        return (clock.nanoseconds() - start) * 1e-9 / repeats;
    }

    private static double median(double[] values) {
        double[] sorted = values.clone();
        Arrays.sort(sorted);
        int n = sorted.length;
        return n % 2 == 1 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
    }
}

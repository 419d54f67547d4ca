package org.effconv.bench;

import java.util.Arrays;
import java.util.List;
import org.effconv.benchmark.Clock;
import org.effconv.benchmark.Turns;

/**
 * Two steps timed in {@link Turns}. Each turn repeats its step for at least a given time; the answer is the median over
 * the pairs of the time of B over that of A.
 *
 * @param secondsA median seconds of one step of A
 * @param secondsB the same of B
 * @param ratio median of B / A over the pairs
 * @param low smallest of these ratios
 * @param high largest
 */
record PairedTiming(double secondsA, double secondsB, double ratio, double low, double high) {
    private static final int WARM_UP_STEPS = 100; // small steps need the virtual machine's compiler; large ones do not
    private static final double WARM_UP_SECONDS = 1;
    private static final int ROUND = 4; // a search has steps of two kinds, in pairs: a turn holds as many of each

    static PairedTiming of(TrainingStep a, TrainingStep b, int pairs, double turnSeconds, Clock clock) {
        int repeatsA = repeats(a, turnSeconds, clock);
        int repeatsB = repeats(b, turnSeconds, clock);
        List<double[]> times = Turns.time(
                List.of(() -> clock.seconds(a::run, repeatsA), () -> clock.seconds(b::run, repeatsB)),
                Turns.pairs(pairs));
        double[] timesA = times.get(0);
        double[] timesB = times.get(1);
        double[] ratios = new double[pairs];
        Arrays.setAll(ratios, i -> timesB[i] / timesA[i]);
        Arrays.sort(ratios);
        return new PairedTiming(
                Turns.median(timesA), Turns.median(timesB), Turns.median(ratios), ratios[0], ratios[pairs - 1]);
    }

    /** Seconds of one step, the smallest of a few. */
    static double quickest(TrainingStep step, int tries, Clock clock) {
        double used = clock.seconds(step::run, 1);
        for (int i = 1; i < 2 || (i < WARM_UP_STEPS && used < WARM_UP_SECONDS); i++) {
            used += clock.seconds(step::run, 1);
        }
        double best = Double.POSITIVE_INFINITY;
        for (int i = 0; i < tries; i++) {
            best = Math.min(best, clock.seconds(step::run, 1));
        }
        return best;
    }

    private static int repeats(TrainingStep step, double turnSeconds, Clock clock) {
        return ROUND * (int) Math.max(1, Math.ceil(turnSeconds / quickest(step, 1, clock) / ROUND));
    }
}

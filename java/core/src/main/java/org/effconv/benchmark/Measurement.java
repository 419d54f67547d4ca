package org.effconv.benchmark;

import java.util.Arrays;

/**
 * Times and error of one case on one device, in seconds.
 *
 * @param repeats timed runs
 * @param firstCall of the first call of this shape, by the host's clock: plans, compilation and tables included
 * @param error |got - want| / |want| over sampled outputs; NaN where nothing was compared
 * @param errorLimit of the gate
 * @param workspaceBytes that the first call took beside its operands
 */
public record Measurement(
        double median,
        double p10,
        double p90,
        int repeats,
        double firstCall,
        double error,
        double errorLimit,
        long workspaceBytes) {
    /** Whether the error gate passes; false for NaN. */
    public boolean passes() {
        return error <= errorLimit;
    }

    static Measurement of(double[] times, double firstCall, double error, double errorLimit, long workspaceBytes) {
        double[] sorted = times.clone();
        Arrays.sort(sorted);
        return new Measurement(
                quantile(sorted, 0.5),
                quantile(sorted, 0.1),
                quantile(sorted, 0.9),
                sorted.length,
                firstCall,
                error,
                errorLimit,
                workspaceBytes);
    }

    /** With linear interpolation between neighbours. */
    static double quantile(double[] sorted, double share) {
        double place = share * (sorted.length - 1);
        int below = (int) place;
        int above = Math.min(below + 1, sorted.length - 1);
        return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
    }
}

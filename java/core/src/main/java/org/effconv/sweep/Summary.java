package org.effconv.sweep;

import java.util.Collection;

/**
 * Numbers in short.
 *
 * @param mean arithmetic
 * @param deviation sample standard deviation, over n - 1; NaN for one number
 */
public record Summary(int n, double mean, double deviation, double min, double max) {
    /** @throws IllegalArgumentException without a number */
    public static Summary of(Collection<Double> values) {
        if (values.isEmpty()) {
            throw new IllegalArgumentException("no numbers to sum up");
        }
        double mean = values.stream().mapToDouble(v -> v).average().orElseThrow();
        double squares =
                values.stream().mapToDouble(v -> (v - mean) * (v - mean)).sum();
        int n = values.size();
        return new Summary(
                n,
                mean,
                n == 1 ? Double.NaN : Math.sqrt(squares / (n - 1)),
                values.stream().mapToDouble(v -> v).min().orElseThrow(),
                values.stream().mapToDouble(v -> v).max().orElseThrow());
    }
}

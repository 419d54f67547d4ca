package org.effconv.cost;

/** Least-squares fit of values that must not fall (pool adjacent violators). */
public final class Isotonic {
    private Isotonic() {}

    /** The non-decreasing sequence nearest to {@code values} in the sum of squares. */
    public static double[] fit(double[] values) {
        double[] means = new double[values.length]; // of the pools so far
        int[] counts = new int[values.length];
        int pools = 0;
        for (double value : values) {
            means[pools] = value;
            counts[pools] = 1;
            pools++;
            while (pools > 1 && means[pools - 2] > means[pools - 1]) {
                int count = counts[pools - 2] + counts[pools - 1];
                means[pools - 2] =
                        (means[pools - 2] * counts[pools - 2] + means[pools - 1] * counts[pools - 1]) / count;
                counts[pools - 2] = count;
                pools--;
            }
        }
        double[] fitted = new double[values.length];
        int i = 0;
        for (int p = 0; p < pools; p++) {
            for (int n = 0; n < counts[p]; n++) {
                fitted[i++] = means[p];
            }
        }
        return fitted;
    }
}

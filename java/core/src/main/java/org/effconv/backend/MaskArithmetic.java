package org.effconv.backend;

import org.effconv.tensor.DataType;

/** What the host itself needs of the arithmetic of sizes and masks (cuda/include/effconv); the same on every device. */
public interface MaskArithmetic {
    /**
     * Extent of the smallest odd grid that holds the rings of size v, in the arithmetic that
     * {@link MethodOperations#synthesis} uses for sizes of this type; at most kmax.
     */
    int supportGrid(MaskKind mask, DataType type, double v, int kmax, Support support);

    /** Soft tap counts of sizes v and their derivatives (right ones at odd v), on the host; arrays of one length. */
    void softTaps(double[] v, double[] taps, double[] slopes);

    /**
     * Scales of w = scale * mask * w^ that give w variance 2 / (inputs * taps), He's for ReLU, where w^ has variance 1.
     *
     * @param v soft sizes, as many as {@code inputs}
     * @param inputs input channels per group of each layer
     */
    double[] synthesisScales(double[] v, int[] inputs);

    /**
     * The nearest odd sizes 2 round((v - 1) / 2) + 1 within 1..kmax, halves up.
     *
     * @param v finite soft sizes, as many as {@code kmax}
     * @param kmax largest size of each layer, odd
     */
    int[] kernelSizes(double[] v, int[] kmax);
}

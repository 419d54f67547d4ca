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
}

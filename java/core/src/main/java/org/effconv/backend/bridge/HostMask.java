package org.effconv.backend.bridge;

import static org.effconv.backend.bridge.NativeLibrary.*;

import org.effconv.backend.MaskKind;
import org.effconv.backend.Support;
import org.effconv.tensor.DataType;

/** What the host itself needs of the mask's arithmetic (cuda/include/effconv/mask.h), whatever the device. */
public final class HostMask {
    private HostMask() {}

    /** See {@link org.effconv.backend.Backend#supportGrid}. */
    public static int supportGrid(MaskKind mask, DataType type, double v, int kmax, Support support) {
        int grid = ec_support_grid(mask.ordinal(), type.ordinal(), v, kmax, support.ordinal());
        if (grid == 0) {
            throw new IllegalArgumentException(ec_last_error().getString() + ": v = " + v + ", kmax = " + kmax);
        }
        return grid;
    }

    /** See {@link org.effconv.backend.Backend#softTaps}. */
    public static void softTaps(double[] v, double[] taps, double[] slopes) {
        if (taps.length != v.length || slopes.length != v.length) {
            throw new IllegalArgumentException("soft taps: arrays of different lengths");
        }
        NativeStatus.check(ec_soft_taps(v, v.length, taps, slopes));
    }
}

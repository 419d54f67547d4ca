package org.effconv.backend.bridge;

import static org.effconv.backend.bridge.NativeLibrary.*;

import org.effconv.backend.MaskArithmetic;
import org.effconv.backend.MaskKind;
import org.effconv.backend.Support;
import org.effconv.tensor.DataType;

/** The mask's arithmetic on the host (cuda/include/effconv/mask.h), whatever the device. */
public final class HostMask implements MaskArithmetic {
    @Override
    public int supportGrid(MaskKind mask, DataType type, double v, int kmax, Support support) {
        int grid = ec_support_grid(mask.ordinal(), type.ordinal(), v, kmax, support.ordinal());
        if (grid == 0) {
            throw new IllegalArgumentException(ec_last_error().getString() + ": v = " + v + ", kmax = " + kmax);
        }
        return grid;
    }

    @Override
    public void softTaps(double[] v, double[] taps, double[] slopes) {
        NativeStatus.check(ec_soft_taps(v, v.length, taps, slopes));
    }
}

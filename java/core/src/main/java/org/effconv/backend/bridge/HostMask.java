package org.effconv.backend.bridge;

import static org.effconv.backend.bridge.NativeLibrary.*;

import org.effconv.backend.MaskArithmetic;
import org.effconv.backend.MaskKind;
import org.effconv.backend.Support;
import org.effconv.tensor.DataType;

/** The arithmetic of sizes and masks on the host (cuda/include/effconv), whatever the device. */
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

    @Override
    public double[] synthesisScales(double[] v, int[] inputs) {
        double[] scales = new double[v.length];
        NativeStatus.check(ec_synthesis_scales(v, inputs, v.length, scales));
        return scales;
    }

    @Override
    public int[] kernelSizes(double[] v, int[] kmax) {
        int[] sizes = new int[v.length];
        NativeStatus.check(ec_kernel_sizes(v, kmax, v.length, sizes));
        return sizes;
    }
}

package org.effconv.backend.cpu;

import org.effconv.backend.Convolution;
import org.effconv.backend.bridge.HostPointer;
import org.effconv.backend.bridge.NativeLibrary;
import org.effconv.backend.bridge.NativeStatus;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;

/**
 * Weight gradients on the processor's matrix unit, native/cpu/amx_weight_gradient.cpp. Milliseconds of oneDNN 3.11 and
 * of this code (Xeon with AMX, one thread, 32 images, 2026-11-23):
 *
 * <pre>
 *                       k = 3         7           11          15
 * bf16  16 ch, 32 x 32  0.38 / 0.28   1.9 / 0.50  4.3 / 0.83
 *       24 ch, 32 x 32  0.71 / 0.60   3.0 / 1.3   7.1 / 2.5   12.8 / 4.0
 *       64 ch, 8 x 8    0.30 / 0.10   1.2 / 0.44  3.1 / 0.98
 * f32   16 ch, 32 x 32  0.78 / 0.95   4.1 / 2.9   12.4 / 5.6
 *       24 ch, 32 x 32  2.3 / 2.7     11 / 8.3    26 / 18     204 / 31
 * </pre>
 */
final class AmxWeightGradient {
    private static final int IMAGES = 32; // of a block
    private static final long LARGEST_WORKSPACE = 1L << 29;

    private AmxWeightGradient() {}

    static boolean available() {
        return NativeLibrary.ec_amx_available() != 0;
    }

    /** Whether this code is the faster one: kernels that are not small, blocks of images at least half full. */
    static boolean suits(Convolution c, Tensor x, Tensor dw) {
        int images = x.shape().dim(0);
        int blocks = (images + IMAGES - 1) / IMAGES;
        return c.groups() == 1
                && dw.shape().dim(1) >= (x.type() == DataType.BF16 ? 3 : 7)
                && 2 * images >= blocks * IMAGES
                && available()
                && workspace(c, x, dw) <= LARGEST_WORKSPACE;
    }

    /** Any convolution of one group, F32 or BF16; {@code dbias} may be null. */
    static void run(CpuBackend owner, Convolution c, Tensor x, Tensor dy, Tensor dw, Tensor dbias) {
        Shape s = x.shape();
        owner.use(() -> {
            long bytes = workspace(c, x, dw);
            HostPointer workspace = HostPointer.at(owner.oneDnn().scratch(bytes), bytes);
            NativeStatus.check(NativeLibrary.ec_amx_weight_gradient(
                    x.type().ordinal(),
                    s.dim(0),
                    s.dim(1),
                    s.dim(2),
                    s.dim(3),
                    dw.shape().dim(0),
                    dw.shape().dim(1),
                    c.stride(),
                    HostPointer.of(x),
                    HostPointer.of(dy),
                    HostPointer.of(dw),
                    HostPointer.of(dbias),
                    workspace));
        });
    }

    private static long workspace(Convolution c, Tensor x, Tensor dw) {
        Shape s = x.shape();
        return NativeLibrary.ec_amx_weight_gradient_workspace(
                x.type().ordinal(),
                s.dim(0),
                s.dim(1),
                s.dim(2),
                s.dim(3),
                dw.shape().dim(0),
                dw.shape().dim(1),
                c.stride());
    }
}

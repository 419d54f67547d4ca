package org.effconv.backend.cpu;

import static org.effconv.backend.bridge.NativeLibrary.*;

import org.effconv.backend.Convolution;
import org.effconv.backend.ConvolutionOperations;
import org.effconv.backend.Pooling;
import org.effconv.backend.bridge.HostPointer;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;

/**
 * Convolutions: oneDNN in F32 and BF16, but for weight gradients that our own code does faster; their definition in
 * F64. Operands are checked by the caller.
 */
final class CpuConvolution implements ConvolutionOperations {
    private static final int SMALLEST_DEPTHWISE = 5; // kernels that our own code is faster for
    private static final int SMALLEST_GROUP =
            4; // input channels with which oneDNN has code for strided data gradients in bf16

    private final CpuBackend owner;

    CpuConvolution(CpuBackend owner) {
        this.owner = owner;
    }

    @Override
    public void convolution(Convolution c, Tensor x, Tensor w, Tensor bias, Tensor y) {
        if (WidenedBf16.needed(x)) {
            WidenedBf16.product(owner, x, w, y, (wideX, wideW, wideY) -> convolution(c, wideX, wideW, bias, wideY));
            return;
        }
        if (x.type() != DataType.F64) {
            new OneDnnConvolution(owner.oneDnn()).convolution(c, x, w, bias, y);
            return;
        }
        Shape s = x.shape();
        owner.call(() -> ec_naive_convolution(
                x.type().ordinal(),
                s.dim(0),
                s.dim(1),
                s.dim(2),
                s.dim(3),
                w.shape().dim(0),
                w.shape().dim(1),
                c.stride(),
                c.groups(),
                HostPointer.of(x),
                HostPointer.of(w),
                HostPointer.of(bias),
                HostPointer.of(y)));
    }

    @Override
    public void convolutionDataGradient(Convolution c, Tensor dy, Tensor w, Tensor dx) {
        if (WidenedBf16.needed(dy) || slowInBf16(c, dy, w)) {
            WidenedBf16.product(
                    owner, dy, w, dx, (wideDy, wideW, wideDx) -> convolutionDataGradient(c, wideDy, wideW, wideDx));
            return;
        }
        if (dy.type() != DataType.F64) {
            new OneDnnConvolution(owner.oneDnn()).convolutionDataGradient(c, dy, w, dx);
            return;
        }
        Shape s = dx.shape();
        owner.call(() -> ec_naive_convolution_data_gradient(
                dx.type().ordinal(),
                s.dim(0),
                s.dim(1),
                s.dim(2),
                s.dim(3),
                w.shape().dim(0),
                w.shape().dim(1),
                c.stride(),
                c.groups(),
                HostPointer.of(dy),
                HostPointer.of(w),
                HostPointer.of(dx)));
    }

    // oneDNN 3.11 runs plain loops there, 60 to 400 times as long as it takes in F32 (depthwise, 8 x 8 to 32 x 32, k =
    // 3 to 15).
    private static boolean slowInBf16(Convolution c, Tensor dy, Tensor w) {
        return dy.type() == DataType.BF16
                && c.stride() > 1
                && c.groups() > 1
                && w.shape().dim(3) < SMALLEST_GROUP;
    }

    @Override
    public void convolutionWeightGradient(Convolution c, Tensor x, Tensor dy, Tensor dw, Tensor dbias) {
        if (depthwiseSuits(c, x, dw)) {
            depthwiseWeightGradient(owner, c, x, dy, dw, dbias);
            return;
        }
        if (WidenedBf16.needed(x)) {
            WidenedBf16.weightGradient(
                    owner, x, dy, (wideX, wideDy) -> convolutionWeightGradient(c, wideX, wideDy, dw, dbias));
            return;
        }
        if (x.type() != DataType.F64) {
            if (AmxWeightGradient.suits(c, x, dw)) {
                AmxWeightGradient.run(owner, c, x, dy, dw, dbias);
            } else if (OneDnnFault.NARROW_STRIDED_POINTWISE.hits(c, x, dw)) {
                pointwiseWeightGradient(c, x, dy, dw, dbias);
            } else {
                new OneDnnConvolution(owner.oneDnn()).convolutionWeightGradient(c, x, dy, dw, dbias);
            }
            return;
        }
        Shape s = x.shape();
        owner.call(() -> ec_naive_convolution_weight_gradient(
                x.type().ordinal(),
                s.dim(0),
                s.dim(1),
                s.dim(2),
                s.dim(3),
                dw.shape().dim(0),
                dw.shape().dim(1),
                c.stride(),
                c.groups(),
                HostPointer.of(x),
                HostPointer.of(dy),
                HostPointer.of(dw),
                HostPointer.of(dbias)));
    }

    /** Of kernels of one pixel: the pixels that the stride leaves out are left out first. */
    private void pointwiseWeightGradient(Convolution c, Tensor x, Tensor dy, Tensor dw, Tensor dbias) {
        Shape out = dy.shape();
        try (Tensor inUse = Tensor.allocate(
                owner.memory(),
                x.type(),
                Shape.of(out.dim(0), out.dim(1), out.dim(2), x.shape().dim(3)))) {
            owner.pool(new Pooling(Pooling.Kind.AVERAGE, 1, c.stride(), 0), x, inUse);
            convolutionWeightGradient(new Convolution(1, c.groups()), inUse, dy, dw, dbias);
        }
    }

    private static boolean depthwiseSuits(Convolution c, Tensor x, Tensor dw) {
        int channels = x.shape().dim(3);
        return x.type() != DataType.F64
                && c.groups() == channels
                && dw.shape().dim(0) == channels
                && dw.shape().dim(1) >= SMALLEST_DEPTHWISE;
    }

    /**
     * Weight gradient with as many groups as input and output channels, native/cpu/depthwise_weight_gradient.cpp, of
     * F32 or BF16 operands; {@code dbias} may be null. Milliseconds of oneDNN 3.11 and of this code (AMD EPYC with
     * AVX-512, one thread, 32 images, 2026-11-27):
     *
     * <pre>
     *                       k = 3         5            7            11          15
     * bf16  32 ch, 32 x 32  0.52 / 0.63   21 / 1.0     20 / 1.7     43 / 3.6    223 / 6.1
     *       64 ch, 16 x 16  0.28 / 0.39   10 / 0.69    10 / 1.0     21 / 2.4    139 / 4.1
     * f32   32 ch, 32 x 32  0.51 / 0.97   7.9 / 1.4    14 / 2.1     31 / 4.2    203 / 6.5
     * </pre>
     */
    static void depthwiseWeightGradient(CpuBackend owner, Convolution c, Tensor x, Tensor dy, Tensor dw, Tensor dbias) {
        Shape s = x.shape();
        owner.call(() -> ec_depthwise_weight_gradient(
                x.type().ordinal(),
                s.dim(0),
                s.dim(1),
                s.dim(2),
                s.dim(3),
                dw.shape().dim(1),
                c.stride(),
                HostPointer.of(x),
                HostPointer.of(dy),
                HostPointer.of(dw),
                HostPointer.of(dbias)));
    }
}

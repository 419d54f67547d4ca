package org.effconv.backend.cpu;

import static org.effconv.backend.cpu.NativeLibrary.*;

import org.effconv.backend.Convolution;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;

/**
 * Convolutions: oneDNN in F32 and BF16, but for weight gradients that our own code does faster; their definition in F64.
 * Operands are checked by the caller.
 */
final class CpuConvolution {
    private final CpuBackend owner;

    CpuConvolution(CpuBackend owner) {
        this.owner = owner;
    }

    void convolution(Convolution c, Tensor x, Tensor w, Tensor bias, Tensor y) {
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
                x.type().ordinal(), s.dim(0), s.dim(1), s.dim(2), s.dim(3), w.shape().dim(0), w.shape().dim(1), c.stride(),
                c.groups(), HostPointer.of(x), HostPointer.of(w), HostPointer.of(bias), HostPointer.of(y)));
    }

    void convolutionDataGradient(Convolution c, Tensor dy, Tensor w, Tensor dx) {
        if (WidenedBf16.needed(dy)) {
            WidenedBf16.product(owner, dy, w, dx, (wideDy, wideW, wideDx) -> convolutionDataGradient(c, wideDy, wideW, wideDx));
            return;
        }
        if (dy.type() != DataType.F64) {
            new OneDnnConvolution(owner.oneDnn()).convolutionDataGradient(c, dy, w, dx);
            return;
        }
        Shape s = dx.shape();
        owner.call(() -> ec_naive_convolution_data_gradient(
                dx.type().ordinal(), s.dim(0), s.dim(1), s.dim(2), s.dim(3), w.shape().dim(0), w.shape().dim(1), c.stride(),
                c.groups(), HostPointer.of(dy), HostPointer.of(w), HostPointer.of(dx)));
    }

    void convolutionWeightGradient(Convolution c, Tensor x, Tensor dy, Tensor dw, Tensor dbias) {
        if (WidenedBf16.needed(x)) {
            WidenedBf16.weightGradient(owner, x, dy, (wideX, wideDy) -> convolutionWeightGradient(c, wideX, wideDy, dw, dbias));
            return;
        }
        if (x.type() != DataType.F64) {
            if (AmxWeightGradient.suits(c, x, dw)) {
                AmxWeightGradient.run(owner, c, x, dy, dw, dbias);
            } else {
                new OneDnnConvolution(owner.oneDnn()).convolutionWeightGradient(c, x, dy, dw, dbias);
            }
            return;
        }
        Shape s = x.shape();
        owner.call(() -> ec_naive_convolution_weight_gradient(
                x.type().ordinal(), s.dim(0), s.dim(1), s.dim(2), s.dim(3), dw.shape().dim(0), dw.shape().dim(1), c.stride(),
                c.groups(), HostPointer.of(x), HostPointer.of(dy), HostPointer.of(dw), HostPointer.of(dbias)));
    }
}

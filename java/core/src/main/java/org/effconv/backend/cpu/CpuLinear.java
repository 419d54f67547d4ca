package org.effconv.backend.cpu;

import org.effconv.backend.Convolution;
import org.effconv.backend.LinearOperations;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;

/**
 * Linear layers: oneDNN in F32 and BF16, 1 x 1 convolutions of one-pixel images in F64; operands are checked by the
 * caller.
 */
final class CpuLinear implements LinearOperations {
    private final CpuBackend owner;
    private final CpuConvolution convolution;

    CpuLinear(CpuBackend owner) {
        this.owner = owner;
        convolution = new CpuConvolution(owner);
    }

    @Override
    public void linear(Tensor x, Tensor w, Tensor bias, Tensor y) {
        if (WidenedBf16.needed(x)) {
            WidenedBf16.product(owner, x, w, y, (wideX, wideW, wideY) -> linear(wideX, wideW, bias, wideY));
            return;
        }
        if (x.type() != DataType.F64) {
            new OneDnnLinear(owner.oneDnn()).linear(x, w, bias, y);
            return;
        }
        convolution.convolution(Convolution.PLAIN, pixel(x), pixel(w), bias, pixel(y));
    }

    @Override
    public void linearDataGradient(Tensor dy, Tensor w, Tensor dx) {
        if (WidenedBf16.needed(dy)) {
            WidenedBf16.product(owner, dy, w, dx, this::linearDataGradient);
            return;
        }
        if (dy.type() != DataType.F64) {
            new OneDnnLinear(owner.oneDnn()).linearDataGradient(dy, w, dx);
            return;
        }
        convolution.convolutionDataGradient(Convolution.PLAIN, pixel(dy), pixel(w), pixel(dx));
    }

    @Override
    public void linearWeightGradient(Tensor x, Tensor dy, Tensor dw, Tensor dbias) {
        if (WidenedBf16.needed(x)) {
            WidenedBf16.weightGradient(owner, x, dy, (wideX, wideDy) -> linearWeightGradient(wideX, wideDy, dw, dbias));
            return;
        }
        if (x.type() != DataType.F64) {
            new OneDnnLinear(owner.oneDnn()).linearWeightGradient(x, dy, dw, dbias);
            return;
        }
        convolution.convolutionWeightGradient(Convolution.PLAIN, pixel(x), pixel(dy), pixel(dw), dbias);
    }

    private static Tensor pixel(Tensor t) {
        return t.view(Shape.of(t.shape().dim(0), 1, 1, t.shape().dim(1)));
    }
}

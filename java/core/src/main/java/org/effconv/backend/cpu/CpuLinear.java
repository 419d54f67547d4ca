package org.effconv.backend.cpu;

import org.effconv.backend.Convolution;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;

/** Linear layers as 1 x 1 convolutions of one-pixel images; operands are checked by the caller. */
final class CpuLinear {
    private final CpuConvolution convolution;

    CpuLinear(CpuBackend owner) {
        convolution = new CpuConvolution(owner);
    }

    void linear(Tensor x, Tensor w, Tensor bias, Tensor y) {
        convolution.convolution(Convolution.PLAIN, pixel(x), pixel(w), bias, pixel(y));
    }

    void linearDataGradient(Tensor dy, Tensor w, Tensor dx) {
        convolution.convolutionDataGradient(Convolution.PLAIN, pixel(dy), pixel(w), pixel(dx));
    }

    void linearWeightGradient(Tensor x, Tensor dy, Tensor dw, Tensor dbias) {
        convolution.convolutionWeightGradient(Convolution.PLAIN, pixel(x), pixel(dy), pixel(dw), dbias);
    }

    private static Tensor pixel(Tensor t) {
        return t.view(Shape.of(t.shape().dim(0), 1, 1, t.shape().dim(1)));
    }
}

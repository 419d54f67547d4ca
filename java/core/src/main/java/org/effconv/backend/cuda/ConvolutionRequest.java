package org.effconv.backend.cuda;

import org.effconv.backend.Convolution;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;

/**
 * One pass of a convolution, as a library is asked for it: activations (N, H, W, C) and (N, Ho, Wo, K), weights (K, k,
 * k, C / groups), all packed in that order. A linear layer is the convolution of one pixel.
 *
 * @param type of the activations, F32 or BF16; the Backend's weights, biases and their gradients are F32 beside both
 * @param kernel k, odd
 * @param bias whether the forward pass adds one, or the weight gradient gives its gradient
 */
record ConvolutionRequest(
        Pass pass,
        DataType type,
        int batch,
        int height,
        int width,
        int inputs,
        int outputs,
        int kernel,
        int stride,
        int groups,
        boolean bias) {
    /** Which of x, w, y is computed from the other two: y, x, w. */
    enum Pass {
        FORWARD,
        DATA_GRADIENT,
        WEIGHT_GRADIENT
    }

    static ConvolutionRequest of(Pass pass, Convolution c, Tensor x, Tensor w, Tensor bias) {
        Shape s = x.shape();
        return new ConvolutionRequest(
                pass,
                x.type(),
                s.dim(0),
                s.dim(1),
                s.dim(2),
                s.dim(3),
                w.shape().dim(0),
                w.shape().dim(1),
                c.stride(),
                c.groups(),
                bias != null);
    }

    /**
     * @param x (N, D)
     * @param w (O, D)
     */
    static ConvolutionRequest linear(Pass pass, Tensor x, Tensor w, Tensor bias) {
        return new ConvolutionRequest(
                pass,
                x.type(),
                x.shape().dim(0),
                1,
                1,
                x.shape().dim(1),
                w.shape().dim(0),
                1,
                1,
                1,
                bias != null);
    }

    /** Whether this is a product of two matrices. */
    boolean isLinear() {
        return height == 1 && width == 1 && kernel == 1 && stride == 1 && groups == 1;
    }

    int padding() {
        return (kernel - 1) / 2;
    }

    private int outputExtent(int extent) {
        return new Convolution(stride, groups).outputExtent(extent);
    }

    // Extents as cuDNN's descriptors take them, whatever the order in memory: batch, channels, height, width.

    int[] xExtents() {
        return new int[] {batch, inputs, height, width};
    }

    int[] wExtents() {
        return new int[] {outputs, inputs / groups, kernel, kernel};
    }

    int[] yExtents() {
        return new int[] {batch, outputs, outputExtent(height), outputExtent(width)};
    }

    int[] biasExtents() {
        return new int[] {1, outputs, 1, 1};
    }

    static long count(int[] extents) {
        long count = 1;
        for (int extent : extents) {
            count *= extent;
        }
        return count;
    }

    long weights() {
        return count(wExtents());
    }

    @Override
    public String toString() {
        return pass.name().toLowerCase(java.util.Locale.ROOT).replace('_', ' ') + " " + type + " (" + batch + ", "
                + height + ", " + width + ", " + inputs + ") -> " + outputs + " channels, k " + kernel + ", stride "
                + stride + ", groups " + groups + (bias ? ", bias" : "");
    }
}

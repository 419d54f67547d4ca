package org.effconv.nn.model;

import org.effconv.io.TensorData;
import org.effconv.tensor.Shape;

/**
 * One parameter or running statistic of a trained network, as the network has it and as PyTorch does. They hold the
 * same values; a convolution's weights are (K, k, k, C / groups) here and (K, C / groups, k, k) there, and a linear
 * layer behind an image reads that in (H, W, C) order here and in (C, H, W) order there.
 *
 * @param name in the network
 * @param shape in the network
 * @param torchName in a state_dict
 * @param torchShape in a state_dict
 * @param pixels that one output sees: k * k of a convolution, H * W of a linear layer behind an image; else 1
 */
public record ModelTensor(String name, Shape shape, String torchName, Shape torchShape, int pixels) {
    /** A batch norm or a bias: the same there, but for its name. */
    public static ModelTensor vector(String name, String torchName, Shape shape) {
        return new ModelTensor(name, shape, torchName, shape, 1);
    }

    /** @param shape (K, k, k, C / groups) */
    public static ModelTensor convolution(String name, Shape shape) {
        int k = shape.dim(1);
        return new ModelTensor(name, shape, name, Shape.of(shape.dim(0), shape.dim(3), k, k), k * k);
    }

    /** @param shape (outputs, H * W * C) */
    public static ModelTensor linear(String name, Shape shape, int pixels) {
        return new ModelTensor(name, shape, name, shape, pixels);
    }

    /** The network's values as PyTorch has them. */
    public TensorData toTorch(TensorData values) {
        return pixels == 1 ? reshaped(values, torchShape) : values.transposed(pixels, channels(), torchShape);
    }

    /** PyTorch's values as the network has them. */
    public TensorData fromTorch(TensorData values) {
        return pixels == 1 ? reshaped(values, shape) : values.transposed(channels(), pixels, shape);
    }

    private static TensorData reshaped(TensorData values, Shape to) {
        return new TensorData(values.type(), to, values.bytes());
    }

    private int channels() {
        return Math.toIntExact(shape.count() / shape.dim(0) / pixels);
    }
}

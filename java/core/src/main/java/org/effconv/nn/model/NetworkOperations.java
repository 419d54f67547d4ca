package org.effconv.nn.model;

import org.effconv.backend.Activation;
import org.effconv.backend.Convolution;
import org.effconv.backend.Pooling;

/**
 * What a trained network computes, operation by operation, told to whoever rebuilds it elsewhere (in a file of another
 * format, say) by {@code NetworkPlan.trace}. Parameters and running statistics are told by their names in
 * {@code NetworkPlan.modelTensors}, which also says how PyTorch has them. Nothing is said of dropout, which does
 * nothing in a trained network.
 *
 * @param <V> stands for the result of an operation
 */
public interface NetworkOperations<V> {
    /**
     * @param weight (K, k, k, C / groups)
     * @param bias (K); null if there is none
     */
    V convolution(V x, Convolution convolution, String weight, String bias);

    /** scale * (x - mean) / sqrt(variance + epsilon) + shift, per channel. */
    V batchNorm(V x, String scale, String shift, String mean, String variance, double epsilon);

    /** Elementwise; never {@link Activation#NONE}. */
    V activation(V x, Activation activation);

    /** Of an image, channel by channel; padded pixels count for nothing ({@link Pooling}). */
    V pool(V x, Pooling pooling);

    /** (N, H, W, C) to (N, C). */
    V globalAveragePool(V x);

    /**
     * @param x (N, D), or an image, which then counts as its values in (H, W, C) order
     * @param weight (outputs, D)
     * @param bias (outputs); null if there is none
     */
    V linear(V x, String weight, String bias);

    /** Elementwise, of equal shapes. */
    V add(V a, V b);
}

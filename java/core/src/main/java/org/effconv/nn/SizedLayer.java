package org.effconv.nn;

import org.effconv.nn.model.ModelTensor;
import org.effconv.tensor.Shape;

/**
 * A convolution whose kernel size is learned, bound to an input.
 *
 * @param index 0-based, in network order
 * @param name unique in the network, e.g. "stage1.2.block.conv1"
 * @param inputChannels C, of all groups together
 * @param outputChannels K
 * @param height of the image it reads; {@code width} likewise
 * @param outputHeight of the image it writes; {@code outputWidth} likewise
 * @param kmax largest size a search may give it, odd
 * @param defaultSize size where none is asked for, odd
 */
public record SizedLayer(
        int index,
        String name,
        int inputChannels,
        int outputChannels,
        int stride,
        int groups,
        int height,
        int width,
        int outputHeight,
        int outputWidth,
        int kmax,
        int defaultSize) {

    /** Weights of one tap: K * C / groups. Size k owns k * k times as many. */
    public long parametersPerTap() {
        return (long) outputChannels * (inputChannels / groups);
    }

    /** Multiply-adds of one tap on one image; taps that fall beside the image count too. */
    public long multiplyAddsPerTap() {
        return parametersPerTap() * outputHeight * outputWidth;
    }

    /** Inputs of one output at size k: k * k * C / groups. */
    public int fanIn(int k) {
        return k * k * (inputChannels / groups);
    }

    /** Name of its weights. */
    public String weightName() {
        return name + ".weight";
    }

    ModelTensor weights(int k) {
        return ModelTensor.convolution(weightName(), weightShape(k));
    }

    /** (K, k, k, C / groups). */
    public Shape weightShape(int k) {
        return Shape.of(outputChannels, k, k, inputChannels / groups);
    }
}

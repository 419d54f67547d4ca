package org.effconv.backend;

import java.util.List;
import org.effconv.tensor.Tensor;

/**
 * One convolution layer of a weight synthesis: w[o, p, i] = scale * mask(ring(p); v) * w^[o, p, i], where w^ comes from
 * coordinate features, w^[o, p, i] = sum_f features[p, f] * coefficients[f, o * C + i], or from the centre crop of a
 * kmax x kmax table.
 *
 * @param outputChannels K
 * @param inputChannels C per group
 * @param grid odd size of the support grid: features, weights and gradients are held for grid x grid taps
 * @param kmax largest size of this layer; the extent of a table
 * @param scale s
 * @param sizeIndex index of this layer's v in the vector of soft sizes
 * @param features H, (grid * grid, h), or null for a table
 * @param source coefficients A (h, K * C), or a table (K, kmax, kmax, C)
 * @param weights w, (K, grid, grid, C), F32, BF16 or F64: written by the forward pass, its gradient read by the
 *     backward one
 */
public record SynthesisLayer(
        int outputChannels,
        int inputChannels,
        int grid,
        int kmax,
        double scale,
        int sizeIndex,
        Tensor features,
        Tensor source,
        Tensor weights) {
    /** The same layers, each with the scale of its size. */
    public static List<SynthesisLayer> scaled(List<SynthesisLayer> layers, double[] scales) {
        return layers.stream()
                .map(l -> new SynthesisLayer(
                        l.outputChannels,
                        l.inputChannels,
                        l.grid,
                        l.kmax,
                        scales[l.sizeIndex],
                        l.sizeIndex,
                        l.features,
                        l.source,
                        l.weights))
                .toList();
    }
}

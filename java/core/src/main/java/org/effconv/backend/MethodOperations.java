package org.effconv.backend;

import java.util.List;
import org.effconv.tensor.Tensor;

/**
 * The method: predictors of sizes and kernels, and the synthesis of weights. See {@link Backend} for what holds of all
 * operations.
 */
public interface MethodOperations {
    // ---- recurrent --------------------------------------------------------------------------------------------

    /**
     * Bidirectional GRU over a sequence, everything in P; initial states are zero.
     *
     * @param x (L, input)
     * @param h out, (L, 2 hidden): forward states, then those of the reverse direction
     * @param gates out, (L, 2, 4 hidden): r, z, n and Un h + cn of every step, for the gradient
     */
    void gru(Tensor x, GruDirection forward, GruDirection reverse, Tensor h, Tensor gates);

    /** The gradient tensors of the weights are overwritten; dx may be null. */
    void gruGradient(
            Tensor x,
            Tensor h,
            Tensor gates,
            Tensor dh,
            GruDirection forward,
            GruDirection reverse,
            GruDirection dforward,
            GruDirection dreverse,
            Tensor dx);

    // ---- synthesis and its predictors -------------------------------------------------------------------------

    /**
     * Weights of all layers from sizes v (L) in P; one call for all layers (docs/design/method.md, "Masks" and
     * "Kernels").
     */
    default void synthesis(MaskKind mask, Tensor v, List<SynthesisLayer> layers) {
        synthesis(mask, v, null, layers);
    }

    /**
     * The same with scales that a recorded {@link Backend#step} takes as they are each time it is repeated.
     *
     * @param scales in P, one per size, in place of those of the layers; null: those of the layers
     */
    void synthesis(MaskKind mask, Tensor v, Tensor scales, List<SynthesisLayer> layers);

    /**
     * @param layers with {@code weights} holding the gradient of w
     * @param dlayers gradients, layer by layer: {@code features} (or null) and {@code source} are overwritten
     * @param dv (L) in P, overwritten; 0 for sizes no layer uses
     */
    default void synthesisGradient(
            MaskKind mask, Tensor v, List<SynthesisLayer> layers, List<SynthesisLayer> dlayers, Tensor dv) {
        synthesisGradient(mask, v, null, layers, dlayers, dv);
    }

    /** The gradient under the same scales. */
    void synthesisGradient(
            MaskKind mask,
            Tensor v,
            Tensor scales,
            List<SynthesisLayer> layers,
            List<SynthesisLayer> dlayers,
            Tensor dv);

    /** Features of every tap, all layers in one call. */
    void coordinateFeatures(List<CoordinateLayer> layers);

    /**
     * @param layers with {@code features} holding the gradient of H
     * @param dlayers gradients, layer by layer: all tensors but {@code features} are overwritten
     */
    void coordinateFeaturesGradient(List<CoordinateLayer> layers, List<CoordinateLayer> dlayers);

    /** h (L, D) to u (L, D) and the soft sizes v (L), in P. */
    void sizeHead(SizeHead head, Tensor h, Tensor u, Tensor v);

    /** @param dhead gradients, overwritten; no gradient flows back through u */
    void sizeHeadGradient(SizeHead head, Tensor h, Tensor dv, SizeHead dhead, Tensor dh);
}

package org.effconv.backend;

import java.util.function.LongSupplier;
import org.effconv.tensor.Tensor;

/**
 * What networks are made of beside convolution and linear layers: normalisation, elementwise operations, pooling and
 * the loss. See {@link Backend} for what holds of all operations.
 */
public interface NetworkOperations {
    /**
     * y = act(scale * (x - mean) * invStd + shift + residual) over (N, H, W) per channel, with batch statistics.
     * Running statistics become (1 - momentum) * running + momentum * batch (unbiased variance).
     *
     * @param residual same shape as x, or null
     * @param act NONE or RELU
     * @param mean out, (C) in P
     * @param invStd out, (C) in P
     */
    void batchNorm(
            Tensor x,
            Tensor scale,
            Tensor shift,
            Tensor residual,
            Activation act,
            double epsilon,
            double momentum,
            Tensor runningMean,
            Tensor runningVariance,
            Tensor mean,
            Tensor invStd,
            Tensor y);

    /**
     * @param y the forward output; masks ReLU; may be null for NONE
     * @param dx gradient of x; may be the same tensor as dy
     * @param dresidual gradient of the residual, or null
     */
    void batchNormGradient(
            Tensor x,
            Tensor y,
            Tensor dy,
            Tensor scale,
            Tensor mean,
            Tensor invStd,
            Activation act,
            Tensor dx,
            Tensor dscale,
            Tensor dshift,
            Tensor dresidual);

    /** The same with running statistics, for inference. */
    void batchNormInference(
            Tensor x,
            Tensor scale,
            Tensor shift,
            Tensor residual,
            Activation act,
            double epsilon,
            Tensor runningMean,
            Tensor runningVariance,
            Tensor y);

    /** Over the last dimension D of x (..., D); scale, shift (D); mean, invStd out, one per row, in P. */
    void layerNorm(Tensor x, Tensor scale, Tensor shift, double epsilon, Tensor mean, Tensor invStd, Tensor y);

    void layerNormGradient(
            Tensor x, Tensor dy, Tensor scale, Tensor mean, Tensor invStd, Tensor dx, Tensor dscale, Tensor dshift);

    // ---- elementwise and pooling ------------------------------------------------------------------------------

    /** y may be x. */
    void activation(Activation a, Tensor x, Tensor y);

    /** x is the forward input; dx may be dy. */
    void activationGradient(Activation a, Tensor x, Tensor dy, Tensor dx);

    /** y = act(a + b), act NONE or RELU. */
    void add(Tensor a, Tensor b, Activation act, Tensor y);

    void pool(Pooling p, Tensor x, Tensor y);

    /** A tie of the maximum goes to the first pixel in row-major order. */
    void poolGradient(Pooling p, Tensor x, Tensor dy, Tensor dx);

    /** (N, H, W, C) to (N, C). */
    void globalAveragePool(Tensor x, Tensor y);

    void globalAveragePoolGradient(Tensor dy, Tensor dx);

    /**
     * y = x * keep / (1 - rate), keep drawn from a counter-based generator (seed, element index): the gradient is the
     * same call on dy with the same seed. y may be x.
     */
    void dropout(Tensor x, double rate, long seed, Tensor y);

    /**
     * The same with a seed that may differ each time a recorded {@link Backend#step} is repeated; it is asked for once
     * each time.
     */
    void dropout(Tensor x, double rate, LongSupplier seed, Tensor y);

    // ---- loss -------------------------------------------------------------------------------------------------

    /**
     * Mean softmax cross entropy over the batch with label smoothing e: target = (1 - e) onehot + e / classes.
     *
     * @param logits (N, classes)
     * @param labels I32 (N)
     * @param loss (1) in P
     * @param correct I32 (1): rows whose first largest logit is the label
     * @param dlogits gradient of the mean loss, or null
     */
    void softmaxCrossEntropy(
            Tensor logits, Tensor labels, double smoothing, Tensor loss, Tensor correct, Tensor dlogits);
}

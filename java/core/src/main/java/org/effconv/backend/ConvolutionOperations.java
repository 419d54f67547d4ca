package org.effconv.backend;

import org.effconv.tensor.Tensor;

/** Convolution and its gradients. See {@link Backend} for what holds of all operations. */
public interface ConvolutionOperations {
    /** y (N, Ho, Wo, K) = x (N, H, W, C) * w (K, k, k, C / groups) in P, + bias (K) in P unless null; k odd, 1..33. */
    void convolution(Convolution c, Tensor x, Tensor w, Tensor bias, Tensor y);

    void convolutionDataGradient(Convolution c, Tensor dy, Tensor w, Tensor dx);

    /** dw (K, k, k, C / groups) in P; dbias (K) in P or null. */
    void convolutionWeightGradient(Convolution c, Tensor x, Tensor dy, Tensor dw, Tensor dbias);
}

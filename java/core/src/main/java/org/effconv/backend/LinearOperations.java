package org.effconv.backend;

import org.effconv.tensor.Tensor;

/** The linear layer and its gradients. See {@link Backend} for what holds of all operations. */
public interface LinearOperations {
    /** y (N, O) = x (N, D) w^T + bias; w (O, D) and bias (O) in P, bias may be null. */
    void linear(Tensor x, Tensor w, Tensor bias, Tensor y);

    void linearDataGradient(Tensor dy, Tensor w, Tensor dx);

    void linearWeightGradient(Tensor x, Tensor dy, Tensor dw, Tensor dbias);
}

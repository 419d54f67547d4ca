package org.effconv.backend;

import org.effconv.tensor.Tensor;

/**
 * The head of the size predictor: u = ReLU(LayerNorm(h)), v_l = kmin_l + (kmax_l - kmin_l) sigmoid(g_l {@code <w_l,
 * u_l>} / |w_l| + b_l) (cuda/include/effconv/gru.h). Tensors in the parameter type; L layers, width D.
 *
 * @param gain of the layer norm, (D)
 * @param shift of the layer norm, (D)
 * @param w (L, D)
 * @param g (L)
 * @param b (L)
 * @param kmin lower end of each size's range
 * @param kmax upper end of each size's range
 */
public record SizeHead(Tensor gain, Tensor shift, Tensor w, Tensor g, Tensor b, double[] kmin, double[] kmax) {}

package org.effconv.backend;

import org.effconv.tensor.Tensor;

/**
 * One layer's coordinate network: features H of the taps of a grid, H = sqrt(2) sin(W2 z + b2) with z = sin(omega (W1
 * (x, y) + b1)) (1 + gamma) + beta (cuda/include/effconv/coordinate.h). All tensors in the parameter type.
 *
 * @param grid odd extent of the tap grid
 * @param kmax largest size of this layer; taps lie 2 / kmax apart
 * @param omega frequency of the first sine
 * @param w1 (hidden, 2)
 * @param b1 (hidden)
 * @param w2 (h, hidden)
 * @param b2 (h)
 * @param gamma (hidden)
 * @param beta (hidden)
 * @param features H, (grid * grid, h): written by the forward pass, its gradient read by the backward one
 */
public record CoordinateLayer(
        int grid,
        int kmax,
        double omega,
        Tensor w1,
        Tensor b1,
        Tensor w2,
        Tensor b2,
        Tensor gamma,
        Tensor beta,
        Tensor features) {}

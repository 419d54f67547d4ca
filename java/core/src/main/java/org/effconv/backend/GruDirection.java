package org.effconv.backend;

import org.effconv.tensor.Tensor;

/**
 * Weights of one direction of a GRU (gates in the order r, z, n; n = tanh(Wn x + bn + r * (Un h + cn))).
 *
 * @param inputWeights  W, (3 hidden, input)
 * @param hiddenWeights U, (3 hidden, hidden)
 * @param inputBias     b, (3 hidden)
 * @param hiddenBias    c, (3 hidden)
 */
public record GruDirection(Tensor inputWeights, Tensor hiddenWeights, Tensor inputBias, Tensor hiddenBias) {}

package org.effconv.backend;

import org.effconv.tensor.Tensor;

/**
 * One parameter of an optimiser step, all tensors of one shape and of the parameter type.
 *
 * @param value updated in place
 * @param gradient read
 * @param first first moment (momentum), updated in place
 * @param second second moment, updated in place; null for SGD
 * @param learningRate this parameter's rate at this step
 * @param weightDecay this parameter's decay
 */
public record OptimizerSlot(
        Tensor value, Tensor gradient, Tensor first, Tensor second, double learningRate, double weightDecay) {}

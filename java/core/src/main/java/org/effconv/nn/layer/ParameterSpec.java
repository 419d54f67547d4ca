package org.effconv.nn.layer;

import org.effconv.nn.model.ModelTensor;
import org.effconv.tensor.Shape;

/**
 * A parameter that the network owns whatever the sizes.
 *
 * @param deviation standard deviation of its normal start values; 0 for the constant {@code mean}
 * @param decayed whether weight decay applies
 */
public record ParameterSpec(ModelTensor tensor, double mean, double deviation, boolean decayed) {
    /** Starts at a constant and does not decay: biases, scales, shifts. */
    static ParameterSpec constant(ModelTensor tensor, double value) {
        return new ParameterSpec(tensor, value, 0, false);
    }

    /** Starts at normal values around 0 and decays: what is multiplied. */
    static ParameterSpec weight(ModelTensor tensor, double deviation) {
        return new ParameterSpec(tensor, 0, deviation, true);
    }

    public String name() {
        return tensor.name();
    }

    public Shape shape() {
        return tensor.shape();
    }

    /** The name of a parameter that may not be there: null for null. */
    static String nameOf(ParameterSpec spec) {
        return spec == null ? null : spec.name();
    }
}

package org.effconv.nn;

import java.util.List;
import org.effconv.backend.Activation;
import org.effconv.backend.Convolution;
import org.effconv.backend.Pooling;
import org.effconv.tensor.Shape;

/** One operation of a network whose shapes are known; ReLUs and residual additions are folded into batch norms. */
sealed interface Step {
    /** @param sized null for a fixed kernel, whose {@code weight} is then there; {@code bias} null if there is none */
    record Conv(Convolution convolution, SizedLayer sized, ParameterSpec weight, ParameterSpec bias) implements Step {}

    /** @param takesResidual whether the block around it hands its shortcut to be added before the activation */
    record BatchNorm(
            ParameterSpec scale,
            ParameterSpec shift,
            ModelTensor runningMean,
            ModelTensor runningVariance,
            Activation activation,
            boolean takesResidual)
            implements Step {}

    record Activate(Activation activation) implements Step {}

    record Pool(Pooling pooling) implements Step {}

    record GlobalAveragePool() implements Step {}

    record Linear(ParameterSpec weight, ParameterSpec bias) implements Step {}

    /** @param ordinal another one for every dropout of a network */
    record Dropout(double rate, int ordinal) implements Step {}

    /**
     * An empty shortcut is the identity; {@code activation} is applied here only if the body does not end in a batch
     * norm that takes it.
     */
    record Residual(List<Step> body, List<Step> shortcut, Activation activation) implements Step {
        boolean folded() {
            return body.get(body.size() - 1) instanceof BatchNorm last && last.takesResidual();
        }
    }

    /**
     * A parameter that the network owns whatever the sizes.
     *
     * @param deviation standard deviation of its normal start values; 0 for the constant {@code mean}
     * @param decayed whether weight decay applies
     */
    record ParameterSpec(ModelTensor tensor, double mean, double deviation, boolean decayed) {
        String name() {
            return tensor.name();
        }

        Shape shape() {
            return tensor.shape();
        }
    }
}

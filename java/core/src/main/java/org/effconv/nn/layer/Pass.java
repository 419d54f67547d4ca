package org.effconv.nn.layer;

import java.util.List;
import java.util.function.LongSupplier;
import org.effconv.autodiff.Tape;
import org.effconv.autodiff.Variable;
import org.effconv.nn.model.ModelTensor;
import org.effconv.tensor.Tensor;

/**
 * One forward pass, as its steps see it. Values are released as soon as inference is done with them; training keeps
 * them for the gradients.
 */
public interface Pass {
    /** Where operations are recorded. */
    Tape tape();

    /** Computes one step after the other; the caller keeps x. */
    Variable run(List<Step> steps, Variable x);

    /** Says that a value is no longer read, unless it is {@code unless}, which somebody else keeps. */
    void release(Variable v, Variable unless);

    /** The parameter's value; null for null. */
    Variable parameter(ParameterSpec spec);

    /** Weights (K, k, k, C / groups) of a sized layer. */
    Variable weights(int sizedLayer);

    /** A running statistic's value. */
    Tensor statistic(ModelTensor tensor);

    /**
     * The seed of what a step draws, asked for forwards and backwards; {@code draws} as {@link Planner#draws} gave it.
     */
    LongSupplier seed(int draws);
}

package org.effconv.nn.layer;

import java.util.List;
import java.util.OptionalInt;
import org.effconv.autodiff.Variable;
import org.effconv.backend.Activation;
import org.effconv.nn.model.NetworkOperations;

/** One operation of a network whose shapes are known. Immutable: many passes compute with it. */
public interface Step {
    /**
     * Computes the operation.
     *
     * @param x (N, H, W, C), or (N, C) behind global pooling or a linear layer; the caller releases it
     * @return x itself if the step does nothing
     */
    Variable forward(Pass pass, Variable x);

    /**
     * Tells what the step computes in a trained network, with the same names as its tensors have.
     *
     * @return what stands for the result; x itself if the step does nothing then
     */
    <V> V trace(NetworkOperations<V> to, V x);

    /** Whether its result takes memory of its own; training keeps that for the gradients. */
    default boolean givesValues() {
        return true;
    }

    /** One step that applies the activation behind this one, too; null if this step cannot. */
    default Step followedBy(Activation activation) {
        return null;
    }

    /** One operation for this step, an addition and an activation (NONE or RELU); null if there is none. */
    default Sum plus(Activation activation) {
        return null;
    }

    /** Index of the sized layer whose weights it multiplies; empty for all but convolutions of a learned size. */
    default OptionalInt sizedLayer() {
        return OptionalInt.empty();
    }

    /** activation(step(x) + addend) at once. */
    @FunctionalInterface
    interface Sum {
        /** @param addend of the shape of the step's result */
        Variable forward(Pass pass, Variable x, Variable addend);
    }

    /** Tells of one step after the other. */
    static <V> V trace(List<Step> steps, NetworkOperations<V> to, V x) {
        V now = x;
        for (Step step : steps) {
            now = step.trace(to, now);
        }
        return now;
    }
}

package org.effconv.train;

import java.util.Map;
import java.util.Optional;
import org.effconv.autodiff.Parameter;
import org.effconv.autodiff.Variable;
import org.effconv.backend.Backend;
import org.effconv.nn.WeightSource;

/**
 * Weights that a {@link TrainingLoop} trains. For plain ones the optimiser does all there is to do. What learns sizes
 * has more to do around a step; the methods stand in the order in which the loop calls them.
 */
public interface TrainableWeights extends WeightSource {
    /**
     * Before each step, outside of what a device may record: what is drawn or written anew for it. Where it was not
     * called, {@link #begin} does that.
     */
    default void prepare(Progress progress) {}

    /**
     * Equal for steps that ask for the same operations on the same memory (see {@link Backend#step}); empty where the
     * step that was prepared differs from all others.
     */
    Optional<Object> stepKey();

    /** Factor on the schedule's learning rate for one of {@link #parameters}; 0 leaves it as it is. */
    default double learningRateFactor(Parameter p) {
        return 1;
    }

    /** A scalar to add to the class loss of the pass begun last. */
    default Optional<Variable> penalty() {
        return Optional.empty();
    }

    /** After the backward pass, before the optimiser: what is done with gradients beyond the optimiser's update. */
    default void afterBackward(Progress progress) {}

    /** Once a step that was prepared is under way; what is read of it here is read late. */
    default void afterStep(Progress progress) {}

    /** With the class loss of each step once it has been read, when the next one is under way or the epoch over. */
    default void observe(double loss) {}

    /** After the last step of an epoch: what has been put off is done when this returns. */
    default void finishEpoch() {}

    /** State beyond the parameters that a checkpoint must hold (running averages); names unique within it. */
    default Map<String, double[]> state() {
        return Map.of();
    }

    /** Takes back what {@link #state} gave. */
    default void restore(Map<String, double[]> state) {}
}

package org.effconv.nn;

import java.util.List;
import java.util.Map;
import org.effconv.autodiff.Parameter;
import org.effconv.autodiff.Tape;
import org.effconv.autodiff.Variable;
import org.effconv.backend.Backend;

/**
 * Where a network's sized convolutions get their weights: plain parameters (final training) or predictors (search).
 * Search and final training are the same loop over the same network; only this differs.
 */
public interface WeightSource extends AutoCloseable {
    /**
     * Called by a loop before each of its steps, outside of what a device may record: what a source draws or writes
     * anew for it. Where it was not called, {@link #begin} does that.
     */
    default void prepare(Progress progress) {}

    /**
     * Equal for steps in which this source asks for the same operations on the same memory (see {@link Backend#step});
     * null where the step that was prepared differs from all others.
     */
    default Object stepKey(Progress progress) {
        return null;
    }

    /** Called once before each forward pass: draws sizes unless they were prepared, synthesises weights. */
    void begin(Tape tape, Progress progress);

    /** Weights (K, k, k, C / groups) in the parameter type of sized layer {@code index} (0-based, in network order). */
    Variable weights(Tape tape, int index);

    /**
     * Multiply-adds of the network on one image, forward, with the weights of the step begun last; taps beside the
     * image included.
     */
    double multiplyAdds();

    /** A scalar to add to the class loss (the budget term), or null. */
    Variable penalty(Tape tape);

    /**
     * Called after the backward pass, before the optimiser: what a source does with gradients beyond the optimiser's
     * update.
     */
    void afterBackward(Tape tape, Progress progress);

    /** Called by a loop once a step that was prepared is under way; what is read of it here is read late. */
    default void afterStep(Progress progress) {}

    /**
     * Called by a loop with the class loss of each step once it has been read, when the next step is under way or the
     * epoch over.
     */
    default void observe(double loss) {}

    /** Called by a loop after the last step of an epoch: what a source has put off is done when this returns. */
    default void finishEpoch() {}

    /** Everything the optimiser updates. */
    List<Parameter> parameters();

    /** Factor on the schedule's learning rate for one of {@link #parameters}; 0 leaves it as it is. */
    default double learningRateFactor(Parameter p, Progress progress) {
        return 1;
    }

    /** State beyond the parameters that a checkpoint must hold (running averages); names unique within the source. */
    default Map<String, double[]> state() {
        return Map.of();
    }

    /** Takes back what {@link #state} gave. */
    default void restore(Map<String, double[]> state) {}

    /** Where a run stands: {@code step} counts from 0 and reaches {@code totalSteps} when the run is over. */
    record Progress(long step, long totalSteps) {
        public double fraction() {
            return totalSteps == 0 ? 1 : (double) step / totalSteps;
        }
    }

    @Override
    void close();
}

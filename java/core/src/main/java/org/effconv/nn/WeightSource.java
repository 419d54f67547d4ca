package org.effconv.nn;

import java.util.List;
import org.effconv.autodiff.Parameter;
import org.effconv.autodiff.Tape;
import org.effconv.autodiff.Variable;

/**
 * Where a network's sized convolutions get their weights: plain parameters in a training, predictors in a search. The
 * network is the same in both.
 */
public interface WeightSource extends AutoCloseable {
    /** Called once before each forward pass: makes the weights that {@link #weights} hands out. */
    void begin(Tape tape, Progress progress);

    /** Weights (K, k, k, C / groups) in the parameter type of sized layer {@code index} (0-based, in network order). */
    Variable weights(Tape tape, int index);

    /**
     * Multiply-adds of the network on one image, forward, with the weights of the pass begun last; taps beside the
     * image included.
     */
    double multiplyAdds();

    /** Everything that a training updates. */
    List<Parameter> parameters();

    /** Where a run stands: {@code step} counts from 0 and reaches {@code totalSteps} when the run is over. */
    record Progress(long step, long totalSteps) {
        public double fraction() {
            return totalSteps == 0 ? 1 : (double) step / totalSteps;
        }
    }

    @Override
    void close();
}

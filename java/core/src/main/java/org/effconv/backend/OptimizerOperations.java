package org.effconv.backend;

import java.util.List;
import java.util.function.DoubleSupplier;
import java.util.function.Supplier;
import org.effconv.tensor.Tensor;

/** Updates of parameters, and sums over lists of tensors. See {@link Backend} for what holds of all operations. */
public interface OptimizerOperations {
    /**
     * One update of all parameters in one call.
     *
     * @param step 1 for the first update; AdamW's bias correction
     * @return the global gradient norm before clipping; asking for it may wait for the device
     */
    DoubleSupplier update(OptimizerRule rule, long step, List<OptimizerSlot> slots);

    /**
     * The same with a count and rates that may differ each time a recorded {@link Backend#step} is repeated.
     *
     * @param now asked for each time; the rates stand in place of those of the slots
     * @return asked after each step, starts reading that step's norm, and gives what waits for it
     */
    Supplier<DoubleSupplier> update(OptimizerRule rule, Supplier<OptimizerRates> now, List<OptimizerSlot> slots);

    /** {@link #update}, and waits for the norm. */
    default double optimizerStep(OptimizerRule rule, long step, List<OptimizerSlot> slots) {
        return update(rule, step, slots).getAsDouble();
    }

    /**
     * to += factor / |from|^2 * from, |from| over all tensors together, in P.
     *
     * @param factor asked for each time a recorded {@link Backend#step} is repeated
     */
    void accumulateNormalised(List<Tensor> from, DoubleSupplier factor, List<Tensor> to);

    /** Sum of the squares of all elements of floating tensors; waits for the device. */
    double sumOfSquares(List<Tensor> tensors);
}

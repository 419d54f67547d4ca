package org.effconv.train;

import org.effconv.backend.OptimizerRule;
import org.effconv.error.EffconvException.InvalidInput;

/**
 * How parameters are updated.
 *
 * @param rule AdamW or SGD, with its constants and the bound of the gradient norm
 * @param learningRate peak rate
 * @param weightDecay of the parameters that are decayed
 * @param schedule of the rate over the run
 */
public record OptimizerSettings(OptimizerRule rule, double learningRate, double weightDecay, Schedule schedule) {
    /** @throws InvalidInput if a number is out of range */
    public OptimizerSettings {
        if (!(learningRate > 0 && learningRate < Double.POSITIVE_INFINITY)) {
            throw new InvalidInput("learning rate " + learningRate + ": expected a number above 0");
        }
        if (!(weightDecay >= 0 && weightDecay < Double.POSITIVE_INFINITY)) {
            throw new InvalidInput("weight decay " + weightDecay + ": expected 0 or more");
        }
    }
}

package org.effconv.benchmark;

import org.effconv.nn.Architecture;
import org.effconv.nn.NetworkPlan;
import org.effconv.tensor.DataType;

/**
 * A whole training step to be timed: on random images of 28 x 28 x 1 for lenet and 32 x 32 x 3 for the others, ten
 * classes, SGD with momentum.
 *
 * @param kernel uniform size of all layers; in a search, where the sizes start
 * @param search whether the weights come from the predictors, and the step trains those
 */
public record StepCase(String architecture, int kernel, boolean search, int batch, DataType type) {
    private static final int CLASSES = 10;

    public NetworkPlan plan() {
        NetworkPlan.Input input = architecture.equals("lenet")
                ? new NetworkPlan.Input(28, 28, 1, CLASSES)
                : new NetworkPlan.Input(32, 32, 3, CLASSES);
        return Architecture.named(architecture).plan(input);
    }

    /**
     * @throws org.effconv.error.EffconvException.InvalidInput if there is no such architecture, or it has no such size
     */
    public void check() {
        NetworkPlan plan = plan();
        plan.checkSizes(plan.uniformSizes(kernel));
    }

    public String name() {
        return architecture + " k" + kernel + (search ? " search" : "") + " N" + batch;
    }

    public String typeName() {
        return type == DataType.BF16 ? "bf16" : "fp32";
    }
}

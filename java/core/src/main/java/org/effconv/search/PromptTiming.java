package org.effconv.search;

import java.util.Optional;
import org.effconv.autodiff.Tape;
import org.effconv.autodiff.Variable;
import org.effconv.nn.WeightSource.Progress;

/** Reads gradients where they are needed: a step's show in the sizes of the next one. */
final class PromptTiming implements StepTiming {
    private final SteadyWeights weights;

    PromptTiming(SteadyWeights weights) {
        this.weights = weights;
    }

    @Override
    public void prepare(Progress progress) {}

    @Override
    public Optional<Object> key() {
        return Optional.empty();
    }

    @Override
    public boolean beginPrepared(Tape tape) {
        return false;
    }

    @Override
    public void takeGradient(Variable drawn, Progress progress) {
        double[] gradient = weights.sizeGradient().orElseThrow();
        weights.steady.update(
                weights.predicted(), gradient, weights.parts.moved(progress), weights.parts.movingSteps(progress));
        weights.follower.moveTo(weights.steady.sizes());
    }

    @Override
    public void afterStep(Progress progress) {}

    @Override
    public void finish() {}

    @Override
    public void forget() {}

    @Override
    public void close() {}
}

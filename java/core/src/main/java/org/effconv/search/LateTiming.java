package org.effconv.search;

import java.util.Optional;
import org.effconv.autodiff.Tape;
import org.effconv.autodiff.Variable;
import org.effconv.nn.WeightSource.Progress;
import org.effconv.predict.WeightSynthesis;
import org.effconv.search.late.LateSizes;

/** Reads gradients late ({@link LateSizes}), so that no step waits, and steps can be recorded. */
final class LateTiming implements StepTiming {
    private final SteadyWeights weights;
    private final PromptTiming prompt; // for a pass that was not prepared
    private final LateSizes late;

    LateTiming(SteadyWeights weights) {
        this.weights = weights;
        prompt = new PromptTiming(weights);
        late = new LateSizes(
                weights.backend,
                weights.type,
                weights.layers,
                weights.settings,
                weights.sizePredictor,
                weights.follower,
                weights.steady);
    }

    @Override
    public void prepare(Progress progress) {
        weights.steady.at(progress.step());
        double[] predicted = weights.orDirect(late.sizes(progress.step()));
        double[] drawn = weights.drawn(predicted, progress);
        weights.turnTo(predicted, drawn);
        late.prepare(progress.step(), predicted, drawn, weights.parts.moving(progress));
        weights.standOn(late.grids()); // here, since a step that is repeated is not begun
    }

    @Override
    public Optional<Object> key() {
        return Optional.ofNullable(late.key());
    }

    @Override
    public boolean beginPrepared(Tape tape) {
        if (!late.prepared()) {
            return false;
        }
        Variable v = late.learning() ? tape.input(late.drawn()) : tape.constant(late.drawn());
        weights.setLeaf(late.learning() ? Optional.of(v) : Optional.empty());
        int[] grids = late.grids();
        weights.take(
                WeightSynthesis.record(
                        tape,
                        weights.settings.mask(),
                        weights.layers,
                        v,
                        grids,
                        late.scales(),
                        weights.kernelPredictor.kernels(tape, grids, late.condition())),
                grids);
        return true;
    }

    @Override
    public void takeGradient(Variable drawn, Progress progress) {
        if (late.prepared()) {
            weights.backend.copy(drawn.gradient(), late.gradient());
        } else {
            prompt.takeGradient(drawn, progress);
        }
    }

    @Override
    public void afterStep(Progress progress) {
        late.afterStep(weights.parts.moved(progress), weights.parts.movingSteps(progress));
    }

    @Override
    public void finish() {
        late.finish();
    }

    @Override
    public void forget() {
        late.forget();
    }

    @Override
    public void close() {
        late.close();
    }
}

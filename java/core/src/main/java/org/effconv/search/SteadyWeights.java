package org.effconv.search;

import java.util.Map;
import java.util.Optional;
import org.effconv.autodiff.Tape;
import org.effconv.autodiff.Variable;
import org.effconv.backend.Backend;
import org.effconv.cost.Cost;
import org.effconv.predict.SearchSettings;
import org.effconv.predict.SizePredictor;
import org.effconv.search.sizes.SizeDraws;
import org.effconv.search.sizes.SizeUpdate;
import org.effconv.search.sizes.SteadySizes;
import org.effconv.tensor.DataType;

/**
 * Sizes follow a steady update, and the size predictor is moved to them. A step's class loss leaves its gradient on the
 * sizes that the masks have.
 */
class SteadyWeights extends SynthesisedWeights {
    final SizeUpdate steady;
    private final StepTiming timing;
    private Optional<Variable> leaf = Optional.empty(); // drawn sizes, in a pass that moves sizes
    private boolean direct; // sizes come from the update itself, not from the predictor that follows it

    SteadyWeights(
            Backend backend,
            DataType type,
            Cost cost,
            SearchSettings settings,
            long seed,
            Kind kind,
            SizeUpdate steady) {
        super(backend, type, cost, settings, seed, kind);
        this.steady = steady;
        if (backend.readsLate()) {
            drawAsTheyCome();
        }
        try {
            timing = backend.readsLate() ? new LateTiming(this) : new PromptTiming(this);
        } catch (Throwable e) { // or an Error: memory may run out
            super.close();
            throw e;
        }
    }

    static SteadyWeights of(
            Backend backend, DataType type, Cost cost, double target, SearchSettings settings, long seed) {
        Kind kind = kind(settings, cost, target);
        return new SteadyWeights(
                backend, type, cost, settings, seed, kind, new SteadySizes(settings, cost, target, kind.start()));
    }

    @Override
    public void withoutSizePredictor() {
        direct = true;
    }

    @Override
    SizePredictor.Sizes predict(Tape tape, Progress progress, boolean learning) {
        return follower.predict();
    }

    @Override
    double[] values(SizePredictor.Sizes predicted) {
        return direct ? steady.sizes() : super.values(predicted);
    }

    /** Sizes of a step whose predicted ones are at hand already. */
    final double[] orDirect(double[] predicted) {
        return direct ? steady.sizes() : predicted;
    }

    @Override
    Variable masks(Tape tape, SizePredictor.Sizes predicted, boolean learning) {
        Variable v = leaf(tape, learning);
        setLeaf(learning ? Optional.of(v) : Optional.empty());
        return v;
    }

    final void setLeaf(Optional<Variable> drawn) {
        leaf = drawn;
    }

    @Override
    double[] answer() {
        return steady.answer();
    }

    @Override
    public double[] wanted() {
        return steady.sizes();
    }

    @Override
    public final Optional<double[]> sizeGradient() {
        return leaf.filter(v -> v.gradient() != null)
                .map(v -> SizeDraws.times(backend.readDoubles(v.gradient()), SizeDraws.factors(predicted(), masked())));
    }

    // ---- the loop's verbs -------------------------------------------------------------------------------------------

    @Override
    public void prepare(Progress progress) {
        timing.prepare(progress);
    }

    @Override
    public Optional<Object> stepKey() {
        return timing.key();
    }

    @Override
    public void begin(Tape tape, Progress progress) {
        if (!timing.beginPrepared(tape)) {
            super.begin(tape, progress);
        }
    }

    @Override
    public void afterBackward(Progress progress) {
        leaf.filter(v -> v.gradient() != null).ifPresent(v -> timing.takeGradient(v, progress));
    }

    @Override
    public void afterStep(Progress progress) {
        timing.afterStep(progress);
    }

    @Override
    public void observe(double loss) {
        steady.observe(loss);
    }

    @Override
    public void finishEpoch() {
        timing.finish();
    }

    @Override
    public Map<String, double[]> state() {
        finishEpoch();
        return steady.state();
    }

    @Override
    public void restore(Map<String, double[]> state) {
        timing.forget();
        steady.restore(state);
        follower.invalidate();
    }

    @Override
    public void close() {
        timing.close();
        super.close();
    }
}

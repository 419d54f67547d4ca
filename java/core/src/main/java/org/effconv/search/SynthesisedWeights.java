package org.effconv.search;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.stream.Stream;
import org.effconv.autodiff.Parameter;
import org.effconv.autodiff.Tape;
import org.effconv.autodiff.Variable;
import org.effconv.backend.Backend;
import org.effconv.backend.Support;
import org.effconv.choice.FoundSizes;
import org.effconv.choice.SizeProposals;
import org.effconv.choice.SizeRounding;
import org.effconv.cost.Budget;
import org.effconv.cost.Cost;
import org.effconv.cost.EqualCost;
import org.effconv.nn.SizedLayer;
import org.effconv.predict.CoordinateNetwork;
import org.effconv.predict.ElasticTable;
import org.effconv.predict.KernelPredictor;
import org.effconv.predict.SearchSettings;
import org.effconv.predict.SearchSettings.Update;
import org.effconv.predict.SizePredictor;
import org.effconv.predict.StepArena;
import org.effconv.predict.WeightSynthesis;
import org.effconv.search.sizes.SearchParts;
import org.effconv.search.sizes.SizeDraws;
import org.effconv.search.sizes.SizeFollower;
import org.effconv.tensor.Construction;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;
import org.effconv.train.TrainableWeights;

/**
 * The weights of a search: predicted sizes, predicted kernels, masks between them. In the first part of a search the
 * sizes stay at their start, in the last at what was found; between them both learn. All randomness derives from (seed,
 * step). In inference sizes are used as predicted.
 *
 * <p>What moves the sizes tells the kinds apart: {@link GradientWeights}, {@link SteadyWeights}, {@link RangeWeights}.
 */
public abstract class SynthesisedWeights implements TrainableWeights {
    final Backend backend;
    final DataType type;
    final List<SizedLayer> layers;
    final Cost cost;
    final SearchSettings settings;
    final double target; // NaN: no budget to meet, or several
    final SizePredictor sizePredictor;
    final KernelPredictor kernelPredictor;
    final SizeFollower follower;
    final SearchParts parts;
    final double[] start;
    private final boolean free; // draws may cost what they like
    private final long seed;

    private SizeDraws draws;
    private double[] sizes; // predicted, of the pass begun last
    private double[] used; // what its masks have: drawn around those, or judged
    private List<Variable> weights = List.of();
    private int[] grids; // that those lie on
    private Optional<double[]> fixed = Optional.empty(); // in place of the predictor's
    private Optional<double[]> judged = Optional.empty(); // in place of drawn ones
    private Optional<KernelPredictor.Condition> held = Optional.empty(); // what kernels know, for gradient checks

    /**
     * What a kind of search is.
     *
     * @param start soft sizes, one per layer
     * @param target cost to meet; NaN for none
     * @param free whether drawn sizes may cost what they like
     * @param budgets whether the size predictor is told one of several budgets
     * @param plain whether one budget is searched by the steady update
     */
    record Kind(double[] start, double target, boolean free, boolean budgets, boolean plain) {}

    SynthesisedWeights(Backend backend, DataType type, Cost cost, SearchSettings settings, long seed, Kind kind) {
        this.backend = backend;
        this.type = type;
        this.cost = cost;
        this.settings = settings;
        this.seed = seed;
        target = kind.target;
        free = kind.free;
        start = kind.start;
        sizes = start;
        layers = cost.layers();
        draws = new SizeDraws(cost, Cost.multiplyAdds(backend, cost.plan()), settings, free, seed);
        parts = new SearchParts(settings, kind.plain);
        Random random = new Random(seed);
        try (Construction construction = new Construction()) {
            sizePredictor = construction.own(new SizePredictor(backend, type, layers, start, kind.budgets, random));
            kernelPredictor = construction.own(
                    settings.kernels() == SearchSettings.Kernels.ELASTIC
                            ? new ElasticTable(backend, type, layers, random)
                            : new CoordinateNetwork(backend, type, layers, settings, random));
            follower = construction.own(new SizeFollower(backend, sizePredictor));
            construction.done();
        }
    }

    /**
     * For one budget, or none to meet.
     *
     * @param type of the parameters: F32, or F64 to verify gradients
     * @param cost the network's layers and costs
     * @param budget what the network may cost
     * @param seed of initial values and of every step's draws
     * @throws org.effconv.error.EffconvException.InvalidInput if the network cannot meet the budget
     */
    public static SynthesisedWeights of(
            Backend backend, DataType type, Cost cost, Budget budget, SearchSettings settings, long seed) {
        double target = budget.target(cost);
        return settings.update() == Update.GRADIENT
                ? new GradientWeights(backend, type, cost, target, settings, seed)
                : SteadyWeights.of(backend, type, cost, target, settings, seed);
    }

    /** Where the sizes of a search for one budget start. */
    static Kind kind(SearchSettings settings, Cost cost, double target) {
        boolean free = Double.isNaN(target);
        double uniform =
                settings.start() > 0 ? settings.start() : free ? Cost.LARGEST_SIZE : EqualCost.uniform(cost, target);
        double[] start = cost.layers().stream()
                .mapToDouble(layer -> Math.min(uniform, layer.kmax()))
                .toArray();
        boolean off = !free && (!settings.ceiling() || cost.soft(start).total() > target);
        return new Kind(
                off ? EqualCost.scaled(start, cost, target) : start,
                target,
                free,
                false,
                settings.update() == Update.STEADY);
    }

    /** Chooses no cheap draws, as a device does not whose grids are held: there a draw's own work says nothing. */
    public void drawAsTheyCome() {
        draws = new SizeDraws(cost, settings, free, seed);
    }

    // ---- what the kinds say -----------------------------------------------------------------------------------------

    /**
     * Runs the size predictor for a pass.
     *
     * @param learning whether the pass moves sizes
     */
    abstract SizePredictor.Sizes predict(Tape tape, Progress progress, boolean learning);

    /** Soft sizes of a pass, by what {@link #predict} gave. */
    double[] values(SizePredictor.Sizes predicted) {
        return sizePredictor.requireFinite(backend.readDoubles(predicted.v().value()));
    }

    /** The masks' sizes {@link #used} as a variable, whose gradient moves sizes if the pass does. */
    abstract Variable masks(Tape tape, SizePredictor.Sizes predicted, boolean learning);

    /** The soft sizes to take, as of now. */
    abstract double[] answer();

    // ---- a pass -----------------------------------------------------------------------------------------------------

    @Override
    public void begin(Tape tape, Progress progress) {
        finishEpoch();
        boolean learning = tape.recording() && judged.isEmpty() && parts.moving(progress);
        SizePredictor.Sizes predicted = predict(tape, progress, learning);
        double[] soft = fixed.isPresent() ? fixed.get().clone() : values(predicted);
        turnTo(soft, judged.isPresent() ? judged.get() : tape.recording() ? drawn(soft, progress) : soft);
        Variable v = masks(tape, predicted, learning);
        KernelPredictor.Condition condition = held.orElse(new KernelPredictor.Condition(sizes, predicted.u()));
        Support support = learning && settings.spareRing() ? Support.SIGNAL : Support.MASK;
        int[] on = new int[layers.size()];
        for (int l = 0; l < on.length; l++) {
            on[l] = backend.supportGrid(
                    settings.mask(), type, used[l], layers.get(l).kmax(), support);
        }
        double[] scales = WeightSynthesis.scales(backend, layers, condition.v());
        List<KernelPredictor.Kernel> kernels = kernelPredictor.kernels(tape, on, condition);
        take(WeightSynthesis.record(tape, settings.mask(), layers, v, on, scales, kernels), on);
    }

    /** The sizes of the pass that begins. */
    final void turnTo(double[] predicted, double[] masked) {
        sizes = predicted;
        used = masked;
    }

    final void take(List<Variable> made, int[] on) {
        weights = made;
        grids = on;
    }

    /** The grids of a step that may be repeated without being begun. */
    final void standOn(int[] on) {
        grids = on;
    }

    /** Drawn around predicted sizes for a step; in the last part of a search odd ones. */
    final double[] drawn(double[] predicted, Progress progress) {
        return parts.over(progress) && settings.spread() > 0
                ? draws.closing(answer(), progress.step())
                : draws.drawn(predicted, progress.step(), parts.moving(progress));
    }

    @Override
    public Variable weights(Tape tape, int index) {
        return weights.get(index);
    }

    /** On the grids of the masks, spare rings included. */
    @Override
    public double multiplyAdds() {
        return cost.plan().multiplyAdds(grids);
    }

    @Override
    public Optional<Object> stepKey() {
        return Optional.empty();
    }

    /** With the steady update the size predictor is moved by this class and gets no gradient on the tape. */
    @Override
    public List<Parameter> parameters() {
        return Stream.concat(sizePredictor.parameters().stream(), kernelPredictor.parameters().stream())
                .toList();
    }

    @Override
    public double learningRateFactor(Parameter p) {
        return sizePredictor.parameters().contains(p) ? settings.sizeRate() : 1;
    }

    // ---- what a search says -----------------------------------------------------------------------------------------

    /** Soft sizes of the pass begun last, as predicted. */
    public double[] sizes() {
        return sizes.clone();
    }

    /** Soft sizes that the search wants next. */
    public double[] wanted() {
        return sizes();
    }

    /**
     * Of the last step's class loss by the predicted sizes, the factors of the draw taken as constants; empty where the
     * step did not leave it.
     */
    public Optional<double[]> sizeGradient() {
        return Optional.empty();
    }

    /**
     * From now on use the sizes of the update themselves, and not what the size predictor makes of them: a baseline
     * without it.
     *
     * @throws IllegalStateException if sizes move through the predictor
     */
    public void withoutSizePredictor() {
        throw new IllegalStateException("sizes move through the size predictor");
    }

    /** Sizes that the masks of that pass had: drawn around those, or judged. */
    double[] used() {
        return used.clone();
    }

    /**
     * The sizes to take, as of now.
     *
     * @throws org.effconv.error.EffconvException.JobFailed if no odd sizes near the soft ones meet the budget
     */
    public FoundSizes found() {
        double[] soft = answer();
        int[] rounded = SizeRounding.round(soft, cost);
        int[] repaired = Double.isNaN(target)
                ? rounded
                : settings.ceiling() ? SizeRounding.under(soft, cost, target) : SizeRounding.repair(soft, cost, target);
        return new FoundSizes(soft, rounded, repaired, cost.at(repaired), target);
    }

    /**
     * Choices to judge, the likeliest first: odd sizes, one per layer. With a budget all of them meet it; without one
     * they are the odd sizes on either side of the soft ones, less the plain rounding, and may be none.
     */
    public List<int[]> proposals() {
        double[] soft = answer();
        return Double.isNaN(target)
                ? SizeProposals.roundings(soft, cost)
                : SizeProposals.of(soft, start, cost, target, settings.spread(), seed);
    }

    /**
     * From now on the masks have these sizes, one per layer, while kernels still know the predictor's own, as they do
     * when sizes are drawn around those: to judge a choice by the loss it gives.
     */
    public void judge(int[] chosen) {
        judged = Optional.of(Arrays.stream(chosen).asDoubleStream().toArray());
    }

    /** Ends {@link #judge}. */
    public void judgeNoMore() {
        judged = Optional.empty();
    }

    /** Predicted weights at integer sizes: per layer K * k * k * C values in (K, k, k, C) order. */
    public List<float[]> predictedWeights(int[] chosen) {
        Optional<double[]> before = fixed;
        try (StepArena arena = new StepArena(backend)) {
            setSoftSizes(Arrays.stream(chosen).asDoubleStream().toArray());
            begin(arena.tape(false), new Progress(0, 0));
            List<float[]> cropped = new ArrayList<>();
            for (int l = 0; l < layers.size(); l++) {
                Tensor w = weights.get(l).value();
                cropped.add(WeightSynthesis.centre(backend.readFloats(w), w.shape(), chosen[l]));
            }
            return cropped;
        } finally {
            fixed = before;
            weights = List.of();
        }
    }

    // ---- for gradient checks ----------------------------------------------------------------------------------------

    /** Holds what kernels know of the sizes, and a step's draw, as the stopped gradient does. */
    void holdCondition(long step) {
        SizePredictor.Sizes predicted = follower.predict();
        Tensor state = Tensor.allocate(backend.memory(), type, predicted.u().shape());
        backend.copy(predicted.u(), state);
        double[] v = backend.readDoubles(predicted.v().value());
        held = Optional.of(new KernelPredictor.Condition(v, state));
        draws.hold(v, step);
    }

    /** Soft sizes to use in place of the predicted ones; the loss still leaves its gradient. */
    void setSoftSizes(double[] v) {
        fixed = Optional.of(v.clone());
    }

    /** Ends {@link #setSoftSizes}. */
    void usePredictedSizes() {
        fixed = Optional.empty();
    }

    /** A constant or, if its gradient is wanted, an input that holds the masks' sizes. */
    final Variable leaf(Tape tape, boolean learning) {
        Tensor v = tape.allocate(type, Shape.of(used.length));
        backend.write(v, used);
        return learning ? tape.input(v) : tape.constant(v);
    }

    final double[] masked() {
        return used;
    }

    final double[] predicted() {
        return sizes;
    }

    @Override
    public void close() {
        held.ifPresent(condition -> condition.u().close());
        follower.close();
        sizePredictor.close();
        kernelPredictor.close();
    }
}

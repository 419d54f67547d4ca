package org.effconv.search;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.effconv.autodiff.Parameter;
import org.effconv.autodiff.Tape;
import org.effconv.autodiff.Variable;
import org.effconv.backend.Backend;
import org.effconv.backend.Support;
import org.effconv.choice.FoundSizes;
import org.effconv.choice.SizePath;
import org.effconv.choice.SizeProposals;
import org.effconv.choice.SizeRounding;
import org.effconv.cost.Budget;
import org.effconv.cost.BudgetRange;
import org.effconv.cost.Cost;
import org.effconv.cost.EqualCost;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.nn.SizedLayer;
import org.effconv.nn.WeightSource;
import org.effconv.predict.CoordinateNetwork;
import org.effconv.predict.ElasticTable;
import org.effconv.predict.KernelPredictor;
import org.effconv.predict.SearchSettings;
import org.effconv.predict.SearchSettings.Update;
import org.effconv.predict.SizePredictor;
import org.effconv.predict.StepArena;
import org.effconv.predict.WeightSynthesis;
import org.effconv.search.late.LateSizes;
import org.effconv.search.sizes.BudgetGrid;
import org.effconv.search.sizes.BudgetPenalty;
import org.effconv.search.sizes.SearchParts;
import org.effconv.search.sizes.SizeDraws;
import org.effconv.search.sizes.SizeFollower;
import org.effconv.search.sizes.SizeUpdate;
import org.effconv.search.sizes.SteadySizes;
import org.effconv.tensor.Construction;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;

/**
 * The weights of a search: predicted sizes, predicted kernels, masks between them. In the first part of a search the
 * sizes stay at their start, in the last at what was found; between them both learn. All randomness derives from (seed,
 * step). In inference sizes are used as predicted.
 */
public final class SynthesisedWeights implements WeightSource {
    private static final int START_ROUNDS = 100;
    private static final double START_WITHIN = 1e-3; // pixels

    private final Backend backend;
    private final DataType type;
    private final List<SizedLayer> layers;
    private final Cost cost;
    private final SearchSettings settings;
    private final double target;
    private final double[] start;
    private final long seed;
    private final SizePredictor sizePredictor;
    private final KernelPredictor kernelPredictor;
    private final SizeUpdate steady;
    private final BudgetGrid grid; // null with one budget
    private final SizeFollower follower;
    private SizeDraws draws;
    private final SearchParts parts;
    private final LateSizes late; // null: values are read where they are needed

    private boolean direct; // sizes come from the steady update, not from the predictor that follows it
    private double[] sizes; // predicted, of the step begun last
    private double[] used; // what its masks have: drawn around those, or judged
    private double[] fixedSizes; // null: the predictor's
    private double[] judgedSizes; // null: sizes are drawn
    private Variable
            sizeLeaf; // drawn sizes, where the class loss leaves dL/dv for the steady update; null while sizes do not
    // learn
    private Variable penalty;
    private List<Variable> weights = List.of();
    private int[] grids; // that those of the step begun last lie on
    private double[] heldSizes; // null unless the condition is held
    private Tensor heldState;

    /**
     * @param type of the parameters: F32, or F64 to verify gradients
     * @param cost the network's layers and costs
     * @param budget what the network may cost
     * @param seed of initial values and of every step's draws
     * @throws org.effconv.error.EffconvException.InvalidInput if the network cannot meet the budget
     */
    public SynthesisedWeights(
            Backend backend, DataType type, Cost cost, Budget budget, SearchSettings settings, long seed) {
        this(backend, type, cost, budget.target(cost), null, settings, seed);
    }

    /**
     * For a range of budgets.
     *
     * @throws org.effconv.error.EffconvException.InvalidInput if the network cannot meet them all
     */
    public SynthesisedWeights(
            Backend backend, DataType type, Cost cost, BudgetRange range, SearchSettings settings, long seed) {
        this(backend, type, cost, Double.NaN, grid(cost, range, settings), settings, seed);
    }

    private SynthesisedWeights(
            Backend backend,
            DataType type,
            Cost cost,
            double target,
            BudgetGrid grid,
            SearchSettings settings,
            long seed) {
        this.backend = backend;
        this.type = type;
        this.cost = cost;
        this.settings = settings;
        this.seed = seed;
        this.target = target;
        this.grid = grid;
        layers = cost.layers();
        start = grid == null ? start(settings, cost, target) : grid.start(BudgetGrid.middle());
        Random random = new Random(seed);
        draws = new SizeDraws(cost, Cost.multiplyAdds(backend, cost.plan()), settings, free(), seed);
        boolean readsLate = settings.update() == Update.STEADY && backend.readsLate();
        if (readsLate) {
            drawAsTheyCome();
        }
        parts = new SearchParts(settings, grid == null && settings.update() == Update.STEADY);
        steady = grid == null ? new SteadySizes(settings, cost, target, start) : grid;
        sizes = start;
        try (Construction construction = new Construction()) {
            sizePredictor = construction.own(new SizePredictor(backend, type, layers, start, grid != null, random));
            kernelPredictor = construction.own(
                    settings.kernels() == SearchSettings.Kernels.ELASTIC
                            ? new ElasticTable(backend, type, layers, random)
                            : new CoordinateNetwork(backend, type, layers, settings, random));
            follower = construction.own(new SizeFollower(backend, sizePredictor));
            late = readsLate
                    ? construction.own(new LateSizes(backend, type, layers, settings, sizePredictor, follower, steady))
                    : null;
            if (grid != null) {
                learnStarts();
            }
            construction.done();
        }
    }

    private boolean free() {
        return grid == null && Double.isNaN(target);
    }

    /** Chooses no cheap draws, as a device does not whose grids are held: there a draw's own work says nothing. */
    public void drawAsTheyCome() {
        draws = new SizeDraws(cost, settings, free(), seed);
    }

    private static BudgetGrid grid(Cost cost, BudgetRange range, SearchSettings settings) {
        if (settings.update() != Update.STEADY || settings.ceiling() || settings.start() != 0) {
            throw new InvalidInput(
                    "budget '" + range + "': a range is searched by the steady update from uniform sizes; "
                            + "expected neither --size-update gradient, --ceiling nor --start-size");
        }
        double[] ends = range.targets(cost);
        return new BudgetGrid(settings, cost, ends[0], ends[1]);
    }

    // The predictor starts at the middle budget's sizes whatever it is told; here it learns those of the others.
    private void learnStarts() {
        double off = Double.POSITIVE_INFINITY;
        for (int round = 0; round < START_ROUNDS && off > START_WITHIN; round++) {
            off = 0;
            for (int g = 0; g < BudgetGrid.COUNT; g++) {
                off = Math.max(off, follow(g));
            }
        }
    }

    /** One step of the predictor to the sizes wanted at a budget; by how many pixels it was off at most. */
    private double follow(int g) {
        follower.at(BudgetGrid.position(g));
        double[] v = backend.readDoubles(follower.predict().v().value());
        double[] wanted = grid.sizes(g);
        follower.moveTo(wanted);
        return IntStream.range(0, v.length)
                .mapToDouble(l -> Math.abs(v[l] - wanted[l]))
                .max()
                .orElseThrow();
    }

    private static double[] start(SearchSettings settings, Cost cost, double target) {
        double uniform = settings.start() > 0
                ? settings.start()
                : Double.isNaN(target) ? Cost.LARGEST_SIZE : EqualCost.uniform(cost, target);
        double[] start = cost.layers().stream()
                .mapToDouble(layer -> Math.min(uniform, layer.kmax()))
                .toArray();
        boolean off = !Double.isNaN(target)
                && (!settings.ceiling() || cost.soft(start).total() > target);
        return off ? EqualCost.scaled(start, cost, target) : start;
    }

    /**
     * On a device that hands values over late, the steady update works late ({@link LateSizes}), and its steps can be
     * recorded.
     */
    @Override
    public void prepare(Progress progress) {
        if (late != null) {
            steady.at(progress.step());
            double[] predicted = late.sizes(progress.step());
            sizes = direct ? steady.sizes() : predicted;
            used = drawn(progress);
            late.prepare(progress.step(), sizes, used, parts.moving(progress));
            grids = late.grids(); // here, since a step that is repeated is not begun
        }
    }

    @Override
    public Object stepKey(Progress progress) {
        return late == null ? null : late.key();
    }

    private void beginPrepared(Tape tape) {
        Variable v = late.learning() ? tape.input(late.drawn()) : tape.constant(late.drawn());
        sizeLeaf = late.learning() ? v : null;
        penalty = null;
        weights = WeightSynthesis.record(
                tape,
                settings.mask(),
                layers,
                v,
                grids,
                late.scales(),
                kernelPredictor.kernels(tape, late.grids(), late.condition()));
    }

    @Override
    public void afterStep(Progress progress) {
        if (late != null) {
            late.afterStep(parts.moved(progress), parts.movingSteps(progress));
        }
    }

    @Override
    public void finishEpoch() {
        if (late != null) {
            late.finish();
        }
    }

    private double[] drawn(Progress progress) {
        return parts.over(progress) && settings.spread() > 0
                ? draws.closing(steady.answer(), progress.step())
                : draws.drawn(sizes, progress.step(), parts.moving(progress));
    }

    @Override
    public void begin(Tape tape, Progress progress) {
        if (late != null && late.prepared()) {
            beginPrepared(tape);
            return;
        }
        finishEpoch();
        boolean learning = tape.recording() && judgedSizes == null && parts.moving(progress);
        boolean throughTape = learning && settings.update() == Update.GRADIENT;
        if (settings.update() == Update.GRADIENT) {
            follower.invalidate(); // the optimiser moves the predictor
        }
        if (grid != null) {
            grid.at(progress.step());
            follower.at(BudgetGrid.position(tape.recording() ? grid.budget(progress.step()) : BudgetGrid.middle()));
        }
        SizePredictor.Sizes predicted = throughTape ? sizePredictor.sizes(tape) : follower.predict();
        sizes = fixedSizes != null
                ? fixedSizes.clone()
                : direct
                        ? steady.sizes()
                        : sizePredictor.requireFinite(
                                backend.readDoubles(predicted.v().value()));
        used = judgedSizes != null ? judgedSizes : tape.recording() ? drawn(progress) : sizes;
        Variable v = throughTape ? moved(tape, predicted.v()) : sizeLeaf(tape, learning);
        sizeLeaf = learning && !throughTape ? v : null;
        penalty = throughTape ? BudgetPenalty.record(tape, predicted.v(), sizes, cost, target, settings) : null;
        KernelPredictor.Condition condition = heldSizes == null
                ? new KernelPredictor.Condition(sizes, predicted.u())
                : new KernelPredictor.Condition(heldSizes, heldState);
        weights =
                synthesise(tape, v, used, condition, learning && settings.spareRing() ? Support.SIGNAL : Support.MASK);
    }

    private Variable sizeLeaf(Tape tape, boolean learning) {
        Tensor v = tape.allocate(type, Shape.of(used.length));
        backend.write(v, used);
        return learning ? tape.input(v) : tape.constant(v);
    }

    // The predicted sizes moved to the drawn ones: a factor on each, which its gradient takes, too.
    private Variable moved(Tape tape, Variable v) {
        double[] factors = SizeDraws.factors(sizes, used);
        Tensor moved = tape.allocate(type, v.shape());
        backend.write(moved, used);
        return tape.record(moved, v.needsGradient(), dv -> {
            Tensor scaled = tape.allocate(type, v.shape());
            backend.write(scaled, SizeDraws.times(backend.readDoubles(dv), factors));
            tape.addGradient(v, scaled);
        });
    }

    private List<Variable> synthesise(
            Tape tape, Variable v, double[] values, KernelPredictor.Condition condition, Support support) {
        grids = new int[layers.size()];
        for (int l = 0; l < grids.length; l++) {
            grids[l] = backend.supportGrid(
                    settings.mask(), type, values[l], layers.get(l).kmax(), support);
        }
        double[] scales = WeightSynthesis.scales(backend, layers, condition.v());
        List<KernelPredictor.Kernel> kernels = kernelPredictor.kernels(tape, grids, condition);
        return WeightSynthesis.record(tape, settings.mask(), layers, v, grids, scales, kernels);
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

    /** The budget term of the GRADIENT update; null where the steady update keeps the budget itself. */
    @Override
    public Variable penalty(Tape tape) {
        return penalty;
    }

    @Override
    public void afterBackward(Tape tape, Progress progress) {
        if (sizeLeaf == null || sizeLeaf.gradient() == null) {
            return;
        }
        if (late != null && late.prepared()) {
            backend.copy(sizeLeaf.gradient(), late.gradient());
            return;
        }
        steady.update(sizes, sizeGradient(), parts.moved(progress), parts.movingSteps(progress));
        follower.moveTo(steady.sizes());
    }

    @Override
    public void observe(double loss) {
        steady.observe(loss);
    }

    /**
     * Of the last step's class loss by the predicted sizes, the factors of the draw taken as constants; null: sizes do
     * not learn.
     */
    public double[] sizeGradient() {
        if (sizeLeaf == null || sizeLeaf.gradient() == null) {
            return null;
        }
        return SizeDraws.times(backend.readDoubles(sizeLeaf.gradient()), SizeDraws.factors(sizes, used));
    }

    /** With the steady update the size predictor is moved here and gets no gradient on the tape. */
    @Override
    public List<Parameter> parameters() {
        return Stream.concat(sizePredictor.parameters().stream(), kernelPredictor.parameters().stream())
                .toList();
    }

    @Override
    public double learningRateFactor(Parameter p, Progress progress) {
        return sizePredictor.parameters().contains(p) ? settings.sizeRate() : 1;
    }

    /**
     * From now on use the sizes of the steady update themselves, and not what the size predictor makes of them: a
     * baseline without it.
     */
    public void withoutSizePredictor() {
        direct = true;
    }

    /** Soft sizes of the step begun last, as predicted. */
    public double[] sizes() {
        return sizes.clone();
    }

    /** Sizes that the masks of that step had: drawn around those, or judged. */
    double[] used() {
        return used.clone();
    }

    /** Soft sizes that the steady update wants next; the predictor follows them. */
    public double[] wanted() {
        return steady.sizes();
    }

    /**
     * The sizes to take, as of now.
     *
     * @throws org.effconv.error.EffconvException.JobFailed if no odd sizes near the soft ones meet the budget
     */
    public FoundSizes found() {
        double[] soft = settings.update() == Update.STEADY ? steady.answer() : sizes();
        int[] rounded = SizeRounding.round(soft, layers);
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
        double[] soft = settings.update() == Update.STEADY ? steady.answer() : sizes();
        if (Double.isNaN(target)) {
            return SizeProposals.roundings(soft, layers);
        }
        return SizeProposals.of(soft, start, cost, target, settings.spread(), seed);
    }

    /**
     * The sizes at every budget of the range, as of now.
     *
     * @throws IllegalStateException if there is one budget
     */
    public SizePath path() {
        if (grid == null) {
            throw new IllegalStateException("a search for one budget has no path");
        }
        return new SizePath(cost, grid.answers());
    }

    /** Wanted sizes at the middle budget of a range, and that budget. */
    public double[] middleSizes() {
        return grid.sizes(BudgetGrid.middle());
    }

    /** The middle budget of a range, in the cost's unit. */
    public double middleTarget() {
        return grid.targets()[BudgetGrid.middle()];
    }

    /**
     * From now on the masks have these sizes, one per layer, while kernels still know the predictor's own, as they do
     * when sizes are drawn around those; null: as before. To judge a choice by the loss it gives.
     */
    public void judge(int[] chosen) {
        judgedSizes =
                chosen == null ? null : Arrays.stream(chosen).asDoubleStream().toArray();
    }

    /** Predicted weights at integer sizes: per layer K * k * k * C values in (K, k, k, C) order. */
    public List<float[]> predictedWeights(int[] chosen) {
        double[] before = fixedSizes;
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
            fixedSizes = before;
            weights = List.of();
        }
    }

    /** Holds what kernels know of the sizes, and a step's draw, as the stopped gradient does: for gradient checks. */
    void holdCondition(long step) {
        SizePredictor.Sizes predicted = follower.predict();
        heldState = Tensor.allocate(backend.memory(), type, predicted.u().shape());
        backend.copy(predicted.u(), heldState);
        heldSizes = backend.readDoubles(predicted.v().value());
        draws.hold(heldSizes, step);
    }

    /** Soft sizes to use in place of the predicted ones, or null; the loss still leaves its gradient. */
    void setSoftSizes(double[] v) {
        fixedSizes = v == null ? null : v.clone();
    }

    @Override
    public Map<String, double[]> state() {
        finishEpoch();
        return steady.state();
    }

    @Override
    public void restore(Map<String, double[]> state) {
        if (late != null) {
            late.forget();
        }
        steady.restore(state);
        follower.invalidate();
    }

    @Override
    public void close() {
        if (heldState != null) {
            heldState.close();
        }
        if (late != null) {
            late.close();
        }
        follower.close();
        sizePredictor.close();
        kernelPredictor.close();
    }
}

package org.effconv.search.late;

import java.util.Arrays;
import java.util.List;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.effconv.backend.Backend;
import org.effconv.backend.Support;
import org.effconv.nn.SizedLayer;
import org.effconv.predict.CoordinateNetwork;
import org.effconv.predict.KernelPredictor;
import org.effconv.predict.SearchSettings;
import org.effconv.predict.SizePredictor;
import org.effconv.predict.WeightSynthesis;
import org.effconv.search.sizes.BudgetGrid;
import org.effconv.search.sizes.SizeDraws;
import org.effconv.search.sizes.SizeFollower;
import org.effconv.search.sizes.SizeUpdate;
import org.effconv.tensor.Construction;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;

/**
 * The steady update on a device that hands values over late ({@link Backend#readsLate}), so that no step waits for the
 * one before: once a step is under way, the update takes the gradient of the step before it and the predictor moves;
 * the sizes that it then says are on their way during the next step, and those of the step after it. So the gradient of
 * step i shows in the sizes of step i + 3, where values that are read at once show in step i + 1; with a range of
 * budgets, in the next step of that budget from there on. At the end of an epoch nothing is left open.
 *
 * <p>What a step draws stands in tensors that are written before it, on grids that are {@linkplain HeldGrids held}:
 * such steps can be recorded and repeated.
 */
public final class LateSizes implements AutoCloseable {
    private static final int ROWS = 3;
    // Standard deviations of a draw that held grids have room for. The more, the more steps are repeated, and the more
    // work each is, until
    // it is too much. Odd draws, where sizes do not learn, need smaller grids.
    static final double REACH = 1.5;
    static final double ODD_REACH = 1;
    private static final int ALIGNED = 16; // numbers: 64 bytes and more

    private final Backend backend;
    private final DataType type;
    private final List<SizedLayer> layers;
    private final SearchSettings settings;
    private final SizeFollower eager; // for the first step of an epoch
    private final SizeUpdate steady;
    private final LateFollower follower;
    private final HeldGrids[] wide; // per budget, of steps in which sizes learn
    private final HeldGrids[] narrow; // of the others
    private final Tensor numbers; // ROWS rows that go over together: drawn sizes, predicted ones over kmax, scales
    private final Tensor gradient; // (L), dL/dv of the step under way
    private boolean started; // the follower knows what the predictor says
    private Step step; // prepared; null: none
    private Pending pending; // the step before; null: none

    /** What is prepared. */
    private record Step(long number, double[] sizes, double[] drawn, boolean learning, HeldGrids.Choice choice) {}

    private record Pending(
            long number, double[] sizes, double[] drawn, Supplier<double[]> gradient, double fraction, double steps) {}

    /** Equal for steps that ask for the same operations. */
    private record Key(int budget, boolean learning, List<Integer> grids) {}

    public LateSizes(
            Backend backend,
            DataType type,
            List<SizedLayer> layers,
            SearchSettings settings,
            SizePredictor predictor,
            SizeFollower eager,
            SizeUpdate steady) {
        this.backend = backend;
        this.type = type;
        this.layers = layers;
        this.settings = settings;
        this.eager = eager;
        this.steady = steady;
        int n = layers.size();
        int budgets = steady.budgets();
        wide = grids(budgets);
        narrow = grids(budgets);
        try (Construction construction = new Construction()) {
            follower = construction.own(new LateFollower(backend, type, n, predictor, budgets));
            numbers = construction.own(Tensor.allocate(backend.memory(), type, Shape.of(ROWS, row())));
            gradient = construction.own(Tensor.allocate(backend.memory(), type, Shape.of(n)));
            backend.fill(gradient, 0);
            construction.done();
        }
    }

    private HeldGrids[] grids(int budgets) {
        return Stream.generate(() -> new HeldGrids(layers)).limit(budgets).toArray(HeldGrids[]::new);
    }

    private int row() {
        return (layers.size() + ALIGNED - 1) / ALIGNED * ALIGNED;
    }

    private Tensor numbers(int row, Shape shape) {
        return numbers.slice((long) row * row(), shape);
    }

    /** The predictor's sizes for the next step, whose number this is. */
    public double[] sizes(long number) {
        for (int g = 0; !started && g < steady.budgets(); g++) {
            if (steady.budgets() > 1) {
                eager.at(BudgetGrid.position(g));
            }
            follower.start(g, eager.predict());
        }
        started = true;
        return follower.sizes(steady.budget(number));
    }

    /**
     * Writes what the next step draws.
     *
     * @param number the step's
     * @param sizes soft sizes, as predicted
     * @param drawn around them
     * @param learning whether sizes learn in that step
     */
    public void prepare(long number, double[] sizes, double[] drawn, boolean learning) {
        Support support = learning && settings.spareRing() ? Support.SIGNAL : Support.MASK;
        HeldGrids.Choice choice = (learning ? wide : narrow)
                [steady.budget(number)].next(
                        sizes,
                        drawn,
                        reach(sizes, learning ? REACH : ODD_REACH),
                        (l, v) -> backend.supportGrid(
                                settings.mask(), type, v, layers.get(l).kmax(), support));
        double[][] rows = {
            drawn, CoordinateNetwork.relative(layers, sizes), WeightSynthesis.scales(backend, layers, sizes)
        };
        double[] all = new double[ROWS * row()];
        for (int r = 0; r < ROWS; r++) {
            System.arraycopy(rows[r], 0, all, r * row(), sizes.length);
        }
        backend.write(numbers, all);
        step = new Step(number, sizes, drawn, learning, choice);
    }

    private double[] reach(double[] sizes, double deviations) {
        double up = Math.exp(deviations * settings.spread()) - 1;
        return Arrays.stream(sizes).map(v -> up * v).toArray();
    }

    /** Whether a step is prepared that is not yet under way. */
    public boolean prepared() {
        return step != null;
    }

    public boolean learning() {
        return step.learning;
    }

    public int[] grids() {
        return step.choice.grids();
    }

    public Object key() {
        return step.choice.shared()
                ? new Key(
                        steady.budget(step.number),
                        step.learning,
                        Arrays.stream(grids()).boxed().toList())
                : null;
    }

    /** Drawn sizes (L), where the gradient is taken. */
    public Tensor drawn() {
        return numbers(0, Shape.of(layers.size()));
    }

    /** Scales of the kernels (L). */
    public Tensor scales() {
        return numbers(2, Shape.of(layers.size()));
    }

    public KernelPredictor.Condition condition() {
        return new KernelPredictor.Condition(
                step.sizes, follower.states(steady.budget(step.number)), numbers(1, Shape.of(layers.size(), 1)));
    }

    /** Where the prepared step has to leave dL/dv (L). */
    public Tensor gradient() {
        return gradient;
    }

    /**
     * The prepared step is under way: takes up the one before.
     *
     * @param fraction how far the steps with moving sizes have come
     * @param steps how many of them there are
     */
    public void afterStep(double fraction, double steps) {
        Step issued = step;
        step = null;
        Pending before = pending;
        pending = issued.learning
                ? new Pending(issued.number, issued.sizes, issued.drawn, backend.readLater(gradient), fraction, steps)
                : null;
        if (before != null) {
            update(before);
        } else {
            follower.takeIn();
        }
    }

    private void update(Pending p) {
        steady.at(p.number);
        steady.update(
                p.sizes, SizeDraws.times(p.gradient.get(), SizeDraws.factors(p.sizes, p.drawn)), p.fraction, p.steps);
        follower.takeIn();
        // The gradient of the next step moves the predictor next; before that the step two later is prepared.
        follower.moveTo(
                steady.budget(p.number), steady.sizes(), steady.budget(p.number + 1), steady.budget(p.number + 3));
        eager.invalidate();
    }

    /** Takes up what is still under way; the next step begins with what the predictor then says. */
    public void finish() {
        if (pending != null) {
            Pending last = pending;
            pending = null;
            update(last);
        }
        follower.takeIn();
        started = false;
        Stream.of(wide, narrow).flatMap(Arrays::stream).forEach(HeldGrids::reset);
    }

    /** Drops what is still under way: the predictor is another's from here on. */
    public void forget() {
        if (pending != null) {
            double[] unused = pending.gradient.get();
            pending = null;
        }
        finish();
    }

    @Override
    public void close() {
        follower.close();
        numbers.close();
        gradient.close();
    }
}

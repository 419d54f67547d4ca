package org.effconv.search.late;

import java.util.Arrays;
import java.util.List;
import java.util.function.IntFunction;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.effconv.autodiff.Tape;
import org.effconv.backend.Backend;
import org.effconv.predict.SizePredictor;
import org.effconv.predict.StepArena;
import org.effconv.search.sizes.BudgetGrid;
import org.effconv.search.sizes.SizeFollower;
import org.effconv.tensor.Construction;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;

/**
 * {@link SizeFollower}'s step on a device that hands values over late: the same step, which such a device can record,
 * followed by runs of the predictor whose sizes are on their way to the host when {@link #moveTo} returns. With a range
 * of budgets it is moved at one and then asked at two others, those of steps to come.
 */
final class LateFollower implements AutoCloseable {
    private static final int ALIGNED = 16; // numbers: 64 bytes and more

    private final Backend backend;
    private final SizePredictor predictor;
    private final StepArena arena;
    private final Object key = new Object() {
        @Override
        public String toString() {
            return "of the size predictor";
        }
    };
    private final Tensor[] codes; // of each budget of a range
    private final Tensor told; // codes that the predictor is moved at
    private final Tensor[] asked; // and those that it is asked at then
    private final Tensor sizes; // (asked, row), what it says
    private final Tensor numbers; // of these, those up to the last one
    private final Tensor[] said; // per asked codes (L, 2 hidden)
    private final Tensor[] states; // per budget (L, 2 hidden), taken in
    private final double[][] known; // per budget, sizes with these states
    private final Tensor gradient; // (L), see SizeFollower.SizeError
    private final int row; // numbers from one row to the next, so that each is aligned
    private double factor;
    private int[] askedOf; // budgets that were asked for
    private Supplier<double[]> read; // their sizes, on their way; null: none are

    LateFollower(Backend backend, DataType type, int layers, SizePredictor predictor, int budgets) {
        this.backend = backend;
        this.predictor = predictor;
        row = (layers + ALIGNED - 1) / ALIGNED * ALIGNED;
        arena = new StepArena(backend);
        boolean range = budgets > 1;
        Shape ofStates = Shape.of(layers, 2 * SizePredictor.HIDDEN);
        try (Construction construction = new Construction()) {
            codes = range
                    ? tensors(budgets, g -> construction.own(predictor.codesAt(BudgetGrid.position(g))))
                    : new Tensor[0];
            told = range ? construction.own(predictor.codesAt(0)) : predictor.codes();
            asked = range ? tensors(2, i -> construction.own(predictor.codesAt(0))) : new Tensor[] {told};
            sizes = construction.own(Tensor.allocate(backend.memory(), type, Shape.of(asked.length, row)));
            numbers = sizes.slice(0, Shape.of((asked.length - 1) * row + layers));
            said = tensors(asked.length, i -> construction.own(Tensor.allocate(backend.memory(), type, ofStates)));
            states = tensors(budgets, g -> construction.own(Tensor.allocate(backend.memory(), type, ofStates)));
            gradient = construction.own(Tensor.allocate(backend.memory(), type, Shape.of(layers)));
            backend.fill(sizes, 0);
            construction.done();
        }
        known = new double[budgets][];
    }

    private static Tensor[] tensors(int count, IntFunction<Tensor> tensor) {
        return IntStream.range(0, count).mapToObj(tensor).toArray(Tensor[]::new);
    }

    /** Takes what the predictor, as it is now, says at a budget. */
    void start(int budget, SizePredictor.Sizes predicted) {
        known[budget] =
                predictor.requireFinite(backend.readDoubles(predicted.v().value()));
        backend.copy(predicted.u(), states[budget]);
    }

    /** Takes in what the predictor said since it last moved, if it did; may wait for that step. */
    void takeIn() {
        if (read == null) {
            return;
        }
        double[] rows = read.get();
        read = null;
        for (int i = 0; i < askedOf.length; i++) {
            known[askedOf[i]] =
                    predictor.requireFinite(Arrays.copyOfRange(rows, i * row, i * row + known[askedOf[i]].length));
            backend.copy(said[i], states[askedOf[i]]);
        }
    }

    /** What the predictor said of a budget, as taken in last. */
    double[] sizes(int budget) {
        return known[budget].clone();
    }

    /** The states behind {@link #sizes}. */
    Tensor states(int budget) {
        return states[budget];
    }

    /**
     * One step of the predictor towards the sizes wanted at a budget; then it is asked at two budgets.
     *
     * @param next whose step towards its wanted sizes comes next
     * @param later whose sizes are needed then
     */
    void moveTo(int budget, double[] wanted, int next, int later) {
        SizeFollower.SizeError error = SizeFollower.error(predictor, known[budget], wanted);
        if (error.square() == 0) {
            return; // of a range, what was said of the others stays in use
        }
        backend.write(gradient, error.gradient());
        factor = -error.square();
        if (codes.length == 0) {
            askedOf = new int[] {budget};
        } else {
            askedOf = new int[] {next, later};
            backend.copy(codes[budget], told);
            backend.copy(codes[next], asked[0]);
            backend.copy(codes[later], asked[1]);
        }
        backend.step(key, () -> {
            move();
            return null;
        });
        read = backend.readLater(numbers);
    }

    private void move() {
        Tape tape = arena.tape(true);
        SizeFollower.step(
                predictor, tape, predictor.sizes(tape, told).v(), dv -> backend.copy(gradient, dv), () -> factor);
        for (int i = 0; i < asked.length; i++) {
            SizePredictor.Sizes moved = predictor.sizes(arena.tape(false), asked[i]);
            backend.copy(
                    moved.v().value(), sizes.slice((long) i * row, moved.v().shape()));
            backend.copy(moved.u(), said[i]);
        }
    }

    @Override
    public void close() {
        arena.close();
        Stream<Tensor> ofRange = codes.length == 0
                ? Stream.empty()
                : Stream.of(List.of(codes), List.of(asked), List.of(told)).flatMap(List::stream);
        Stream.of(ofRange, Stream.of(said), Stream.of(states), Stream.of(sizes, gradient))
                .flatMap(s -> s)
                .forEach(Tensor::close);
    }
}

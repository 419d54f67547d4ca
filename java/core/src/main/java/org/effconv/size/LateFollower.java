package org.effconv.size;

import java.util.function.Supplier;
import org.effconv.autodiff.Tape;
import org.effconv.backend.Backend;
import org.effconv.nn.SizedLayer;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;

/**
 * {@link SizeFollower}'s step on a device that hands values over late: the same step, which such a device can record, followed by
 * a run of the predictor whose sizes are on their way to the host when {@link #moveTo} returns.
 */
final class LateFollower implements AutoCloseable {
    private final Backend backend;
    private final SizePredictor predictor;
    private final StepArena arena;
    private final Object key = new Object() {
        @Override
        public String toString() {
            return "of the size predictor";
        }
    };
    private final Tensor sizes; // (L), what the predictor says
    private final Tensor states; // (L, 2 hidden)
    private final Tensor gradient; // (L), see SizeFollower.Error
    private double factor;
    private Supplier<double[]> read; // the sizes on the host

    LateFollower(Backend backend, DataType type, int layers, SizePredictor predictor) {
        this.backend = backend;
        this.predictor = predictor;
        arena = new StepArena(backend);
        sizes = Tensor.allocate(backend.memory(), type, Shape.of(layers));
        states = Tensor.allocate(backend.memory(), type, Shape.of(layers, 2 * SizePredictor.HIDDEN));
        gradient = Tensor.allocate(backend.memory(), type, Shape.of(layers));
    }

    /** Takes what the predictor, as it is now, says. */
    void start(SizePredictor.Sizes predicted, double[] values) {
        backend.copy(predicted.u(), states);
        read = values::clone;
    }

    /** What the predictor says since it last moved; may wait for that step. */
    double[] sizes() {
        return read.get();
    }

    /** The states behind {@link #sizes}. */
    Tensor states() {
        return states;
    }

    /** One step of the predictor towards sizes {@code wanted}. */
    void moveTo(double[] wanted) {
        SizeFollower.Error error = SizeFollower.error(predictor, sizes(), wanted);
        if (error.square() == 0) {
            return;
        }
        backend.write(gradient, error.gradient());
        factor = -error.square();
        backend.step(key, () -> {
            move();
            return null;
        });
        read = backend.readLater(sizes);
    }

    private void move() {
        Tape tape = arena.tape(true);
        SizeFollower.step(predictor, tape, predictor.sizes(tape).v(), dv -> backend.copy(gradient, dv), () -> factor);
        SizePredictor.Sizes moved = predictor.sizes(arena.tape(false));
        backend.copy(moved.v().value(), sizes);
        backend.copy(moved.u(), states);
    }

    @Override
    public void close() {
        arena.close();
        sizes.close();
        states.close();
        gradient.close();
    }
}

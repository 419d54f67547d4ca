package org.effconv.search.sizes;

import java.util.List;
import java.util.function.Consumer;
import java.util.function.DoubleSupplier;
import org.effconv.autodiff.Parameter;
import org.effconv.autodiff.Tape;
import org.effconv.autodiff.Variable;
import org.effconv.backend.Backend;
import org.effconv.predict.SizePredictor;
import org.effconv.predict.StepArena;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;

/**
 * Moves the size predictor to wanted sizes. The error e of the logits goes back through the predictor as gradient g =
 * J^T e; the step e.e / g.g * g cancels the error's own component to first order, and is nothing where there is no
 * error: the predictor keeps the steadiness of the sizes it follows, which an optimiser with normalised steps would
 * lose.
 */
public final class SizeFollower implements AutoCloseable {
    private static final double LARGEST_STEP = 1; // of a logit error, so that the linear model holds

    private final Backend backend;
    private final SizePredictor predictor;
    private final StepArena arena;
    private Tape tape;
    private SizePredictor.Sizes predicted; // null: to be run again

    public SizeFollower(Backend backend, SizePredictor predictor) {
        this.backend = backend;
        this.predictor = predictor;
        arena = new StepArena(backend);
    }

    /** Turns to a budget of the range, 0 to 1 in log P; only with a predictor that takes one. */
    public void at(double position) {
        if (predictor.setBudget(position)) {
            invalidate();
        }
    }

    /** What the predictor says; it is run only if it has moved since the last call. The result holds until it moves. */
    public SizePredictor.Sizes predict() {
        if (predicted == null) {
            tape = arena.tape(true);
            predicted = predictor.sizes(tape);
        }
        return predicted;
    }

    /** Tells that somebody else has changed the predictor's parameters. */
    public void invalidate() {
        predicted = null;
    }

    /** One step of the predictor of {@link #predict} towards sizes {@code wanted}. */
    public void moveTo(double[] wanted) {
        SizeError error = error(predictor, backend.readDoubles(predicted.v().value()), wanted);
        if (error.square != 0) {
            step(predictor, tape, predicted.v(), dv -> backend.write(dv, error.gradient), () -> -error.square);
            invalidate();
        }
    }

    /**
     * How far predicted sizes are from wanted ones.
     *
     * @param gradient by the sizes, of half the squared error of the logits
     * @param square e.e
     */
    public record SizeError(double[] gradient, double square) {}

    public static SizeError error(SizePredictor predictor, double[] v, double[] wanted) {
        predictor.requireFinite(v);
        double[] gradient = new double[v.length];
        double square = 0;
        for (int l = 0; l < v.length; l++) {
            double difference = predictor.logit(l, v[l]) - predictor.logit(l, wanted[l]);
            double error = Math.max(-LARGEST_STEP, Math.min(LARGEST_STEP, difference));
            gradient[l] = error / predictor.slope(l, v[l]);
            square += error * error;
        }
        return new SizeError(gradient, square);
    }

    /**
     * The step.
     *
     * @param v what the predictor said, on {@code tape}
     * @param gradient puts {@link SizeError#gradient} into a tensor
     * @param factor -{@link SizeError#square}
     */
    public static void step(
            SizePredictor predictor, Tape tape, Variable v, Consumer<Tensor> gradient, DoubleSupplier factor) {
        Tensor scalar = tape.allocate(v.value().type(), Shape.of(1)); // its gradient by v is the given one
        tape.backward(tape.record(scalar, true, ignored -> {
            Tensor dv = tape.allocate(v.value().type(), v.shape());
            gradient.accept(dv);
            tape.addGradient(v, dv);
        }));
        List<Parameter> parameters = predictor.parameters();
        tape.backend()
                .accumulateNormalised(
                        parameters.stream().map(tape::gradient).toList(),
                        factor,
                        parameters.stream().map(Parameter::value).toList());
    }

    @Override
    public void close() {
        arena.close();
    }
}

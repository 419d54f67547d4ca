package org.effconv.size;

import java.util.List;
import org.effconv.autodiff.Parameter;
import org.effconv.autodiff.Tape;
import org.effconv.autodiff.Variable;
import org.effconv.backend.Backend;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;

/**
 * Moves the size predictor to wanted sizes. The error e of the logits goes back through the predictor as gradient
 * g = J^T e; the step e.e / g.g * g cancels the error's own component to first order, and is nothing where there is no
 * error: the predictor keeps the steadiness of the sizes it follows, which an optimiser with normalised steps would lose.
 */
final class SizeFollower implements AutoCloseable {
    private static final double LARGEST_STEP = 1; // of a logit error, so that the linear model holds

    private final Backend backend;
    private final SizePredictor predictor;
    private final StepArena arena;
    private Tape tape;
    private SizePredictor.Sizes predicted; // null: to be run again

    SizeFollower(Backend backend, SizePredictor predictor) {
        this.backend = backend;
        this.predictor = predictor;
        arena = new StepArena(backend);
    }

    /** Turns to a budget of the range, 0 to 1 in log P; only with a predictor that takes one. */
    void at(double position) {
        if (predictor.setBudget(position)) {
            invalidate();
        }
    }

    /** What the predictor says; it is run only if it has moved since the last call. The result holds until it moves. */
    SizePredictor.Sizes predict() {
        if (predicted == null) {
            tape = arena.tape(true);
            predicted = predictor.sizes(tape);
        }
        return predicted;
    }

    /** Tells that somebody else has changed the predictor's parameters. */
    void invalidate() {
        predicted = null;
    }

    /** One step of the predictor of {@link #predict} towards sizes {@code wanted}. */
    void moveTo(double[] wanted) {
        double[] v = backend.readDoubles(predicted.v().value());
        double[] error = new double[v.length];
        double[] gradient = new double[v.length];
        double square = 0;
        for (int l = 0; l < v.length; l++) {
            double difference = predictor.logit(l, v[l]) - predictor.logit(l, wanted[l]);
            error[l] = Math.max(-LARGEST_STEP, Math.min(LARGEST_STEP, difference));
            gradient[l] = error[l] / predictor.slope(l, v[l]);
            square += error[l] * error[l];
        }
        if (square == 0) {
            return;
        }
        tape.backward(seed(gradient));
        List<Parameter> parameters = predictor.parameters();
        double norm = square;
        backend.accumulateNormalised(
                parameters.stream().map(tape::gradient).toList(), () -> -norm, parameters.stream().map(Parameter::value).toList());
        invalidate();
    }

    // A scalar whose gradient by v is the given one.
    private Variable seed(double[] gradient) {
        Variable v = predicted.v();
        Tensor scalar = tape.allocate(v.value().type(), Shape.of(1));
        return tape.record(scalar, true, ignored -> {
            Tensor dv = tape.allocate(v.value().type(), v.shape());
            backend.write(dv, gradient);
            tape.addGradient(v, dv);
        });
    }

    @Override
    public void close() {
        arena.close();
    }
}

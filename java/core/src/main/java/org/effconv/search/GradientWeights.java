package org.effconv.search;

import java.util.Optional;
import org.effconv.autodiff.Tape;
import org.effconv.autodiff.Variable;
import org.effconv.backend.Backend;
import org.effconv.cost.Cost;
import org.effconv.predict.SearchSettings;
import org.effconv.predict.SizePredictor;
import org.effconv.search.sizes.BudgetPenalty;
import org.effconv.search.sizes.SizeDraws;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Tensor;

/**
 * The paper's own update: class loss and budget term go end to end through masks and size predictor, and the optimiser
 * moves both predictors.
 */
final class GradientWeights extends SynthesisedWeights {
    private Optional<Variable> penalty = Optional.empty();

    GradientWeights(Backend backend, DataType type, Cost cost, double target, SearchSettings settings, long seed) {
        super(backend, type, cost, settings, seed, kind(settings, cost, target));
    }

    @Override
    SizePredictor.Sizes predict(Tape tape, Progress progress, boolean learning) {
        follower.invalidate(); // the optimiser moves the predictor
        return learning ? sizePredictor.sizes(tape) : follower.predict();
    }

    @Override
    Variable masks(Tape tape, SizePredictor.Sizes predicted, boolean learning) {
        if (!learning) {
            penalty = Optional.empty();
            return leaf(tape, false);
        }
        Variable v = moved(tape, predicted.v());
        penalty = Optional.of(BudgetPenalty.record(tape, predicted.v(), predicted(), cost, target, settings));
        return v;
    }

    // The predicted sizes moved to the drawn ones: a factor on each, which its gradient takes, too.
    private Variable moved(Tape tape, Variable v) {
        double[] factors = SizeDraws.factors(predicted(), masked());
        Tensor moved = tape.allocate(type, v.shape());
        backend.write(moved, masked());
        return tape.record(moved, v.needsGradient(), dv -> {
            Tensor scaled = tape.allocate(type, v.shape());
            backend.write(scaled, SizeDraws.times(backend.readDoubles(dv), factors));
            tape.addGradient(v, scaled);
        });
    }

    @Override
    public Optional<Variable> penalty() {
        return penalty;
    }

    @Override
    double[] answer() {
        return sizes();
    }
}

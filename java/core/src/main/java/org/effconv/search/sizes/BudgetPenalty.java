package org.effconv.search.sizes;

import org.effconv.autodiff.Tape;
import org.effconv.autodiff.Variable;
import org.effconv.backend.Backend;
import org.effconv.cost.Cost;
import org.effconv.predict.SearchSettings;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;

/**
 * The budget's term of the loss: price * |log(P(v) / P*)|, price * max(0, log(P(v) / P*)) for a ceiling, price * log
 * P(v) without a target.
 */
public final class BudgetPenalty {
    private BudgetPenalty() {}

    /**
     * @param v soft sizes (L)
     * @param sizes their values
     */
    public static Variable record(
            Tape tape, Variable v, double[] sizes, Cost cost, double target, SearchSettings settings) {
        Backend backend = tape.backend();
        Cost.Soft soft = cost.soft(sizes);
        double log = Math.log(soft.total() / (Double.isNaN(target) ? 1 : target));
        double sign = Double.isNaN(target) ? 1 : settings.ceiling() ? (log > 0 ? 1 : 0) : Math.signum(log);
        Tensor value = tape.allocate(v.value().type(), Shape.of(1));
        backend.fill(value, settings.price() * sign * log);
        return tape.record(value, v.needsGradient(), gradient -> {
            double outer = backend.readDoubles(gradient)[0] * settings.price() * sign / soft.total();
            double[] dv = new double[sizes.length];
            for (int l = 0; l < dv.length; l++) {
                dv[l] = outer * soft.slopes()[l];
            }
            Tensor dsizes = tape.allocate(v.value().type(), v.shape());
            backend.write(dsizes, dv);
            tape.addGradient(v, dsizes);
        });
    }
}

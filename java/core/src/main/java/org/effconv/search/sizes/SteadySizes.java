package org.effconv.search.sizes;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.effconv.cost.Cost;
import org.effconv.cost.EqualCost;
import org.effconv.cost.FiniteSizes;
import org.effconv.nn.SizedLayer;
import org.effconv.predict.SearchSettings;

/**
 * Where the sizes should go: the steady update of x = log v under a budget.
 *
 * <p>Each step brings the pulls q_l = v_l dL/dv_l of the class loss. Their running mean, as far as it stands out of the
 * noise, less its component along n_l = d log P / d log v_l where a budget is met, plus the price times n where there
 * is none, over the running root mean square of all pulls, times a step that falls along half a cosine, moves x; then
 * one common factor on all sizes restores the budget. One scale for all layers keeps the pulls' proportions: a layer
 * that the loss does not care for hardly moves, where Adam's normalised steps would let it drift with the noise. The
 * mean of x over the last part of the search is the answer.
 */
public final class SteadySizes implements SizeUpdate {
    private static final double LARGEST_PULL = 3; // of a layer's mean pull, in root mean squares
    // A search of fewer moving steps travels less, in steps no longer than these: so few pulls say little, and long
    // steps threw sizes about.
    private static final double FEWEST_STEPS = 80;
    // Fraction of the moving steps over which the price rises to its full height. One that is there before the kernels
    // serve
    // their sizes shrinks what the task would need, for good.
    private static final double ANNEALED_BY = 0.5;
    // Nor may it push before the network has learned anything: it is in full only where this part of the loss of a
    // blind guess is gone.
    private static final double LEARNED = 0.25;
    // Of travel and horizon, under a price: what it takes away too much is not given back, as kernels soon forget what
    // they are no longer
    // drawn at. So it goes slowly, and the mean pull turns round soon.
    private static final double CAREFUL = 0.5;

    private final SearchSettings settings;
    private final Cost cost;
    private final double target; // P*; NaN without one
    private final double pace;
    private final double[] most; // log of each layer's largest size
    private final double[] x;
    private final double[] mean;
    private final double[] settled;
    private final double[] squares;
    private double meanWeight; // of the running mean, for its bias at the start
    private double squareOfWeights;
    private double square;
    private double squareWeight;
    private double settledSteps;
    private double lastLoss = Double.NaN; // class loss of a step; NaN: nobody tells
    private double loss; // running mean
    private double lossWeight;

    /**
     * @param start sizes that the search starts at; with a budget, a multiple of them that meets it
     * @param target P*, or NaN
     */
    public SteadySizes(SearchSettings settings, Cost cost, double target, double[] start) {
        this.settings = settings;
        this.cost = cost;
        this.target = target;
        pace = hasBudget() ? 1 : CAREFUL;
        List<SizedLayer> layers = cost.layers();
        most = layers.stream().mapToDouble(layer -> Math.log(layer.kmax())).toArray();
        x = Arrays.stream(start).map(Math::log).toArray();
        for (int l = 0; l < x.length; l++) {
            x[l] = clamp(x[l], l);
        }
        restore(x);
        mean = new double[x.length];
        squares = new double[x.length];
        settled = new double[x.length];
    }

    @Override
    public double[] sizes() {
        return exponential(x);
    }

    /**
     * The answer: the mean over the last part, meeting the budget again (below a ceiling: as it is); the wanted sizes
     * before that part.
     */
    @Override
    public double[] answer() {
        if (settledSteps == 0) {
            return sizes();
        }
        double[] average = Arrays.stream(settled).map(s -> s / settledSteps).toArray();
        restore(average);
        return exponential(average);
    }

    @Override
    public void update(double[] v, double[] gradient, double fraction, double steps) {
        FiniteSizes.require("loss gradient by the size", gradient, cost.layers());
        double[] normal = normal(v);
        double price = hasBudget() ? 0 : settings.price() * Math.min(1, fraction / ANNEALED_BY) * learned();
        double[] pull = new double[v.length];
        for (int l = 0; l < v.length; l++) {
            pull[l] = v[l] * gradient[l];
        }
        average(pull, normal, price, Math.max(1, pace * settings.horizon() * steps));
        double rms = Math.sqrt(square / squareWeight);
        if (rms > 0) {
            double[] direction = significantPulls();
            for (int l = 0; l < x.length; l++) {
                direction[l] += price * normal[l];
            }
            if (onBudget(direction, normal)) {
                removeComponent(direction, normal);
            }
            double step =
                    pace * settings.travel() / Math.max(steps, FEWEST_STEPS) * 0.5 * (1 + Math.cos(Math.PI * fraction));
            for (int l = 0; l < x.length; l++) {
                double relative = Math.max(-LARGEST_PULL, Math.min(LARGEST_PULL, direction[l] / rms));
                x[l] = clamp(x[l] - step * relative, l);
            }
        }
        restore(x);
        if (fraction >= 1 - settings.settle()) {
            settledSteps++;
            for (int l = 0; l < x.length; l++) {
                settled[l] += x[l];
            }
        }
    }

    @Override
    public void observe(double loss) {
        lastLoss = loss;
    }

    // 0: the loss is a blind guess's, log(classes); 1: LEARNED of that is gone.
    private double learned() {
        if (lossWeight == 0) {
            return Double.isNaN(lastLoss) ? 1 : 0;
        }
        double gone = 1 - loss / lossWeight / Math.log(cost.plan().input().classes());
        return Math.max(0, Math.min(1, gone / LEARNED));
    }

    private boolean hasBudget() {
        return !Double.isNaN(target);
    }

    // d log P / d log v.
    private double[] normal(double[] v) {
        double[] inside = new double[v.length]; // at its largest size a layer can only shrink: the slope from there
        Arrays.setAll(inside, l -> Math.min(v[l], cost.layers().get(l).kmax() * (1 - 1e-9)));
        Cost.Soft soft = cost.soft(inside);
        double[] normal = new double[v.length];
        for (int l = 0; l < v.length; l++) {
            normal[l] = v[l] * soft.slopes()[l] / soft.total();
        }
        return normal;
    }

    private void average(double[] pull, double[] normal, double price, double horizon) {
        double keep = 1 - 1 / horizon;
        double keepSquare = 1 - 1 / (4 * horizon);
        double sum = 0;
        if (!Double.isNaN(lastLoss)) {
            loss = keep * loss + (1 - keep) * lastLoss;
            lossWeight = keep * lossWeight + 1 - keep;
        }
        for (int l = 0; l < pull.length; l++) {
            mean[l] = keep * mean[l] + (1 - keep) * pull[l];
            squares[l] = keep * squares[l] + (1 - keep) * pull[l] * pull[l];
            double priced = pull[l] + price * normal[l];
            sum += priced * priced;
        }
        meanWeight = keep * meanWeight + (1 - keep);
        squareOfWeights = keep * keep * squareOfWeights + (1 - keep) * (1 - keep);
        square = keepSquare * square + (1 - keepSquare) * sum / pull.length;
        squareWeight = keepSquare * squareWeight + (1 - keepSquare);
    }

    // The running mean, each layer's shrunk by how much of it is noise: m (1 - s^2 / m^2), at least 0, with s^2 the
    // variance
    // of the mean (James and Stein's positive part). Layers without a clear pull stay where they are, and none drifts
    // while
    // its kernels have learned nothing yet.
    private double[] significantPulls() {
        double[] pulls = new double[mean.length];
        double unbiased = squareOfWeights / (meanWeight * meanWeight); // 1 / effective number of pulls in the mean
        for (int l = 0; l < pulls.length; l++) {
            double m = mean[l] / meanWeight;
            double variance = Math.max(0, squares[l] / meanWeight - m * m) * unbiased / Math.max(1e-9, 1 - unbiased);
            pulls[l] = m * m > variance ? m - variance / m : 0;
        }
        return pulls;
    }

    // Below a ceiling, and pulled further down, the budget does not bind.
    private boolean onBudget(double[] direction, double[] normal) {
        if (!hasBudget() || !settings.ceiling()) {
            return hasBudget();
        }
        double along = dot(direction, normal);
        return along < 0 && cost.soft(sizes()).total() >= target * (1 - 1e-9);
    }

    private static void removeComponent(double[] direction, double[] normal) {
        double square = dot(normal, normal);
        if (square == 0) {
            return;
        }
        double along = dot(direction, normal) / square;
        for (int l = 0; l < direction.length; l++) {
            direction[l] -= along * normal[l];
        }
    }

    // Back onto the budget, or from above a ceiling down to it, by one common factor on all sizes; a layer at the end
    // of its range stays there.
    private void restore(double[] logs) {
        if (hasBudget() && (!settings.ceiling() || cost.soft(exponential(logs)).total() > target)) {
            double[] v = EqualCost.scaled(exponential(logs), cost, target);
            Arrays.setAll(logs, l -> Math.log(v[l]));
        }
    }

    private double clamp(double value, int l) {
        return Math.max(Math.log(Cost.SMALLEST_SIZE), Math.min(most[l], value));
    }

    private static double[] exponential(double[] logs) {
        return Arrays.stream(logs).map(Math::exp).toArray();
    }

    private static double dot(double[] a, double[] b) {
        double sum = 0;
        for (int l = 0; l < a.length; l++) {
            sum += a[l] * b[l];
        }
        return sum;
    }

    @Override
    public Map<String, double[]> state() {
        return Map.of(
                "steady.log-sizes", x.clone(),
                "steady.mean", mean.clone(),
                "steady.squares", squares.clone(),
                "steady.settled", settled.clone(),
                "steady.scalars",
                        new double[] {
                            meanWeight, squareOfWeights, square, squareWeight, settledSteps, loss, lossWeight, lastLoss
                        });
    }

    @Override
    public void restore(Map<String, double[]> state) {
        System.arraycopy(state.get("steady.log-sizes"), 0, x, 0, x.length);
        System.arraycopy(state.get("steady.mean"), 0, mean, 0, mean.length);
        System.arraycopy(state.get("steady.squares"), 0, squares, 0, squares.length);
        System.arraycopy(state.get("steady.settled"), 0, settled, 0, settled.length);
        double[] scalars = state.get("steady.scalars");
        meanWeight = scalars[0];
        squareOfWeights = scalars[1];
        square = scalars[2];
        squareWeight = scalars[3];
        settledSteps = scalars[4];
        loss = scalars[5];
        lossWeight = scalars[6];
        lastLoss = scalars[7];
    }
}

package org.effconv.choice;

import java.util.List;
import org.effconv.cost.Cost;
import org.effconv.cost.Isotonic;

/**
 * Soft sizes for every budget: a line through the log sizes at a few of them, on which no layer shrinks as the cost
 * grows. Where the sizes found at a larger budget are smaller in a layer, that layer takes the nearest course that does
 * not fall. Beyond the ends all layers grow or shrink by one factor.
 */
public final class SizePath {
    private static final double BEYOND = 8; // in log sizes: far enough for every layer to reach its range's end

    private final Cost cost;
    private final double[][] logs; // by budget, by layer

    /** @param sizes soft sizes at growing budgets */
    public SizePath(Cost cost, List<double[]> sizes) {
        this.cost = cost;
        int n = cost.layers().size();
        logs = new double[sizes.size()][n];
        for (int l = 0; l < n; l++) {
            int layer = l;
            double[] course = Isotonic.fit(
                    sizes.stream().mapToDouble(v -> Math.log(v[layer])).toArray());
            for (int g = 0; g < course.length; g++) {
                logs[g][l] = course[g];
            }
        }
    }

    /** What the sizes belong to. */
    public Cost cost() {
        return cost;
    }

    /** Soft sizes, one per layer, that cost {@code target}; none is smaller than at a smaller target. */
    public double[] at(double target) {
        double low = -BEYOND;
        double high = logs.length - 1 + BEYOND;
        for (int i = 0; i < 60; i++) {
            double middle = (low + high) / 2;
            if (cost.soft(sizes(middle)).total() < target) {
                low = middle;
            } else {
                high = middle;
            }
        }
        return sizes(high);
    }

    // Position 0 is the first budget, logs.length - 1 the last.
    private double[] sizes(double position) {
        double inside = Math.max(0, Math.min(logs.length - 1, position));
        int below = Math.min(logs.length - 2, (int) inside);
        double part = inside - below;
        double[] v = new double[logs[0].length];
        for (int l = 0; l < v.length; l++) {
            double log = logs[below][l] + part * (logs[below + 1][l] - logs[below][l]) + position - inside;
            v[l] = Math.max(1, Math.min(cost.layers().get(l).kmax(), Math.exp(log)));
        }
        return v;
    }
}

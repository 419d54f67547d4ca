package org.effconv.cost;

import java.util.List;
import org.effconv.backend.Backend;
import org.effconv.nn.NetworkPlan;
import org.effconv.nn.SizedLayer;

/** A cost that is known at odd sizes alone, linear between them. */
final class TableCost implements Cost {
    private final Backend backend;
    private final NetworkPlan plan;
    private final double fixed;
    private final List<double[]> atOdd; // per layer at 1, 3 ... kmax

    TableCost(Backend backend, NetworkPlan plan, double fixed, List<double[]> atOdd) {
        this.backend = backend;
        this.plan = plan;
        this.fixed = fixed;
        this.atOdd = atOdd.stream().map(double[]::clone).toList();
        require(fixed >= 0 && fixed < Double.POSITIVE_INFINITY, "a fixed part of " + fixed);
        require(atOdd.size() == layers().size(), atOdd.size() + " rows for " + layers().size() + " sized layers");
        for (SizedLayer layer : layers()) {
            double[] row = this.atOdd.get(layer.index());
            require(
                    row.length == (layer.kmax() + 1) / 2,
                    row.length + " times for layer " + layer.name() + " of kmax " + layer.kmax());
            double before = 0;
            for (double value : row) {
                require(
                        value >= before && value < Double.POSITIVE_INFINITY,
                        value + " after " + before + " for layer " + layer.name());
                before = value;
            }
        }
    }

    private static void require(boolean good, String what) {
        if (!good) {
            throw new IllegalArgumentException("cost table: " + what);
        }
    }

    @Override
    public Kind kind() {
        return Kind.LATENCY;
    }

    @Override
    public NetworkPlan plan() {
        return plan;
    }

    @Override
    public Backend backend() {
        return backend;
    }

    @Override
    public double fixed() {
        return fixed;
    }

    @Override
    public double layer(int l, int size) {
        return atOdd.get(l)[(size - 1) / 2];
    }

    @Override
    public double spent(int l, double v) {
        return at(l, v).total;
    }

    @Override
    public Soft soft(double[] v) {
        double total = fixed;
        double[] slopes = new double[v.length];
        for (int l = 0; l < v.length; l++) {
            Point point = at(l, v[l]);
            total += point.total;
            slopes[l] = point.slope;
        }
        return new Soft(total, slopes);
    }

    private record Point(double total, double slope) {}

    private Point at(int l, double v) {
        double[] row = atOdd.get(l);
        int below = (int) Math.floor((Math.max(1, v) - 1) / 2);
        if (below >= row.length - 1) {
            return new Point(row[row.length - 1], 0);
        }
        double slope = (row[below + 1] - row[below]) / 2;
        return new Point(row[below] + slope * (Math.max(1, v) - (2 * below + 1)), slope);
    }
}

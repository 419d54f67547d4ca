package org.effconv.cost;

import java.util.List;
import java.util.function.ToLongFunction;
import org.effconv.backend.Backend;
import org.effconv.nn.NetworkPlan;
import org.effconv.nn.SizedLayer;

/** A cost that every tap of a layer adds the same to. */
final class TapCost implements Cost {
    private final Kind kind;
    private final Backend backend;
    private final NetworkPlan plan;
    private final long fixed;
    private final long[] perTap;

    TapCost(Kind kind, Backend backend, NetworkPlan plan, long fixed, ToLongFunction<SizedLayer> perTap) {
        this.kind = kind;
        this.backend = backend;
        this.plan = plan;
        this.fixed = fixed;
        this.perTap = plan.sizedLayers().stream().mapToLong(perTap).toArray();
    }

    @Override
    public Kind kind() {
        return kind;
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
        return perTap[l] * ((long) size * size);
    }

    @Override
    public double spent(int l, double v) {
        return perTap[l] * v * v;
    }

    @Override
    public Soft soft(double[] v) {
        List<SizedLayer> layers = layers();
        double[] capped = new double[v.length];
        for (int l = 0; l < v.length; l++) {
            capped[l] = Math.min(v[l], layers.get(l).kmax());
        }
        double[] taps = new double[v.length];
        double[] slopes = new double[v.length];
        backend.softTaps(capped, taps, slopes);
        double total = fixed;
        for (int l = 0; l < v.length; l++) {
            total += perTap[l] * taps[l];
            slopes[l] = v[l] < layers.get(l).kmax() ? slopes[l] * perTap[l] : 0;
        }
        return new Soft(total, slopes);
    }
}

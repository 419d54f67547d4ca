package org.effconv.size;

import java.util.List;
import org.effconv.backend.Backend;
import org.effconv.nn.NetworkPlan;
import org.effconv.nn.SizedLayer;

/**
 * How many parameters a network owns at given kernel sizes: P(v) = fixed + sum over layers of parametersPerTap *
 * softTaps(v), exact at odd sizes.
 */
public final class ParameterCount {
    /** Largest kernel size that any backend serves. */
    static final int LARGEST_SIZE = 33;

    private final Backend backend;
    private final NetworkPlan plan;

    public ParameterCount(Backend backend, NetworkPlan plan) {
        this.backend = backend;
        this.plan = plan;
    }

    public NetworkPlan plan() {
        return plan;
    }

    public List<SizedLayer> layers() {
        return plan.sizedLayers();
    }

    /** Parameters at odd sizes, one per layer. */
    public long at(int[] sizes) {
        return plan.parameters(sizes);
    }

    /** Parameters with the same odd size in every layer, or its kmax where that is smaller. */
    public long uniform(int size) {
        return at(layers().stream().mapToInt(layer -> Math.min(size, layer.kmax())).toArray());
    }

    /**
     * A soft count and its derivatives by the sizes (right ones at odd sizes; 0 from kmax on).
     *
     * @param count  P(v)
     * @param slopes dP/dv per layer
     */
    public record Soft(double count, double[] slopes) {}

    /** P at soft sizes, one per layer; sizes beyond a layer's kmax count as kmax. */
    public Soft soft(double[] v) {
        List<SizedLayer> layers = layers();
        double[] capped = new double[v.length];
        for (int l = 0; l < v.length; l++) {
            capped[l] = Math.min(v[l], layers.get(l).kmax());
        }
        double[] taps = new double[v.length];
        double[] slopes = new double[v.length];
        backend.softTaps(capped, taps, slopes);
        double count = plan.fixedParameters();
        for (int l = 0; l < v.length; l++) {
            long perTap = layers.get(l).parametersPerTap();
            count += perTap * taps[l];
            slopes[l] = v[l] < layers.get(l).kmax() ? slopes[l] * perTap : 0;
        }
        return new Soft(count, slopes);
    }
}

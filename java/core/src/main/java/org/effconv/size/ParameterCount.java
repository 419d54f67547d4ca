package org.effconv.size;

import java.util.List;
import org.effconv.backend.Backend;

/**
 * How many parameters a network owns at given kernel sizes: P(v) = fixed + sum over layers of weightsPerTap * softTaps(v),
 * exact at odd sizes.
 */
public final class ParameterCount {
    private final Backend backend;
    private final List<SizedLayer> layers;
    private final long fixed;

    /**
     * @param fixed parameters outside the sized kernels: norms, biases, the classifier, unsized convolutions
     */
    public ParameterCount(Backend backend, List<SizedLayer> layers, long fixed) {
        this.backend = backend;
        this.layers = List.copyOf(layers);
        this.fixed = fixed;
    }

    public List<SizedLayer> layers() {
        return layers;
    }

    public long fixed() {
        return fixed;
    }

    /** Parameters at integer sizes, one per layer. */
    public long at(int[] sizes) {
        long count = fixed;
        for (int l = 0; l < layers.size(); l++) {
            count += layers.get(l).weightsPerTap() * sizes[l] * sizes[l];
        }
        return count;
    }

    /** Parameters with the same size in every layer, or its kmax where that is smaller. */
    public long uniform(int size) {
        return at(layers.stream().mapToInt(layer -> Math.min(size, layer.kmax())).toArray());
    }

    /** Parameters with every layer at its kmax. */
    public long largest() {
        return uniform(SizedLayer.LARGEST);
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
        double[] capped = new double[v.length];
        for (int l = 0; l < v.length; l++) {
            capped[l] = Math.min(v[l], layers.get(l).kmax());
        }
        double[] taps = new double[v.length];
        double[] slopes = new double[v.length];
        backend.softTaps(capped, taps, slopes);
        double count = fixed;
        for (int l = 0; l < v.length; l++) {
            long weights = layers.get(l).weightsPerTap();
            count += weights * taps[l];
            slopes[l] = v[l] < layers.get(l).kmax() ? slopes[l] * weights : 0;
        }
        return new Soft(count, slopes);
    }
}

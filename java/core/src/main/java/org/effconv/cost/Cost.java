package org.effconv.cost;

import java.util.List;
import java.util.Locale;
import org.effconv.backend.Backend;
import org.effconv.nn.NetworkPlan;
import org.effconv.nn.SizedLayer;

/**
 * What a network costs at given kernel sizes: a fixed part, and a part per sized layer that does not fall as its size
 * grows. At soft sizes it is continuous and piecewise linear between odd ones, as the soft tap count is, and exact at
 * them.
 */
public interface Cost {
    /** Smallest soft size: one tap. */
    double SMALLEST_SIZE = 1;

    /** Largest kernel size that any backend serves. */
    int LARGEST_SIZE = 33;

    /** What is counted. */
    enum Kind {
        /** Trained parameters. */
        PARAMETERS("parameters", 0.02, 0),
        /** Multiply-adds of convolutions and linear layers on one image, taps beside the image included. */
        MULTIPLY_ADDS("macs", 0.05, 0),
        /** Milliseconds on one device, by a table measured there. */
        LATENCY("latency", 0.05, 0.01);

        private final String key;
        private final double tolerance;
        private final double uncertain; // of a count, as a fraction of it

        Kind(String key, double tolerance, double uncertain) {
            this.key = key;
            this.tolerance = tolerance;
            this.uncertain = uncertain;
        }

        /** The name in settings and files. */
        public String key() {
            return key;
        }

        /** |cost - budget| / budget that odd sizes may have at most to meet a budget. */
        public double tolerance() {
            return tolerance;
        }

        /** What a single search's choices are held to: the tolerance less what a count may itself be off by. */
        public double choiceTolerance() {
            return tolerance - uncertain;
        }

        /** A value with its unit, for people. */
        public String format(double value) {
            return switch (this) {
                case PARAMETERS -> String.format(Locale.ROOT, "%,.0f parameters", value);
                case MULTIPLY_ADDS -> String.format(Locale.ROOT, "%,.0f multiply-adds", value);
                case LATENCY -> String.format(Locale.ROOT, "%.4g ms", value);
            };
        }

        /** The kind of a key; null if there is none. */
        public static Kind of(String key) {
            for (Kind kind : values()) {
                if (kind.key.equals(key)) {
                    return kind;
                }
            }
            return null;
        }
    }

    /**
     * A cost at soft sizes and its derivatives by them (right ones at odd sizes; 0 from kmax on).
     *
     * @param total of the network
     * @param slopes one per layer
     */
    record Soft(double total, double[] slopes) {}

    Kind kind();

    NetworkPlan plan();

    /** Does the arithmetic of sizes. */
    Backend backend();

    /** What the sizes do not change. */
    double fixed();

    /** Part of sized layer {@code l} at an odd size of at most its kmax. */
    double layer(int l, int size);

    /**
     * What layer {@code l} spends at soft size v, as the weight of its rounding; unlike {@link #soft} it need not be
     * exact anywhere.
     */
    double spent(int l, double v);

    /** At soft sizes, one per layer; sizes beyond a layer's kmax count as kmax. */
    Soft soft(double[] v);

    default List<SizedLayer> layers() {
        return plan().sizedLayers();
    }

    /** The odd sizes nearest to finite soft ones, one per layer. */
    default int[] rounded(double[] v) {
        return backend()
                .kernelSizes(v, layers().stream().mapToInt(SizedLayer::kmax).toArray());
    }

    /** At odd sizes, one per layer. */
    default double at(int[] sizes) {
        plan().checkSizes(sizes);
        double total = fixed();
        for (int l = 0; l < sizes.length; l++) {
            total += layer(l, sizes[l]);
        }
        return total;
    }

    /** With the same odd size in every layer, or its kmax where that is smaller. */
    default double uniform(int size) {
        return at(layers().stream()
                .mapToInt(layer -> Math.min(size, layer.kmax()))
                .toArray());
    }

    /** Whether an amount is within the kind's {@linkplain Kind#choiceTolerance tolerance} of the target. */
    default boolean meets(double amount, double target) {
        return deviation(amount, target) <= kind().choiceTolerance();
    }

    /** |cost - target| / target. */
    static double deviation(double cost, double target) {
        return Math.abs(cost - target) / target;
    }

    /** P(v) = fixed + sum over layers of (K C / groups) * softTaps(v). */
    static Cost parameters(Backend backend, NetworkPlan plan) {
        return new TapCost(Kind.PARAMETERS, backend, plan, plan.fixedParameters(), SizedLayer::parametersPerTap);
    }

    /** fixed + sum over layers of (K C Ho Wo / groups) * softTaps(v). */
    static Cost multiplyAdds(Backend backend, NetworkPlan plan) {
        return new TapCost(Kind.MULTIPLY_ADDS, backend, plan, plan.fixedMultiplyAdds(), SizedLayer::multiplyAddsPerTap);
    }

    /**
     * By measured times, linear between odd sizes.
     *
     * @param fixed milliseconds of everything but the sized layers
     * @param milliseconds per sized layer those at sizes 1, 3 ... kmax, none below the one before
     */
    static Cost latency(Backend backend, NetworkPlan plan, double fixed, List<double[]> milliseconds) {
        return new TableCost(backend, plan, fixed, milliseconds);
    }
}

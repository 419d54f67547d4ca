package org.effconv.cost;

import java.util.List;
import java.util.Locale;
import org.effconv.error.EffconvException.JobFailed;
import org.effconv.nn.SizedLayer;

/**
 * What a search reads from its device, sizes and their gradients, passes here. Rounding and bounds would make ordinary
 * sizes of a NaN or an infinity, and a search that is broken would end with an answer.
 */
public final class FiniteSizes {
    private FiniteSizes() {}

    /**
     * @param what names the values in the error
     * @param values one per layer
     * @return the same
     * @throws JobFailed if one is not finite: names its layer
     */
    public static double[] require(String what, double[] values, List<SizedLayer> layers) {
        for (int l = 0; l < values.length; l++) {
            require(what, values[l], layers.get(l));
        }
        return values;
    }

    /** The same of several values of one layer. */
    public static double[] require(String what, double[] values, SizedLayer layer) {
        for (double value : values) {
            require(what, value, layer);
        }
        return values;
    }

    private static void require(String what, double value, SizedLayer layer) {
        if (!Double.isFinite(value)) {
            throw new JobFailed(String.format(
                    Locale.ROOT,
                    "the %s of layer %s is %s, and sizes found from it would mean nothing; a smaller learning "
                            + "rate, a longer warm-up or a bound of the gradient norm (--clip 1) may help",
                    what,
                    layer.name(),
                    value));
        }
    }
}

package org.effconv.predict;

import java.util.List;
import org.effconv.autodiff.Parameter;
import org.effconv.autodiff.Tape;
import org.effconv.autodiff.Variable;
import org.effconv.tensor.Tensor;

/** Where the unmasked weights w^ of all layers come from. */
public interface KernelPredictor extends AutoCloseable {
    /**
     * What one layer's w^ is made of: coordinate features (grid * grid, h) and coefficients (h, K * C), or no features
     * (null) and a table (K, kmax, kmax, C).
     */
    record Kernel(Variable features, Variable source) {}

    /**
     * What the kernels may know of the sizes; no gradient flows back into it, so the loss reaches a size through the
     * mask alone.
     *
     * @param v soft sizes, as predicted
     * @param u the size predictor's states (L, 2 * hidden)
     * @param relative v over kmax (L, 1) on the device; null: to be written
     */
    record Condition(double[] v, Tensor u, Tensor relative) {
        public Condition(double[] v, Tensor u) {
            this(v, u, null);
        }
    }

    /** @param grids support grid of every layer */
    List<Kernel> kernels(Tape tape, int[] grids, Condition condition);

    List<Parameter> parameters();

    @Override
    default void close() {
        parameters().forEach(Parameter::close);
    }
}

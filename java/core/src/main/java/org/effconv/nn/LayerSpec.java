package org.effconv.nn;

import java.util.List;
import java.util.OptionalInt;
import org.effconv.backend.Activation;
import org.effconv.backend.Pooling;

/** One entry of an architecture's layer list, as written: shapes are known only once it is bound to an input. */
sealed interface LayerSpec {
    /** Name within the list it stands in. */
    String name();

    /** Layers that this stands for once repetitions are unrolled. */
    default long unrolled() {
        return 1;
    }

    static long unrolled(List<LayerSpec> layers) {
        return layers.stream().mapToLong(LayerSpec::unrolled).sum();
    }

    /**
     * @param channels output channels; empty for as many as the input has
     * @param kernel fixed odd extent; empty for a size that is learned
     * @param defaultKernel size of a learned kernel where none is asked for
     * @param kmax limit of a learned size; empty for one that follows from the image
     * @param groups empty for depthwise
     */
    record Conv(
            String name,
            OptionalInt channels,
            OptionalInt kernel,
            int defaultKernel,
            OptionalInt kmax,
            int stride,
            OptionalInt groups,
            boolean bias)
            implements LayerSpec {
        boolean sized() {
            return kernel.isEmpty();
        }
    }

    record BatchNorm(String name) implements LayerSpec {}

    record Activate(String name, Activation activation) implements LayerSpec {}

    record Pool(String name, Pooling pooling) implements LayerSpec {}

    record GlobalAveragePool(String name) implements LayerSpec {}

    /** @param outputs empty for the number of classes */
    record Linear(String name, OptionalInt outputs, boolean bias) implements LayerSpec {}

    record Dropout(String name, double rate) implements LayerSpec {}

    /** activation(body(x) + shortcut(x)); an empty shortcut is the identity. */
    record Residual(String name, List<LayerSpec> body, List<LayerSpec> shortcut, Activation activation)
            implements LayerSpec {
        @Override
        public long unrolled() {
            return 1 + LayerSpec.unrolled(body) + LayerSpec.unrolled(shortcut);
        }
    }

    record Repeat(String name, int times, List<LayerSpec> layers) implements LayerSpec {
        @Override
        public long unrolled() {
            return times * LayerSpec.unrolled(layers);
        }
    }
}

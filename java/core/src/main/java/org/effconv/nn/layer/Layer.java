package org.effconv.nn.layer;

import java.util.List;
import org.effconv.error.EffconvException.InvalidInput;

/** One entry of an architecture's layer list, as written: shapes are known only once it is bound to an input. */
public interface Layer {
    /** Name within the list it stands in. */
    String name();

    /** Layers that this stands for once repetitions are unrolled. */
    default long unrolled() {
        return 1;
    }

    /** Whether it is a convolution whose kernel size is learned, or holds one. */
    default boolean learnsKernels() {
        return false;
    }

    /**
     * Binds the layer to the extent that reaches it: takes what it owns from the planner, adds its step and leaves the
     * extent of its output.
     *
     * @param name full name, unique in the network if the layer owns parameters
     * @throws InvalidInput if it does not fit what it follows, or is too large
     */
    void plan(Planner planner, String name);

    /** Of a list: {@link #unrolled()} of all. */
    static long unrolled(List<Layer> layers) {
        return layers.stream().mapToLong(Layer::unrolled).sum();
    }

    /** Of a list: {@link #learnsKernels()} of any. */
    static boolean learnKernels(List<Layer> layers) {
        return layers.stream().anyMatch(Layer::learnsKernels);
    }
}

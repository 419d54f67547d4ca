package org.effconv.backend.cuda;

import java.util.Optional;
import org.effconv.tensor.DataType;

/** Which passes a library computes, and which the project's own kernels. */
final class ConvolutionTable {
    /**
     * Whether AUTO hands shapes to the library. It does not, because that path has been compiled and tested against a
     * double and has never run on a card: what nobody has seen compute is not chosen for somebody who asked for
     * nothing. To be set once tests/gpu/run.sh has passed with the library and {@link #libraryIsFaster} has been
     * measured (docs/results/gpu-status.md).
     */
    static final boolean LIBRARY_HAS_RUN_ON_A_CARD = false;

    private static final int MANY_CHANNELS = 128;
    private static final int FIRST_LAYER_CHANNELS = 8;
    private static final long MOST_ELEMENTS =
            Integer.MAX_VALUE; // of one tensor: cuDNN's classic interface counts in int

    private final ConvolutionChoice choice;
    private final boolean auto;

    ConvolutionTable(ConvolutionChoice choice) {
        this(choice, LIBRARY_HAS_RUN_ON_A_CARD);
    }

    /** @param auto whether AUTO may choose the library */
    ConvolutionTable(ConvolutionChoice choice, boolean auto) {
        this.choice = choice;
        this.auto = auto;
    }

    /** Whether a library is wanted at all. */
    boolean wantsLibrary() {
        return choice == ConvolutionChoice.CUDNN || choice == ConvolutionChoice.AUTO && auto;
    }

    /** Whether the job cannot do without it. */
    boolean needsLibrary() {
        return choice == ConvolutionChoice.CUDNN;
    }

    boolean toLibrary(ConvolutionRequest r) {
        return wantsLibrary() && notServed(r).isEmpty() && (needsLibrary() || libraryIsFaster(r));
    }

    /** Why the library is never asked for a pass; empty if it may be. */
    static Optional<String> notServed(ConvolutionRequest r) {
        if (r.type() == DataType.BF16
                && r.pass() == ConvolutionRequest.Pass.WEIGHT_GRADIENT
                && r.isLinear()
                && r.bias()) {
            return Optional.of("cuDNN gives a bias' gradient of bf16 results in bf16, and gradients here are fp32");
        }
        if (r.type() == DataType.BF16 && r.pass() == ConvolutionRequest.Pass.WEIGHT_GRADIENT && !r.isLinear()) {
            return Optional.of("cuDNN gives weight gradients of bf16 activations in bf16, and gradients here are fp32");
        }
        if (r.type() == DataType.BF16 && r.pass() == ConvolutionRequest.Pass.FORWARD && r.bias()) {
            return Optional.of("cuDNN adds a bias to bf16 results after they were rounded, and in bf16");
        }
        long largest = Math.max(
                r.weights(), Math.max(ConvolutionRequest.count(r.xExtents()), ConvolutionRequest.count(r.yExtents())));
        return largest > MOST_ELEMENTS ? Optional.of("a tensor of " + largest + " elements") : Optional.empty();
    }

    /**
     * The design's expectation, not a measurement: dense convolutions of many channels, of one tap, of stride 2, of an
     * image's few channels, and all dense ones in strict fp32. Everything else is what the project's kernels were
     * written for.
     */
    static boolean libraryIsFaster(ConvolutionRequest r) {
        boolean manyChannels = r.inputs() >= MANY_CHANNELS && r.outputs() >= MANY_CHANNELS;
        return r.groups() == 1
                && (manyChannels
                        || r.kernel() == 1
                        || r.stride() == 2
                        || r.inputs() < FIRST_LAYER_CHANNELS
                        || r.type() == DataType.F32);
    }
}

package org.effconv.backend.cuda;

import java.util.Optional;

/**
 * A library that computes convolutions beside the project's own kernels, on one card and in the order of one stream.
 * Everything up to here can be tested without a card, by a double. Calls need the card to be current for the thread,
 * and come from one thread at a time.
 *
 * <p>A call fails with {@link org.effconv.error.EffconvException.OutOfDeviceMemory} or with a plain
 * {@link org.effconv.error.EffconvException} that names the library's function; whether the card is lost is asked of
 * the {@link Driver}.
 */
interface ConvolutionLibrary extends AutoCloseable {
    /** "cuDNN 9.19.0". */
    String description();

    /**
     * Chooses how to compute a pass; launches nothing, may take long.
     *
     * @return empty if the library has no way that gives the same bits in every run
     */
    Optional<Plan> plan(ConvolutionRequest request);

    /** A way to compute one pass of one shape. Must be closed before its library. */
    interface Plan extends AutoCloseable {
        /** Device memory that a run needs beside its tensors; it may write all of it. */
        long workspaceBytes();

        /**
         * Puts the pass into the stream. Waits for nothing, allocates nothing, and may be recorded as part of a graph.
         *
         * @param x device address of the activations (N, H, W, C), or of their gradient, which a data gradient
         *     overwrites
         * @param w of the weights in the type of the activations, or of their gradient in F32, which a weight gradient
         *     overwrites
         * @param bias of K numbers in F32: added by a forward pass, overwritten by a weight gradient; 0 if there is
         *     none
         * @param y of the result (N, Ho, Wo, K), overwritten by a forward pass, or of its gradient
         * @param workspace of {@link #workspaceBytes}, aligned to 256
         */
        void run(long x, long w, long bias, long y, long workspace);

        @Override
        void close();
    }

    /** Gives everything back; does not fail, a lost card's library included. */
    @Override
    void close();
}

package org.effconv.backend.cuda;

import org.effconv.backend.Operands;

/**
 * How a card is used.
 *
 * @param ordinal of the card, as CUDA counts them (CUDA_VISIBLE_DEVICES applies)
 * @param memoryLimit most bytes of device memory, 0 for no limit but the card's
 * @param conv who computes convolutions
 * @param graphs whether steps are recorded as CUDA graphs and replayed; false runs every step launch by launch
 */
public record CudaOptions(int ordinal, long memoryLimit, ConvolutionChoice conv, boolean graphs) {
    public CudaOptions {
        Operands.require(ordinal >= 0, "card " + ordinal + "; expected 0 or more");
        Operands.require(memoryLimit >= 0, "memory limit of " + memoryLimit + " bytes; expected 0 or more");
        Operands.require(conv != null, "no choice of convolutions");
    }

    /** The first card without a limit; everything else chosen by the backend. */
    public static CudaOptions standard() {
        return new CudaOptions(0, 0, ConvolutionChoice.AUTO, true);
    }

    public CudaOptions withMemoryLimit(long bytes) {
        return new CudaOptions(ordinal, bytes, conv, graphs);
    }

    public CudaOptions withGraphs(boolean on) {
        return new CudaOptions(ordinal, memoryLimit, conv, on);
    }
}

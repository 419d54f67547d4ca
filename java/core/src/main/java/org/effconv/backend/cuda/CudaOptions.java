package org.effconv.backend.cuda;

/**
 * How a CUDA backend is opened.
 *
 * @param ordinal     which card, counted from 0 as the driver counts them
 * @param memoryLimit bytes of device memory that tensors and workspaces may take together; 0: no limit
 * @param conv        whose convolutions run
 * @param graphs      whether a step that repeats is captured as a CUDA graph; off, every kernel is launched by itself
 */
public record CudaOptions(int ordinal, long memoryLimit, ConvolutionChoice conv, boolean graphs) {
    public CudaOptions {
        if (ordinal < 0 || memoryLimit < 0 || conv == null) {
            throw new IllegalArgumentException("ordinal " + ordinal + ", memory limit " + memoryLimit + ", convolution " + conv
                    + "; expected numbers of at least 0 and a choice");
        }
    }
}

package org.effconv.backend.cuda;

/** Who computes convolutions and linear layers on a card. */
public enum ConvolutionChoice {
    /** By shape, from a table; the project's own kernels where no library is found. */
    AUTO,
    /** The project's own kernels. */
    OWN,
    /** cuDNN and cuBLAS; a failure where they are missing. */
    CUDNN
}

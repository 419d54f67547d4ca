package org.effconv.backend.cuda;

/** Who computes convolutions and linear layers on a card. */
public enum ConvolutionChoice {
    /**
     * The backend's choice by shape: the project's own kernels for all of them, as long as the other has not run on a
     * card.
     */
    AUTO,
    /** The project's own kernels. */
    OWN,
    /**
     * cuDNN for every shape that it serves, the project's own kernels for the others; an error if cuDNN is not there.
     */
    CUDNN
}

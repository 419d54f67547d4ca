package org.effconv.backend.cuda;

/** Whose convolutions the CUDA backend runs. */
public enum ConvolutionChoice {
    /** Per shape, by a table; the project's own where cuDNN is missing. */
    AUTO,
    /** The project's own for every shape. */
    OWN,
    /** cuDNN's for every shape; an error where it is missing. */
    CUDNN
}

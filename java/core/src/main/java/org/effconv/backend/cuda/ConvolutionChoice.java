package org.effconv.backend.cuda;

/** Who computes convolutions and linear layers on a card. */
public enum ConvolutionChoice {
    /** The backend's choice: in this version the project's own kernels, always. */
    AUTO,
    /** The project's own kernels. */
    OWN,
    /** cuDNN and cuBLAS; refused in this version, which binds neither. */
    CUDNN
}

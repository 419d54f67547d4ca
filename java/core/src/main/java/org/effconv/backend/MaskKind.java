package org.effconv.backend;

/** The soft mask over the rings of a kernel; the arithmetic stands in cuda/include/effconv/mask.h, codes as there. */
public enum MaskKind {
    RAMP,
    SMOOTHSTEP,
    SIGMOID,
    GAUSSIAN
}

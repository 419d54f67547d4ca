package org.effconv.backend;

/** Elementwise nonlinearities. GELU is the exact one, x * Phi(x). */
public enum Activation {
    NONE,
    RELU,
    GELU
}

package org.effconv.backend;

/**
 * What a convolution is beside its tensors. Padding is always "same" for odd k: (k - 1) / 2 on every side, so a stride
 * s maps H to (H - 1) / s + 1. The kernel size is read off the weights, shape (K, k, k, C / groups).
 *
 * @param stride 1 or 2
 * @param groups divides both C and K; C means depthwise
 */
public record Convolution(int stride, int groups) {
    public static final Convolution PLAIN = new Convolution(1, 1);

    /** Output height or width for an input extent. */
    public int outputExtent(int extent) {
        return (extent - 1) / stride + 1;
    }
}

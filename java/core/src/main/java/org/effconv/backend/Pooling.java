package org.effconv.backend;

/**
 * A pooling window of size x size pixels; H maps to (H + 2 padding - size) / stride + 1. Padded pixels count for
 * neither the maximum nor the average.
 */
public record Pooling(Kind kind, int size, int stride, int padding) {
    /** MAX or AVERAGE over the window. */
    public enum Kind {
        MAX,
        AVERAGE
    }

    public int outputExtent(int extent) {
        return (extent + 2 * padding - size) / stride + 1;
    }
}

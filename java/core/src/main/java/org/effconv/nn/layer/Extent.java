package org.effconv.nn.layer;

/**
 * What one layer hands to the next, without the batch.
 *
 * @param height in pixels; {@code width} likewise
 * @param flat after global pooling or a linear layer: then 1 x 1 pixels, and no image any more
 */
public record Extent(int height, int width, int channels, boolean flat) {
    /** An image. */
    static Extent image(int height, int width, int channels) {
        return new Extent(height, width, channels, false);
    }

    /** Values that are no image. */
    static Extent values(int count) {
        return new Extent(1, 1, count, true);
    }

    long pixels() {
        return (long) height * width;
    }

    /** Values of one image. */
    public long count() {
        return pixels() * channels;
    }

    @Override
    public String toString() {
        return flat ? channels + " values" : height + " x " + width + " x " + channels;
    }
}

package org.effconv.data;

import java.nio.ByteBuffer;

/**
 * One batch of a {@link DataLoader}. It is valid until the next batch is asked for or the loader is closed: then its
 * memory is filled anew, and every accessor throws IllegalStateException.
 */
public final class Batch {
    private final int size;
    private final ByteBuffer pixels;
    private final boolean filled;
    private final int[] indices;
    private final int[] labels;
    private final int[] draws;
    private volatile boolean expired;

    /** @param filled whether {@code pixels} holds the images */
    Batch(int size, ByteBuffer pixels, boolean filled, int[] indices, int[] labels, int[] draws) {
        this.size = size;
        this.pixels = pixels;
        this.filled = filled;
        this.indices = indices;
        this.labels = labels;
        this.draws = draws;
    }

    /** Number of images. */
    public int size() {
        return size;
    }

    /** (N, H, W, C) unsigned bytes: a direct buffer whose first byte is 64-byte aligned, position 0, limit N*H*W*C. */
    public ByteBuffer pixels() {
        check();
        if (!filled) {
            throw new IllegalStateException("pixels of a batch whose loader was told to leave them out");
        }
        return pixels;
    }

    /** N indices of images in the part that the loader reads. */
    public int[] indices() {
        check();
        return indices;
    }

    /** N class indices. */
    public int[] labels() {
        check();
        return labels;
    }

    /** N times (dy, dx, flip), as {@link Augmentation} defines them; all 0 without augmentation. */
    public int[] draws() {
        check();
        return draws;
    }

    ByteBuffer slot() {
        return pixels;
    }

    void expire() {
        expired = true;
    }

    private void check() {
        if (expired) {
            throw new IllegalStateException("use after the next batch was asked for: Batch of " + size + " images");
        }
    }
}

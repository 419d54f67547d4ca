package org.effconv.data;

import java.nio.ByteBuffer;
import java.util.Arrays;
import org.effconv.error.EffconvException;

/**
 * A part of a dataset: {@code count} images of one size, uint8, row-major (H, W, C), each with a class label. Immutable
 * and safe to share between threads. {@link #select} gives a view on the same pixels.
 */
public final class Images {
    /** Largest side of an image that is accepted, in pixels. */
    public static final int MAX_SIDE = 4096;

    private final byte[] pixels;
    private final int[] labels;
    private final int[] rows; // image i stands at rows[i] of pixels and labels; null: at i
    private final int height;
    private final int width;
    private final int channels;

    private Images(byte[] pixels, int[] labels, int[] rows, int height, int width, int channels) {
        this.pixels = pixels;
        this.labels = labels;
        this.rows = rows;
        this.height = height;
        this.width = width;
        this.channels = channels;
    }

    /**
     * Images in memory. The arrays are taken over, not copied: the caller must not change them afterwards.
     *
     * @param pixels (N, H, W, C) row-major, one unsigned byte each
     * @param labels N class indices, counted from 0
     * @throws EffconvException.InvalidInput if the counts disagree, a size is out of range or a label is negative
     */
    public static Images of(byte[] pixels, int[] labels, int height, int width, int channels) {
        long each = imageBytes("images", height, width, channels);
        if (labels.length * each != pixels.length) {
            throw new EffconvException.InvalidInput("images: found " + pixels.length + " bytes of pixels for "
                    + labels.length + " labels, expected " + labels.length * each + " (" + height + "x" + width + "x"
                    + channels + " bytes an image)");
        }
        for (int i = 0; i < labels.length; i++) {
            if (labels[i] < 0) {
                throw new EffconvException.InvalidInput(
                        "images: label " + labels[i] + " of image " + i + " is negative, expected 0 or more");
            }
        }
        return new Images(pixels, labels, null, height, width, channels);
    }

    /**
     * Bytes of one image; throws when the size is not a plausible one. {@code where} names the source in the message.
     */
    static long imageBytes(String where, long height, long width, long channels) {
        if (height < 1 || height > MAX_SIDE || width < 1 || width > MAX_SIDE) {
            throw new EffconvException.InvalidInput(where + ": image size " + height + "x" + width
                    + " is out of range, expected 1 to " + MAX_SIDE + " pixels a side");
        }
        if (channels != 1 && channels != 3) {
            throw new EffconvException.InvalidInput(
                    where + ": " + channels + " channels an image, expected 1 (grey) or 3 (colour)");
        }
        return height * width * channels;
    }

    /** Bytes of {@code count} images as an array length; throws when they cannot be held in one array. */
    static int totalBytes(String where, long count, long bytesEach) {
        if (count < 1) {
            throw new EffconvException.InvalidInput(where + ": holds " + count + " images, expected at least 1");
        }
        if (count > (Integer.MAX_VALUE - 8) / bytesEach) {
            throw new EffconvException.InvalidInput(where + ": " + count + " images of " + bytesEach
                    + " bytes exceed what one part of a dataset may hold (" + (Integer.MAX_VALUE - 8) + " bytes)");
        }
        return (int) (count * bytesEach);
    }

    /**
     * The images at {@code indices}, in that order, on the same memory.
     *
     * @throws IndexOutOfBoundsException if an index is not below {@link #count}
     */
    public Images select(int[] indices) {
        int[] chosen = new int[indices.length];
        for (int i = 0; i < indices.length; i++) {
            chosen[i] = row(indices[i]);
        }
        return new Images(pixels, labels, chosen, height, width, channels);
    }

    /**
     * Grey images as colour: their one channel three times. Images of three channels are returned as they are.
     *
     * @throws EffconvException.InvalidInput if they are more than one part may hold
     */
    public Images colour() {
        if (channels == 3) {
            return this;
        }
        byte[] repeated = DataFiles.array("images", totalBytes("images", count(), 3L * imageBytes()));
        for (int i = 0; i < count(); i++) {
            int from = row(i) * imageBytes();
            for (int p = 0; p < imageBytes(); p++) {
                Arrays.fill(repeated, 3 * (i * imageBytes() + p), 3 * (i * imageBytes() + p) + 3, pixels[from + p]);
            }
        }
        return new Images(repeated, labels(), null, height, width, 3);
    }

    public int count() {
        return rows == null ? labels.length : rows.length;
    }

    public int height() {
        return height;
    }

    public int width() {
        return width;
    }

    public int channels() {
        return channels;
    }

    /** Bytes of one image: H * W * C. */
    public int imageBytes() {
        return height * width * channels;
    }

    /** Class index of image {@code i}. */
    public int label(int i) {
        return labels[row(i)];
    }

    /** All labels, a fresh array. */
    public int[] labels() {
        int[] all = new int[count()];
        Arrays.setAll(all, this::label);
        return all;
    }

    /** Channel {@code c} of pixel (y, x) of image {@code i}: 0 to 255. */
    public int pixel(int i, int y, int x, int c) {
        return pixels[row(i) * imageBytes() + (y * width + x) * channels + c] & 0xff;
    }

    /** Copies image {@code i} to {@code target} from byte {@code offset} on; the buffer's position stays as it is. */
    public void copyTo(int i, ByteBuffer target, int offset) {
        target.put(offset, pixels, row(i) * imageBytes(), imageBytes());
    }

    /** How often each byte value occurs: [channel][value]. */
    long[][] histogram() {
        long[][] counts = new long[channels][256];
        for (int i = 0; i < count(); i++) {
            int start = row(i) * imageBytes();
            for (int p = start; p < start + imageBytes(); p += channels) {
                for (int c = 0; c < channels; c++) {
                    counts[c][pixels[p + c] & 0xff]++;
                }
            }
        }
        return counts;
    }

    private int row(int i) {
        if (i < 0 || i >= count()) {
            throw new IndexOutOfBoundsException("image " + i + " of " + count());
        }
        return rows == null ? i : rows[i];
    }
}

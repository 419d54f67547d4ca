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

    private static final int MAX_COUNT = Integer.MAX_VALUE - 8; // labels are one array

    private final Pixels pixels;
    private final int[] labels;
    private final int[] rows; // image i stands at rows[i] of pixels and labels; null: at i
    private final int height;
    private final int width;
    private final int channels;

    private Images(Pixels pixels, int[] labels, int[] rows, int height, int width, int channels) {
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
        return of(Pixels.InMemory.of(pixels, (int) each), labels, height, width, channels);
    }

    /** Images whose pixels may lie elsewhere; sizes were checked, labels are here. */
    static Images of(Pixels pixels, int[] labels, int height, int width, int channels) {
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

    /** The number of images of a part; throws when there is none, or more than can be counted. */
    static int count(String where, long count) {
        if (count < 1) {
            throw new EffconvException.InvalidInput(where + ": holds " + count + " images, expected at least 1");
        }
        if (count > MAX_COUNT) {
            throw new EffconvException.InvalidInput(
                    where + ": holds " + count + " images, expected at most " + MAX_COUNT);
        }
        return (int) count;
    }

    /** Bytes of {@code count} images as an array length; throws when they cannot be held in one array. */
    static int totalBytes(String where, long count, long bytesEach) {
        count(where, Math.min(count, MAX_COUNT));
        if (count > MAX_COUNT / bytesEach) {
            throw new EffconvException.InvalidInput(where + ": " + count + " images of " + bytesEach
                    + " bytes exceed what one part of a dataset may hold (" + MAX_COUNT + " bytes)");
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

    /** Grey images as colour: their one channel three times. Images of three channels are returned as they are. */
    public Images colour() {
        return channels == 3
                ? this
                : new Images(new Pixels.Repeated(pixels, imageBytes()), labels, rows, height, width, 3);
    }

    /** The same images cut and scaled to squares of that many pixels a side; those that are so already as they are. */
    Images scaled(int side) {
        if (height == side && width == side) {
            return this;
        }
        Pixels.InMemory scaled = Pixels.InMemory.allocate("images", count(), side * side * channels);
        byte[] one = new byte[imageBytes()];
        try (Reader reader = open()) {
            for (int i = 0; i < count(); i++) {
                reader.read(new int[] {i}, ByteBuffer.wrap(one));
                Scaling.square(one, height, width, channels, side, scaled.array(i), scaled.offset(i));
            }
        }
        return new Images(scaled, labels(), null, side, side, channels);
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

    /**
     * Channel {@code c} of pixel (y, x) of image {@code i}: 0 to 255. For a look at a few: where images are read from
     * files, each call reads one.
     */
    public int pixel(int i, int y, int x, int c) {
        return pixels.value(row(i), (y * width + x) * channels + c);
    }

    /**
     * Copies image {@code i} to {@code target} from byte {@code offset} on; the buffer's position stays as it is.
     * Whoever reads many uses {@link #open}.
     */
    public void copyTo(int i, ByteBuffer target, int offset) {
        try (Reader reader = open()) {
            reader.read(new int[] {i}, target.duplicate().position(offset).slice());
        }
    }

    /** Opens the images for one thread that reads many, which closes the result. */
    public Reader open() {
        return new Reader(pixels.open());
    }

    /** Reads images, in any order; not safe for two threads at once. */
    public final class Reader implements AutoCloseable {
        private final Pixels.Reader reader;

        private Reader(Pixels.Reader reader) {
            this.reader = reader;
        }

        /**
         * Copies images to {@code target}, the first to byte 0, as (N, H, W, C); the buffer's position stays as it is.
         *
         * @throws EffconvException if they are read from files that have changed or gone
         */
        public void read(int[] images, ByteBuffer target) {
            reader.read(Arrays.stream(images).map(Images.this::row).toArray(), target);
        }

        @Override
        public void close() {
            reader.close();
        }
    }

    /** CRC-32 of the bytes of image {@code i}. */
    public int checksum(int i) {
        return pixels.checksum(row(i));
    }

    /** Java heap that the pixels take as long as these images are in use, in bytes. */
    public long heapBytes() {
        return Math.min(pixels.heapBytes(), (long) count() * imageBytes()); // of a view its share
    }

    /** Of each channel the sum of all its bytes and the sum of their squares, one after the other: 2 C values. */
    long[] moments() {
        long[] moments = new long[2 * channels];
        for (int i = 0; i < count(); i++) {
            pixels.addMoments(row(i), moments);
        }
        return moments;
    }

    private int row(int i) {
        if (i < 0 || i >= count()) {
            throw new IndexOutOfBoundsException("image " + i + " of " + count());
        }
        return rows == null ? i : rows[i];
    }
}

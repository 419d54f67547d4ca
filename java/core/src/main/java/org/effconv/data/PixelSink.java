package org.effconv.data;

import static org.effconv.data.DataFiles.invalid;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Takes the images of one part as a file gives them, and keeps them as (H, W, C). Memory grows with the images that
 * came, chunk by chunk, so a part may exceed one Java array, and a header that promises too much costs little.
 */
final class PixelSink {
    private static final int REPORT = 4096; // images between two calls of the listener

    /** How a file orders the bytes of an image. */
    enum Layout {
        /** (H, W, C). */
        PIXELS,
        /** (C, H, W): one channel after the other, each row by row. */
        PLANES,
        /** (C, W, H): one channel after the other, each column by column, as MATLAB writes. */
        COLUMNS
    }

    private final String what;
    private final int most;
    private final int height;
    private final int width;
    private final int channels;
    private final int imageBytes;
    private final Layout layout;
    private final LoadListener listener;
    private final List<byte[]> chunks = new ArrayList<>();
    private final int perChunk;
    private int count;

    /**
     * @param what the source, in messages
     * @param most images that can come
     * @throws org.effconv.error.EffconvException if the size is none, or the Java heap can never hold so many
     */
    PixelSink(String what, long most, long height, long width, long channels, Layout layout, LoadListener listener) {
        long each = Images.imageBytes(what, height, width, channels);
        this.what = what;
        this.most = Images.count(what, most);
        this.height = (int) height;
        this.width = (int) width;
        this.channels = (int) channels;
        this.imageBytes = (int) each;
        this.layout = layout;
        this.listener = listener;
        this.perChunk = Pixels.InMemory.perChunk(imageBytes);
        DataFiles.requireHeap(what, most * each);
        listener.progress(what, 0, this.most);
    }

    /** Adds an image, which stands in {@code source} from byte {@code from} on. */
    void add(byte[] source, int from) {
        if (count == most) {
            throw new IllegalStateException(what + ": more than " + most + " images");
        }
        if (count % perChunk == 0) {
            int images = Math.min(perChunk, most - count);
            chunks.add(DataFiles.array(what, images * imageBytes, (long) most * imageBytes));
        }
        byte[] target = chunks.get(count / perChunk);
        int to = count % perChunk * imageBytes;
        if (layout == Layout.PIXELS || channels == 1 && layout == Layout.PLANES) {
            System.arraycopy(source, from, target, to, imageBytes);
        } else {
            transpose(source, from, target, to);
        }
        count++;
        if (count % REPORT == 0 && count < most) {
            listener.progress(what, count, most);
        }
    }

    private void transpose(byte[] source, int from, byte[] target, int to) {
        int rowStep = layout == Layout.COLUMNS ? 1 : width;
        int columnStep = layout == Layout.COLUMNS ? height : 1;
        for (int c = 0; c < channels; c++) {
            int plane = from + c * height * width;
            for (int y = 0; y < height; y++) {
                int pixel = to + y * width * channels + c;
                for (int x = 0; x < width; x++) {
                    target[pixel + x * channels] = source[plane + y * rowStep + x * columnStep];
                }
            }
        }
    }

    /** Adds so many images from a stream, which must end behind them. */
    void addAll(Object file, InputStream in, int images) throws IOException {
        byte[] image = new byte[imageBytes];
        for (int i = 0; i < images; i++) {
            int got = in.readNBytes(image, 0, imageBytes);
            if (got < imageBytes) {
                throw invalid(
                        file,
                        "is truncated: holds " + i + " images and " + got + " bytes, expected " + images + " images of "
                                + imageBytes + " bytes");
            }
            add(image, 0);
        }
        long more = in.transferTo(OutputStream.nullOutputStream());
        if (more > 0) {
            throw invalid(file, "holds " + more + " bytes behind its " + images + " images, expected its end there");
        }
    }

    /** What came, with the label of each. */
    Images images(int[] labels) {
        if (labels.length != count) {
            throw invalid(what, "holds " + count + " images, expected " + labels.length + " as there are labels");
        }
        int last = count - (chunks.size() - 1) * perChunk;
        if (!chunks.isEmpty() && last * imageBytes < chunks.get(chunks.size() - 1).length) {
            chunks.set(chunks.size() - 1, Arrays.copyOf(chunks.get(chunks.size() - 1), last * imageBytes));
        }
        listener.progress(what, count, count);
        return Images.of(Pixels.InMemory.of(chunks, imageBytes), labels, height, width, channels);
    }
}

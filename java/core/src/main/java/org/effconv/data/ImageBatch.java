package org.effconv.data;

import static org.effconv.data.DataFiles.invalid;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/**
 * A batch of images as CIFAR's "python version" has it, and those that follow it: an array {@code data} of (N, 3 S S)
 * bytes, each row all of red, then green, then blue of S x S pixels, and as many labels. It is a pickled dictionary, or
 * an .npz file.
 */
interface ImageBatch {
    /** Rows and columns of the array. */
    record Size(long images, long bytesEach) {}

    /** Looked up without reading the pixels, where that is possible. */
    Size size();

    long[] labels();

    /** Adds all images to a sink of their size. */
    void addTo(PixelSink sink);

    /** Reads a pickled batch whole; for as long as the result lives it holds the pixels. */
    private static ImageBatch pickled(Path file, String labelsKey) {
        Map<String, Object> batch = PickledArrays.read(file);
        String data = file + ": data";
        if (!(value(file, batch, "data") instanceof PickledArray array)) {
            throw invalid(data, "is no NumPy array, expected one of (N, 3072) bytes");
        }
        array.type(data).requirePixels(data);
        Size size = size(data, array.shape());
        byte[] pixels = array.bytes(data);
        long[] labels = PickledArray.integers(file + ": " + labelsKey, value(file, batch, labelsKey));
        requireAsMany(data, size, labels);
        return new ImageBatch() {
            @Override
            public Size size() {
                return size;
            }

            @Override
            public long[] labels() {
                return labels;
            }

            @Override
            public void addTo(PixelSink sink) {
                for (int i = 0; i < size.images(); i++) {
                    sink.add(pixels, (int) (i * size.bytesEach()));
                }
            }
        };
    }

    private static Object value(Path file, Map<String, Object> batch, String key) {
        Object value = batch.get(key);
        if (value == null) {
            throw invalid(
                    file,
                    "has no '" + key + "', expected it beside "
                            + batch.keySet().stream().sorted().limit(10).toList());
        }
        return value;
    }

    /** A batch in an .npz file, with arrays {@code data} and {@code labels}. */
    private static ImageBatch npz(Path file) {
        try (NpyFiles arrays = NpyFiles.ofZip(file)) {
            for (String array : List.of("data", "labels")) {
                if (!arrays.has(array)) {
                    throw invalid(
                            file, "has no array '" + array + "', expected data and labels beside " + arrays.arrays());
                }
            }
            String data = arrays.where("data");
            Size size;
            try (NpyFiles.Opened opened = arrays.start("data")) {
                opened.header().type().requirePixels(data);
                size = size(data, opened.header().shape());
            }
            long[] labels = arrays.labels("labels");
            requireAsMany(data, size, labels);
            return new InZip(file, size, labels);
        } catch (IOException e) {
            throw DataFiles.unreadable(file, e);
        }
    }

    /** Reads its pixels when they are asked for. */
    record InZip(Path file, Size size, long[] labels) implements ImageBatch {
        @Override
        public void addTo(PixelSink sink) {
            try (NpyFiles arrays = NpyFiles.ofZip(file);
                    NpyFiles.Opened data = arrays.start("data")) {
                sink.addAll(data.where(), data.content(), (int) size.images());
            } catch (IOException e) {
                throw DataFiles.unreadable(file, e);
            }
        }
    }

    private static Size size(String where, long[] shape) {
        if (shape.length != 2) {
            throw invalid(where, "array of shape " + NpyHeader.written(shape) + ", expected (N, 3072) or its like");
        }
        return new Size(Images.count(where, shape[0]), shape[1]);
    }

    private static void requireAsMany(String data, Size size, long[] labels) {
        if (size.images() != labels.length) {
            throw invalid(data, "holds " + size.images() + " images, expected " + labels.length + ", one a label");
        }
    }

    /**
     * The images of one part, batch after batch: one batch at a time is in memory beside them.
     *
     * @param first the lowest label, 0 or 1
     */
    static Images images(
            String what, List<Path> files, String labelsKey, int first, int classes, LoadListener listener) {
        List<int[]> labels = new ArrayList<>();
        PixelSink sink = null;
        Size each = null;
        for (Path file : files) {
            ImageBatch batch = open(file, labelsKey);
            if (sink == null) {
                each = batch.size();
                int side = side(file, each.bytesEach());
                long most = 0;
                for (Path one : files) {
                    most += most(one, each.bytesEach());
                }
                sink = new PixelSink(what, most, side, side, 3, PixelSink.Layout.PLANES, listener);
            } else if (batch.size().bytesEach() != each.bytesEach()) {
                throw invalid(
                        file,
                        "data has rows of " + batch.size().bytesEach() + " bytes, expected " + each.bytesEach()
                                + " as in " + files.get(0));
            }
            labels.add(Labels.of(file, batch.labels(), first, classes));
            batch.addTo(sink);
        }
        return sink.images(labels.stream().flatMapToInt(Arrays::stream).toArray());
    }

    private static ImageBatch open(Path file, String labelsKey) {
        return isNpz(file) ? npz(file) : pickled(file, labelsKey);
    }

    private static boolean isNpz(Path file) {
        return file.toString().endsWith(NumpyArrays.NPZ);
    }

    /** How many images a file can hold, without reading them. */
    private static long most(Path file, long bytesEach) {
        if (isNpz(file)) {
            return npz(file).size().images();
        }
        try {
            return Files.size(file) / bytesEach;
        } catch (IOException e) {
            throw DataFiles.unreadable(file, e);
        }
    }

    private static int side(Path file, long bytes) {
        for (int side : List.of(8, 16, 32, 64)) {
            if (3L * side * side == bytes) {
                return side;
            }
        }
        throw invalid(
                file,
                "data has rows of " + bytes + " bytes, expected 3072 (3x32x32), or 192, 768 or 12288 of other sizes");
    }
}

package org.effconv.data;

import static org.effconv.data.DataFiles.invalid;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import us.hebi.matlab.mat.types.MatlabType;
import us.hebi.matlab.mat.types.Matrix;

/**
 * SVHN's cropped digits (Y. Netzer et al., "Reading digits in natural images with unsupervised feature learning", 2011,
 * and its page ufldl.stanford.edu/housenumbers): MATLAB files of version 5 with X of 32 x 32 x 3 x N bytes, column by
 * column, and y of N labels from 1 to 10, where 10 stands for the digit 0. The classes are the digits. extra_32x32.mat
 * is not read.
 */
final class SvhnMat implements DatasetFormat {
    private static final String TRAIN = "train_32x32.mat";
    private static final String TEST = "test_32x32.mat";
    private static final int SIDE = 32;
    private static final int IMAGE = 3 * SIDE * SIDE;
    private static final int DIGITS = 10;

    @Override
    public String name() {
        return "SVHN's MATLAB files";
    }

    @Override
    public String expected() {
        return TRAIN;
    }

    @Override
    public boolean isAt(Path folder) {
        return Files.exists(folder.resolve(TRAIN)) || Files.exists(folder.resolve(TEST));
    }

    @Override
    public Dataset read(String name, Path folder, ReadOptions options) {
        List<Path> files = List.of(folder.resolve(TRAIN), folder.resolve(TEST));
        DataFiles.requireAll(files, TRAIN + " and " + TEST);
        return Dataset.of(
                name,
                images(files.get(0), options.listener()),
                images(files.get(1), options.listener()),
                Labels.numbers(0, DIGITS));
    }

    private static Images images(Path file, LoadListener listener) {
        Map<String, Matrix> arrays = MatArrays.read(file, List.of("X", "y"));
        int[] labels = labels(file, arrays.get("y"));
        Matrix pixels = arrays.get("X");
        int[] extents = pixels.getDimensions();
        long images =
                extents.length == 4 ? extents[3] : extents.length == 3 ? 1 : -1; // MATLAB drops a last extent of 1
        if (images < 0
                || extents[0] != SIDE
                || extents[1] != SIDE
                || extents[2] != 3
                || pixels.getType() != MatlabType.UInt8
                || images > Integer.MAX_VALUE / IMAGE) {
            throw invalid(
                    file,
                    "X is " + pixels.getType() + " of " + Arrays.toString(extents)
                            + ", expected uint8 of [32, 32, 3, N]");
        }
        PixelSink sink = new PixelSink(file.toString(), images, SIDE, SIDE, 3, PixelSink.Layout.COLUMNS, listener);
        byte[] image = new byte[IMAGE];
        for (int i = 0; i < images; i++) {
            for (int b = 0; b < IMAGE; b++) {
                image[b] = (byte) pixels.getLong(i * IMAGE + b);
            }
            sink.add(image, 0);
        }
        return sink.images(labels);
    }

    private static int[] labels(Path file, Matrix y) {
        int[] labels = new int[y.getNumElements()];
        for (int i = 0; i < labels.length; i++) {
            long value = y.getLong(i);
            Labels.requireIn(file, value, i, 1, DIGITS);
            labels[i] = (int) value % DIGITS;
        }
        return labels;
    }
}

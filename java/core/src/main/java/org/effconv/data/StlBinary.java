package org.effconv.data;

import static org.effconv.data.DataFiles.invalid;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * STL-10 in its binary form (A. Coates, H. Lee, A. Y. Ng, "An analysis of single-layer networks in unsupervised feature
 * learning", 2011, and its page cs.stanford.edu/~acoates/stl10): images of 3 x 96 x 96 bytes, all of red, then green,
 * then blue, each column by column; labels of one byte from 1 to 10, in files of their own. class_names.txt names the
 * classes, one a line. The unlabelled images and fold_indices.txt are not read.
 */
final class StlBinary implements DatasetFormat {
    private static final String TRAIN_IMAGES = "train_X.bin";
    private static final String TRAIN_LABELS = "train_y.bin";
    private static final String TEST_IMAGES = "test_X.bin";
    private static final String TEST_LABELS = "test_y.bin";
    private static final List<String> FILES = List.of(TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS);
    private static final String CLASS_NAMES = "class_names.txt";
    private static final List<String> CLASSES =
            List.of("airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck");
    private static final int SIDE = 96;
    private static final int IMAGE = 3 * SIDE * SIDE;

    @Override
    public String name() {
        return "STL-10 binary files";
    }

    @Override
    public String expected() {
        return TRAIN_IMAGES;
    }

    @Override
    public boolean isAt(Path folder) {
        return FILES.stream().anyMatch(file -> Files.exists(folder.resolve(file)));
    }

    @Override
    public Dataset read(String name, Path folder, ReadOptions options) {
        DataFiles.requireAll(FILES.stream().map(folder::resolve).toList(), String.join(", ", FILES));
        Path names = folder.resolve(CLASS_NAMES);
        List<String> classes = Files.exists(names) ? DataFiles.classNames(names, CLASSES.size()) : CLASSES;
        int[] trainLabels = labels(folder.resolve(TRAIN_LABELS));
        int[] testLabels = labels(folder.resolve(TEST_LABELS));
        Images train = images(folder.resolve(TRAIN_IMAGES), trainLabels, options.listener());
        Images test = images(folder.resolve(TEST_IMAGES), testLabels, options.listener());
        return Dataset.of(name, train, test, classes);
    }

    private static int[] labels(Path file) {
        try (InputStream in = DataFiles.open(file)) {
            int count = Images.count(file.toString(), Files.size(file));
            return Labels.of(file, Labels.unsigned(DataFiles.rest(file, in, count, 0)), 1, CLASSES.size());
        } catch (IOException e) {
            throw DataFiles.unreadable(file, e);
        }
    }

    private static Images images(Path file, int[] labels, LoadListener listener) {
        try (InputStream in = DataFiles.open(file)) {
            long size = Files.size(file);
            if (size != (long) labels.length * IMAGE) {
                throw invalid(
                        file,
                        "holds " + size + " bytes, expected " + (long) labels.length * IMAGE + ": 3x96x96 for each of "
                                + labels.length + " labels");
            }
            PixelSink sink =
                    new PixelSink(file.toString(), labels.length, SIDE, SIDE, 3, PixelSink.Layout.COLUMNS, listener);
            sink.addAll(file, in, labels.length);
            return sink.images(labels);
        } catch (IOException e) {
            throw DataFiles.unreadable(file, e);
        }
    }
}

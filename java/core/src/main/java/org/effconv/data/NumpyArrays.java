package org.effconv.data;

import static org.effconv.data.DataFiles.invalid;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Images and labels as NumPy arrays (numpy.lib.format), in one .npz file or in .npy files of a folder, named as Keras
 * does (keras.datasets: x_train, y_train, x_test, y_test) or as MedMNIST does (J. Yang et al., "MedMNIST v2", 2023:
 * train_images, train_labels, test_images, test_labels). val_images and val_labels are the validation part, and the
 * test part where there is no other. Images are uint8, (N, H, W), (N, H, W, C) or (N, C, H, W) with 1 or 3 channels;
 * labels are integers, (N) or (N, 1), counted from 0. classes.txt beside them names the classes, one a line.
 */
final class NumpyArrays implements DatasetFormat {
    private static final Logger LOG = LoggerFactory.getLogger(NumpyArrays.class);
    static final String NPZ = ".npz";

    /** The arrays of a part. */
    private record Names(String images, String labels) {
        boolean anyIn(NpyFiles files) {
            return files.has(images) || files.has(labels);
        }
    }

    private static final List<Names> TRAIN =
            List.of(new Names("x_train", "y_train"), new Names("train_images", "train_labels"));
    private static final Names VALIDATION = new Names("val_images", "val_labels");
    private static final List<Names> TEST =
            List.of(new Names("x_test", "y_test"), new Names("test_images", "test_labels"), VALIDATION);
    private static final String EXPECTED =
            "x_train, y_train, x_test and y_test, or train_images, train_labels, " + "test_images and test_labels";

    @Override
    public String name() {
        return "NumPy arrays";
    }

    @Override
    public String expected() {
        return "one .npz file or x_train.npy";
    }

    @Override
    public boolean isAt(Path place) {
        return npz(place).isPresent() || isIn(NpyFiles.ofFolder(place));
    }

    private static boolean isIn(NpyFiles folder) {
        return TRAIN.stream().anyMatch(names -> names.anyIn(folder))
                || TEST.stream().anyMatch(names -> names.anyIn(folder));
    }

    /** The file itself, or the only one of a folder. */
    private static Optional<Path> npz(Path place) {
        if (!Files.isDirectory(place)) {
            return Optional.of(place).filter(NumpyArrays::isNpz);
        }
        List<Path> found = new ArrayList<>();
        try (DirectoryStream<Path> files = Files.newDirectoryStream(place, NumpyArrays::isNpz)) {
            files.forEach(found::add);
        } catch (IOException e) {
            throw DataFiles.unreadable(place, e);
        }
        return found.size() == 1 ? Optional.of(found.get(0)) : Optional.empty();
    }

    private static boolean isNpz(Path file) {
        return file.getFileName() != null && file.getFileName().toString().endsWith(NPZ) && Files.isRegularFile(file);
    }

    @Override
    public Dataset read(String name, Path place, ReadOptions options) {
        Optional<Path> npz = npz(place);
        Path folder = Files.isDirectory(place) ? place : place.toAbsolutePath().getParent();
        Path namesFile = folder.resolve(IdxFolder.CLASS_NAMES);
        if (npz.isPresent() && isIn(NpyFiles.ofFolder(place))) {
            LOG.warn("{}: holds .npy files, too; only {} is used", place, npz.get());
        }
        try (NpyFiles files = npz.isPresent() ? NpyFiles.ofZip(npz.get()) : NpyFiles.ofFolder(place)) {
            Object where = npz.isPresent() ? npz.get() : place;
            Names train = part(where, files, TRAIN, "training");
            Names test = part(where, files, TEST, "test");
            long[] trainLabels = files.labels(train.labels());
            List<String> classes = Files.exists(namesFile)
                    ? DataFiles.classNames(namesFile)
                    : Labels.numbers(0, Labels.classes(files.where(train.labels()), trainLabels));
            LoadListener listener = options.listener();
            Images trainImages = images(files, train, trainLabels, classes.size(), listener);
            Images testImages = images(files, test, files.labels(test.labels()), classes.size(), listener);
            if (test.equals(VALIDATION) || !VALIDATION.anyIn(files)) {
                return Dataset.of(name, trainImages, testImages, classes);
            }
            Names validation = part(where, files, List.of(VALIDATION), "validation");
            Images validationImages =
                    images(files, validation, files.labels(validation.labels()), classes.size(), listener);
            return Dataset.of(name, trainImages, validationImages, testImages, classes);
        }
    }

    private static Names part(Object where, NpyFiles files, List<Names> candidates, String what) {
        Names names = candidates.stream()
                .filter(candidate -> candidate.anyIn(files))
                .findFirst()
                .orElseThrow(() -> invalid(
                        where,
                        "holds no " + what + " images"
                                + (files.arrays().isEmpty() ? "" : " (only " + String.join(", ", files.arrays()) + ")")
                                + ", expected " + EXPECTED));
        for (String array : List.of(names.images(), names.labels())) {
            if (!files.has(array)) {
                throw invalid(
                        files.where(array),
                        "is missing, expected it beside "
                                + (array.equals(names.images()) ? names.labels() : names.images()));
            }
        }
        return names;
    }

    private static Images images(NpyFiles files, Names names, long[] values, int classes, LoadListener listener) {
        int[] labels = Labels.of(files.where(names.labels()), values, 0, classes);
        String where = files.where(names.images());
        try (NpyFiles.Opened opened = files.start(names.images())) {
            NpyHeader header = opened.header();
            header.type().requirePixels(where);
            long[] shape = header.shape();
            boolean grey = shape.length == 3;
            boolean last = shape.length == 4 && isChannels(shape[3]);
            boolean first = shape.length == 4 && isChannels(shape[1]);
            if (!grey && !last && !first) {
                throw invalid(
                        where,
                        "images of shape " + NpyHeader.written(shape)
                                + ", expected (N, H, W), (N, H, W, C) or (N, C, H, W) with 1 or 3 channels");
            }
            if (shape[0] != labels.length) {
                throw invalid(
                        where,
                        "holds " + shape[0] + " images, expected " + labels.length + " as "
                                + files.where(names.labels()) + " holds labels");
            }
            PixelSink sink = grey || last
                    ? new PixelSink(
                            where, shape[0], shape[1], shape[2], grey ? 1 : shape[3], PixelSink.Layout.PIXELS, listener)
                    : new PixelSink(where, shape[0], shape[2], shape[3], shape[1], PixelSink.Layout.PLANES, listener);
            sink.addAll(where, opened.content(), labels.length);
            return sink.images(labels);
        } catch (IOException e) {
            throw DataFiles.unreadable(where, e);
        }
    }

    private static boolean isChannels(long extent) {
        return extent == 1 || extent == 3;
    }
}

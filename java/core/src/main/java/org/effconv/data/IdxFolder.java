package org.effconv.data;

import static org.effconv.data.DataFiles.invalid;

import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.zip.ZipException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The four IDX files of MNIST and of the sets published in its form (Y. LeCun, C. Cortes, C. Burges, "The MNIST
 * database of handwritten digits"): big-endian header, then unsigned bytes. Each may be gzipped. A file
 * {@code classes.txt} beside them names the classes, one a line; without it they are named by their numbers.
 */
final class IdxFolder implements DatasetFormat {
    private static final Logger LOG = LoggerFactory.getLogger(IdxFolder.class);
    static final String CLASS_NAMES = "classes.txt";
    private static final String TRAIN_IMAGES = "train-images-idx3-ubyte";
    private static final String TRAIN_LABELS = "train-labels-idx1-ubyte";
    private static final String TEST_IMAGES = "t10k-images-idx3-ubyte";
    private static final String TEST_LABELS = "t10k-labels-idx1-ubyte";
    private static final int IMAGES_MAGIC = 0x0803; // two zero bytes, type 8 = unsigned byte, 3 dimensions
    private static final int LABELS_MAGIC = 0x0801;

    @Override
    public String name() {
        return "IDX files";
    }

    @Override
    public String expected() {
        return TRAIN_IMAGES + "[.gz]";
    }

    @Override
    public boolean isAt(Path folder) {
        for (String name : List.of(TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS)) {
            if (Files.exists(folder.resolve(name)) || Files.exists(folder.resolve(name + ".gz"))) {
                return true;
            }
        }
        return false;
    }

    @Override
    public Dataset read(String name, Path folder, ReadOptions options) {
        LoadListener listener = options.listener();
        Path trainImages = find(folder, TRAIN_IMAGES);
        Path trainLabels = find(folder, TRAIN_LABELS);
        Path testImages = find(folder, TEST_IMAGES);
        Path testLabels = find(folder, TEST_LABELS);
        Path namesFile = folder.resolve(CLASS_NAMES);
        List<String> names = Files.exists(namesFile) ? DataFiles.classNames(namesFile) : null;

        long[] trainClass = labels(trainLabels);
        long[] testClass = labels(testLabels);
        int classes = names != null ? names.size() : Labels.classes(trainLabels, trainClass);
        int[] trainLabel = Labels.of(trainLabels, trainClass, 0, classes);
        int[] testLabel = Labels.of(testLabels, testClass, 0, classes);
        Images train = images(trainImages, trainLabels, trainLabel, listener);
        Images test = images(testImages, testLabels, testLabel, listener);
        return Dataset.of(name, train, test, names != null ? names : Labels.numbers(0, classes));
    }

    private static Path find(Path folder, String name) {
        Path plain = folder.resolve(name);
        Path zipped = folder.resolve(name + ".gz");
        if (Files.isRegularFile(plain)) {
            if (Files.exists(zipped)) {
                LOG.warn("{}: is not used, since {} stands beside it", zipped, plain);
            }
            return plain;
        }
        if (Files.isRegularFile(zipped)) {
            return zipped;
        }
        throw invalid(
                folder,
                "file " + name + " is missing, expected it (or " + name + ".gz) beside the other three IDX files");
    }

    private static long[] labels(Path file) {
        try (DataInputStream in = new DataInputStream(DataFiles.open(file))) {
            long count = header(file, in, LABELS_MAGIC, "labels", 1)[0];
            return Labels.unsigned(DataFiles.rest(file, in, Images.totalBytes(file.toString(), count, 1), 8));
        } catch (IOException e) {
            throw DataFiles.unreadable(file, e);
        }
    }

    private static Images images(Path file, Path labelFile, int[] labels, LoadListener listener) {
        try (DataInputStream in = new DataInputStream(DataFiles.open(file))) {
            long[] dims = header(file, in, IMAGES_MAGIC, "images", 3);
            long each = Images.imageBytes(file.toString(), dims[1], dims[2], 1);
            int bytes = Images.totalBytes(file.toString(), dims[0], each);
            if (dims[0] != labels.length) {
                throw invalid(
                        file,
                        "holds " + dims[0] + " images, expected " + labels.length + " as " + labelFile
                                + " holds labels");
            }
            listener.progress(file.toString(), 0, labels.length);
            byte[] pixels = DataFiles.rest(file, in, bytes, 16);
            listener.progress(file.toString(), labels.length, labels.length);
            return Images.of(pixels, labels, (int) dims[1], (int) dims[2], 1);
        } catch (IOException e) {
            throw DataFiles.unreadable(file, e);
        }
    }

    /** Checks the magic number and returns the dimensions, as unsigned 32-bit values. */
    private static long[] header(Path file, DataInputStream in, int magic, String what, int rank) throws IOException {
        try {
            int found = in.readInt();
            if (found != magic) {
                throw invalid(
                        file,
                        String.format(
                                Locale.ROOT,
                                "magic number 0x%08x, expected 0x%08x (%s as unsigned bytes)",
                                found,
                                magic,
                                what));
            }
            long[] dims = new long[rank];
            for (int i = 0; i < rank; i++) {
                dims[i] = Integer.toUnsignedLong(in.readInt());
            }
            return dims;
        } catch (EOFException | ZipException e) {
            throw invalid(file, "is truncated within its header, expected " + (4 + 4 * rank) + " bytes of header");
        }
    }
}

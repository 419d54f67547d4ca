package org.effconv.data;

import static org.effconv.data.DataFiles.invalid;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * CIFAR-10 in its binary form (A. Krizhevsky, "Learning multiple layers of features from tiny images", 2009): files of
 * records of one label byte and 3 x 32 x 32 bytes, all of red, then green, then blue. A file batches.meta.txt beside
 * them is not read: the names of the ten classes are fixed.
 */
final class CifarBinary implements DatasetFormat {
    private static final String TEST = "test_batch.bin";
    private static final List<String> TRAIN =
            List.of("data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin");
    private static final List<String> CLASSES =
            List.of("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck");
    private static final int SIDE = 32;
    private static final int PLANE = SIDE * SIDE;
    private static final int RECORD = 1 + 3 * PLANE;

    @Override
    public String name() {
        return "CIFAR-10 binary batches";
    }

    @Override
    public String expected() {
        return TRAIN.get(0);
    }

    @Override
    public boolean isAt(Path folder) {
        List<String> names = new ArrayList<>(TRAIN);
        names.add(TEST);
        return names.stream().anyMatch(name -> Files.exists(folder.resolve(name)));
    }

    @Override
    public Dataset read(String name, Path folder, ReadOptions options) {
        LoadListener listener = options.listener();
        List<Path> trainFiles = TRAIN.stream().map(folder::resolve).toList();
        List<Path> testFiles = List.of(folder.resolve(TEST));
        int trainCount = count(trainFiles); // of all files before any is read, so that a missing one costs no time
        int testCount = count(testFiles);
        Images train = images(folder + "/data_batch_1..5.bin", trainFiles, trainCount, listener);
        Images test = images(testFiles.get(0).toString(), testFiles, testCount, listener);
        return Dataset.of(name, train, test, CLASSES);
    }

    private static int count(List<Path> files) {
        long records = 0;
        for (Path file : files) {
            if (!Files.isRegularFile(file)) {
                throw invalid(
                        file, "file is missing, expected " + TRAIN.get(0) + " to " + TRAIN.get(4) + " and " + TEST);
            }
            try {
                long size = Files.size(file);
                if (size == 0 || size % RECORD != 0) {
                    throw invalid(
                            file,
                            "holds " + size + " bytes, expected a multiple of " + RECORD
                                    + " (one label byte and 3x32x32 bytes an image)");
                }
                records += size / RECORD;
            } catch (IOException e) {
                throw DataFiles.unreadable(file, e);
            }
        }
        Images.totalBytes(files.get(0).getParent().toString(), records, RECORD);
        return (int) records;
    }

    private static Images images(String what, List<Path> files, int count, LoadListener listener) {
        byte[] pixels = DataFiles.array(what, count * 3 * PLANE);
        int[] labels = new int[count];
        byte[] record = new byte[RECORD];
        int next = 0;
        for (Path file : files) {
            listener.progress(what, next, count);
            try (InputStream in = DataFiles.open(file)) {
                int first = next;
                for (int got = in.readNBytes(record, 0, RECORD); got > 0; got = in.readNBytes(record, 0, RECORD)) {
                    if (got < RECORD || next == count) {
                        throw invalid(file, "changed its size while it was read");
                    }
                    labels[next] = record[0] & 0xff;
                    if (labels[next] >= CLASSES.size()) {
                        throw invalid(
                                file,
                                "label " + labels[next] + " of record " + (next - first)
                                        + " is out of range, expected 0 to " + (CLASSES.size() - 1));
                    }
                    interleave(record, pixels, next * 3 * PLANE);
                    next++;
                }
            } catch (IOException e) {
                throw DataFiles.unreadable(file, e);
            }
        }
        if (next != count) {
            throw invalid(what, "changed its size while it was read");
        }
        listener.progress(what, count, count);
        return Images.of(pixels, labels, SIDE, SIDE, 3);
    }

    private static void interleave(byte[] record, byte[] pixels, int start) {
        for (int p = 0; p < PLANE; p++) {
            for (int c = 0; c < 3; c++) {
                pixels[start + 3 * p + c] = record[1 + c * PLANE + p];
            }
        }
    }
}

package org.effconv.data;

import static org.effconv.data.DataFiles.invalid;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * CIFAR-10 and CIFAR-100 in their binary form (A. Krizhevsky, "Learning multiple layers of features from tiny images",
 * 2009, and its page www.cs.toronto.edu/~kriz/cifar.html): files of records of label bytes and 3 x 32 x 32 bytes, all
 * of red, then green, then blue. CIFAR-10 has one label byte; a file batches.meta.txt beside it is not read, since the
 * names of the ten classes are fixed. CIFAR-100 has two, of a coarse and of a fine class: the fine one counts, and
 * fine_label_names.txt names it.
 */
final class CifarBinary implements DatasetFormat {
    static final List<String> TEN =
            List.of("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck");
    static final int SIDE = 32;
    static final int FINE_CLASSES = 100;
    private static final String FINE_NAMES = "fine_label_names.txt";
    private static final int IMAGE = 3 * SIDE * SIDE;

    private final String name;
    private final List<String> trainNames;
    private final String testName;
    private final int labelBytes;

    private CifarBinary(String name, List<String> trainNames, String testName, int labelBytes) {
        this.name = name;
        this.trainNames = trainNames;
        this.testName = testName;
        this.labelBytes = labelBytes;
    }

    static CifarBinary ten() {
        return new CifarBinary(
                "CIFAR-10 binary batches",
                IntStream.rangeClosed(1, 5)
                        .mapToObj(i -> "data_batch_" + i + ".bin")
                        .toList(),
                "test_batch.bin",
                1);
    }

    static CifarBinary hundred() {
        return new CifarBinary("CIFAR-100 binary files", List.of("train.bin"), "test.bin", 2);
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public String expected() {
        return labelBytes == 1 ? trainNames.get(0) : trainNames.get(0) + " of CIFAR-100";
    }

    /** CIFAR-100's names are anybody's, so one of its files must have the size of its records. */
    @Override
    public boolean isAt(Path folder) {
        Stream<Path> files =
                Stream.concat(trainNames.stream(), Stream.of(testName)).map(folder::resolve);
        return labelBytes == 1
                ? files.anyMatch(Files::exists)
                : files.anyMatch(this::isRecords) || Files.exists(folder.resolve(FINE_NAMES));
    }

    private boolean isRecords(Path file) {
        try {
            return Files.isRegularFile(file) && Files.size(file) > 0 && Files.size(file) % recordBytes() == 0;
        } catch (IOException e) {
            throw DataFiles.unreadable(file, e);
        }
    }

    @Override
    public Dataset read(String datasetName, Path folder, ReadOptions options) {
        List<Path> trainFiles = trainNames.stream().map(folder::resolve).toList();
        Path testFile = folder.resolve(testName);
        DataFiles.requireAll(
                Stream.concat(trainFiles.stream(), Stream.of(testFile)).toList(),
                DataFiles.range(trainNames) + " and " + testName);
        List<String> classes = classes(folder);
        long trainCount = count(trainFiles); // of all files before any is read, so that a missing one costs no time
        long testCount = count(List.of(testFile));
        String trainName = trainFiles.size() == 1 ? trainFiles.get(0).toString() : folder + "/data_batch_1..5.bin";
        Images train = images(trainName, trainFiles, trainCount, classes.size(), options.listener());
        Images test = images(testFile.toString(), List.of(testFile), testCount, classes.size(), options.listener());
        return Dataset.of(datasetName, train, test, classes);
    }

    private List<String> classes(Path folder) {
        if (labelBytes == 1) {
            return TEN;
        }
        Path names = folder.resolve(FINE_NAMES);
        return Files.exists(names) ? DataFiles.classNames(names, FINE_CLASSES) : Labels.numbers(0, FINE_CLASSES);
    }

    private int recordBytes() {
        return labelBytes + IMAGE;
    }

    private long count(List<Path> files) {
        long records = 0;
        for (Path file : files) {
            try {
                long size = Files.size(file);
                if (size == 0 || size % recordBytes() != 0) {
                    throw invalid(
                            file,
                            "holds " + size + " bytes, expected a multiple of " + recordBytes() + " ("
                                    + (labelBytes == 1 ? "one label byte" : "two label bytes")
                                    + " and 3x32x32 bytes an image)");
                }
                records += size / recordBytes();
            } catch (IOException e) {
                throw DataFiles.unreadable(file, e);
            }
        }
        return records;
    }

    private Images images(String what, List<Path> files, long count, int classes, LoadListener listener) {
        PixelSink sink = new PixelSink(what, count, SIDE, SIDE, 3, PixelSink.Layout.PLANES, listener);
        int[] labels = new int[(int) count];
        byte[] record = new byte[recordBytes()];
        int next = 0;
        for (Path file : files) {
            try (InputStream in = DataFiles.open(file)) {
                int first = next;
                for (int got = in.readNBytes(record, 0, record.length);
                        got > 0;
                        got = in.readNBytes(record, 0, record.length)) {
                    if (got < record.length || next == labels.length) {
                        throw invalid(file, "changed its size while it was read");
                    }
                    labels[next] = record[labelBytes - 1] & 0xff;
                    Labels.requireIn(file, labels[next], next - first, 0, classes);
                    sink.add(record, labelBytes);
                    next++;
                }
            } catch (IOException e) {
                throw DataFiles.unreadable(file, e);
            }
        }
        if (next != labels.length) {
            throw invalid(what, "changed its size while it was read");
        }
        return sink.images(labels);
    }
}

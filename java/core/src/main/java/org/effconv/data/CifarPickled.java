package org.effconv.data;

import static org.effconv.data.DataFiles.invalid;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * CIFAR-10 and CIFAR-100 in their "python version" (www.cs.toronto.edu/~kriz/cifar.html): pickled dictionaries of an
 * array {@code data} of (N, 3072) bytes and a list of labels, {@code labels} or {@code fine_labels}. batches.meta and
 * meta name the classes.
 */
final class CifarPickled implements DatasetFormat {
    private final String name;
    private final List<String> trainNames;
    private final String testName;
    private final String metaName;
    private final String labelsKey;
    private final String namesKey;
    private final int classes;

    private CifarPickled(
            String name,
            List<String> trainNames,
            String testName,
            String metaName,
            String labelsKey,
            String namesKey,
            int classes) {
        this.name = name;
        this.trainNames = trainNames;
        this.testName = testName;
        this.metaName = metaName;
        this.labelsKey = labelsKey;
        this.namesKey = namesKey;
        this.classes = classes;
    }

    static CifarPickled ten() {
        List<String> train =
                IntStream.rangeClosed(1, 5).mapToObj(i -> "data_batch_" + i).toList();
        return new CifarPickled(
                "pickled CIFAR-10 batches", train, "test_batch", "batches.meta", "labels", "label_names", 10);
    }

    static CifarPickled hundred() {
        return new CifarPickled(
                "pickled CIFAR-100 files",
                List.of("train"),
                "test",
                "meta",
                "fine_labels",
                "fine_label_names",
                CifarBinary.FINE_CLASSES);
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public String expected() {
        return classes == 10 ? trainNames.get(0) : "a file " + trainNames.get(0) + " of CIFAR-100";
    }

    /** CIFAR-100's names are anybody's, so one of its files must begin as a pickle. */
    @Override
    public boolean isAt(Path folder) {
        return classes == 10
                ? Files.exists(folder.resolve(trainNames.get(0))) || Files.exists(folder.resolve(testName))
                : PickledArrays.isPickle(folder.resolve(trainNames.get(0)))
                        || PickledArrays.isPickle(folder.resolve(testName));
    }

    @Override
    public Dataset read(String datasetName, Path folder, ReadOptions options) {
        List<Path> train = trainNames.stream().map(folder::resolve).toList();
        Path test = folder.resolve(testName);
        DataFiles.requireAll(
                Stream.concat(train.stream(), Stream.of(test)).toList(),
                DataFiles.range(trainNames) + " and " + testName);
        List<String> classNames = classNames(folder.resolve(metaName));
        String trainName = train.size() == 1 ? train.get(0).toString() : folder + "/data_batch_1..5";
        return Dataset.of(
                datasetName,
                images(trainName, train, options.listener()),
                images(test.toString(), List.of(test), options.listener()),
                classNames);
    }

    private List<String> classNames(Path meta) {
        if (!Files.exists(meta)) {
            return classes == 10 ? CifarBinary.TEN : Labels.numbers(0, classes);
        }
        Map<String, Object> values = PickledArrays.read(meta);
        if (!(values.get(namesKey) instanceof List<?> names) || names.size() != classes) {
            throw invalid(meta, "has no list '" + namesKey + "' of " + classes + " names, expected one");
        }
        return names.stream()
                .map(one -> one instanceof String || one instanceof byte[] ? PickledArrays.text(one) : "")
                .toList();
    }

    private Images images(String what, List<Path> files, LoadListener listener) {
        return ImageBatch.images(what, files, labelsKey, 0, classes, listener);
    }
}

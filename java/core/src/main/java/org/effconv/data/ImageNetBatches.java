package org.effconv.data;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * Downsampled ImageNet (P. Chrabaszcz, I. Loshchilov, F. Hutter, "A downsampled variant of ImageNet as an alternative
 * to the CIFAR datasets", 2017), of 32 x 32 pixels or another size: ten training batches and one of validation images,
 * which is the test part. Each is a pickled dictionary or an .npz file with arrays {@code data} of (N, 3 S S) bytes and
 * {@code labels} from 1 to 1000. classes.txt beside them names the classes, one a line.
 */
final class ImageNetBatches implements DatasetFormat {
    private static final List<String> TRAIN =
            IntStream.rangeClosed(1, 10).mapToObj(i -> "train_data_batch_" + i).toList();
    private static final String TEST = "val_data";
    private static final int CLASSES = 1000;

    @Override
    public String name() {
        return "batches of downsampled ImageNet";
    }

    @Override
    public String expected() {
        return TRAIN.get(0) + "[.npz]";
    }

    @Override
    public boolean isAt(Path folder) {
        return ending(folder, "") || ending(folder, NumpyArrays.NPZ);
    }

    private static boolean ending(Path folder, String ending) {
        return Files.exists(folder.resolve(TRAIN.get(0) + ending)) || Files.exists(folder.resolve(TEST + ending));
    }

    @Override
    public Dataset read(String name, Path folder, ReadOptions options) {
        String ending = ending(folder, "") ? "" : NumpyArrays.NPZ;
        List<Path> train =
                TRAIN.stream().map(one -> folder.resolve(one + ending)).toList();
        Path test = folder.resolve(TEST + ending);
        DataFiles.requireAll(
                Stream.concat(train.stream(), Stream.of(test)).toList(),
                DataFiles.range(TRAIN) + " and " + TEST + (ending.isEmpty() ? "" : ", each with " + ending));
        Path namesFile = folder.resolve(IdxFolder.CLASS_NAMES);
        List<String> classes =
                Files.exists(namesFile) ? DataFiles.classNames(namesFile, CLASSES) : Labels.numbers(1, CLASSES);
        LoadListener listener = options.listener();
        return Dataset.of(
                name,
                images(folder + "/train_data_batch_1..10" + ending, train, listener),
                images(test.toString(), List.of(test), listener),
                classes);
    }

    private static Images images(String what, List<Path> files, LoadListener listener) {
        return ImageBatch.images(what, files, "labels", 1, CLASSES, listener);
    }
}

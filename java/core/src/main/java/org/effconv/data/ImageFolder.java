package org.effconv.data;

import static org.effconv.data.DataFiles.invalid;

import java.nio.file.Path;
import java.text.Normalizer;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.TreeSet;

/**
 * Images as files, one folder per class: {@code train/<class>/*} and {@code test/<class>/*} in a folder, or the same
 * classes in {@code train.zip} and {@code test.zip}; {@link ClassFolders} has the rule. Classes are numbered in the
 * order of their names; images are ordered by class, then by name.
 */
final class ImageFolder implements DatasetFormat {
    @Override
    public String name() {
        return "class folders of images";
    }

    @Override
    public String expected() {
        return "train.zip or a folder train/";
    }

    @Override
    public boolean isAt(Path folder) {
        return ImagePart.isIn(folder, "train") || ImagePart.isIn(folder, "test");
    }

    @Override
    public Dataset read(String name, Path folder, ReadOptions options) {
        try (ImagePart train = ImagePart.open(folder, "train");
                ImagePart test = ImagePart.open(folder, "test")) {
            return read(name, train, test, options);
        }
    }

    private static Dataset read(String name, ImagePart train, ImagePart test, ReadOptions options) {
        List<String> classes = classesOf(train);
        requireEqual(train.path(), classes, test.path(), classesOf(test));
        ImageSet trainSet = ImageSet.decode(
                train.path().toString(),
                chosen(train.items(), classes, options.trainImages()),
                null,
                classes,
                options.listener());
        ImageSet testSet = ImageSet.decode(
                test.path().toString(),
                chosen(test.items(), classes, options.testImages()),
                trainSet,
                classes,
                options.listener());
        boolean grey = trainSet.grey() && testSet.grey();
        return Dataset.of(name, trainSet.images(grey), testSet.images(grey), classes);
    }

    private static void requireEqual(Path train, List<String> classes, Path test, List<String> testClasses) {
        TreeSet<String> apart = new TreeSet<>(testClasses);
        for (String c : classes) {
            if (!apart.remove(c)) {
                String alike = testClasses.stream()
                        .filter(other -> loosely(other).equals(loosely(c)))
                        .findFirst()
                        .orElse(null);
                throw invalid(
                        test,
                        alike == null
                                ? "has no class '" + c + "', expected the classes of " + train + ", " + classes
                                : "has a class '" + alike + "' where " + train + " has '" + c
                                        + "': they differ only in small and capital letters, spaces or "
                                        + "forms of letters; expected one spelling");
            }
        }
        if (!apart.isEmpty()) {
            throw invalid(test, "has a class '" + apart.first() + "' unknown to " + train + ", expected " + classes);
        }
    }

    private static String loosely(String className) {
        return Normalizer.normalize(className, Normalizer.Form.NFKC)
                .toLowerCase(Locale.ROOT)
                .strip();
    }

    private static List<ClassFolders.Item> chosen(List<ClassFolders.Item> items, List<String> classes, int count) {
        if (count >= items.size()) {
            return items;
        }
        int[] labels = items.stream()
                .mapToInt(item -> Collections.binarySearch(classes, item.className()))
                .toArray();
        return Arrays.stream(Strata.indices(Strata.choose(labels, classes.size(), count, members -> {}), true))
                .mapToObj(items::get)
                .toList();
    }

    private static List<String> classesOf(ImagePart part) {
        List<String> classes = part.items().stream()
                .map(ClassFolders.Item::className)
                .distinct()
                .toList(); // in order, as the items are
        if (classes.size() < 2) {
            throw invalid(
                    part.path(),
                    "holds " + part.items().size() + " images in " + classes.size()
                            + " class folders, expected at least 2 folders with images");
        }
        return classes;
    }
}

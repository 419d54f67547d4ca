package org.effconv.data;

import static org.effconv.data.DataFiles.invalid;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.TreeSet;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipException;
import java.util.zip.ZipFile;

/**
 * Images as files, one folder per class: {@code train/<class>/*} and {@code test/<class>/*} in a folder, or the same
 * classes in {@code train.zip} and {@code test.zip} (there, a folder common to all entries is ignored). Classes are
 * numbered in the order of their names; images are ordered by class, then by name.
 */
final class ImageFolder {
    private static final List<String> EXTENSIONS = List.of(".png", ".jpg", ".jpeg");

    /** An image file: its class, its name within the class, where it stands (for messages), and how to read it. */
    record Item(String className, String file, String where, Content content) {}

    /** Opens a file; called from several threads. */
    interface Content {
        InputStream open() throws IOException;
    }

    private final String name;
    private final int trainCount;
    private final int testCount;
    private final LoadListener listener;

    /** Counts as in {@link Datasets#open(String, int, int, LoadListener)}: of a part with more images only those chosen are read. */
    ImageFolder(String name, int trainCount, int testCount, LoadListener listener) {
        this.name = name;
        this.trainCount = trainCount;
        this.testCount = testCount;
        this.listener = listener;
    }

    static boolean isAt(Path folder) {
        return Stream.of("train", "train.zip", "test", "test.zip").anyMatch(name -> Files.exists(folder.resolve(name)));
    }

    Dataset read(Path folder) {
        boolean zipped = Files.exists(folder.resolve("train.zip")) || Files.exists(folder.resolve("test.zip"));
        return zipped ? readZips(folder) : readFolders(folder);
    }

    private Dataset readFolders(Path folder) {
        Path train = folder.resolve("train");
        Path test = folder.resolve("test");
        for (Path part : List.of(train, test)) {
            if (!Files.isDirectory(part)) {
                throw invalid(part, "folder is missing, expected train/ and test/ with one folder per class");
            }
        }
        return read(train, filesIn(train), test, filesIn(test));
    }

    private Dataset readZips(Path folder) {
        Path train = folder.resolve("train.zip");
        Path test = folder.resolve("test.zip");
        try (ZipFile trainZip = open(train);
                ZipFile testZip = open(test)) {
            return read(train, entriesOf(train, trainZip), test, entriesOf(test, testZip));
        } catch (IOException e) {
            throw DataFiles.unreadable(folder, e);
        }
    }

    private Dataset read(Path train, List<Item> trainItems, Path test, List<Item> testItems) {
        List<String> classes = classesOf(train, trainItems);
        TreeSet<String> apart = new TreeSet<>(classesOf(test, testItems));
        for (String c : classes) {
            if (!apart.remove(c)) {
                throw invalid(test, "has no class '" + c + "', expected the classes of " + train + ", " + classes);
            }
        }
        if (!apart.isEmpty()) {
            throw invalid(test, "has a class '" + apart.first() + "' unknown to " + train + ", expected " + classes);
        }
        ImageSet trainSet = ImageSet.decode(train.toString(), chosen(trainItems, classes, trainCount), null, classes, listener);
        ImageSet testSet = ImageSet.decode(test.toString(), chosen(testItems, classes, testCount), trainSet, classes, listener);
        boolean grey = trainSet.grey() && testSet.grey();
        return Dataset.of(name, trainSet.images(grey), testSet.images(grey), classes);
    }

    private static List<Item> chosen(List<Item> items, List<String> classes, int count) {
        if (count >= items.size()) {
            return items;
        }
        int[] labels = items.stream().mapToInt(item -> Collections.binarySearch(classes, item.className())).toArray();
        return Arrays.stream(Strata.indices(Strata.choose(labels, classes.size(), count, members -> {}), true))
                .mapToObj(items::get).toList();
    }

    private static List<String> classesOf(Path part, List<Item> items) {
        List<String> classes = items.stream().map(Item::className).distinct().sorted().toList();
        if (classes.size() < 2) {
            throw invalid(part, "holds " + items.size() + " images in " + classes.size()
                    + " class folders, expected at least 2 folders with images");
        }
        return classes;
    }

    private static List<Item> filesIn(Path part) {
        return list(part).stream().filter(Files::isDirectory).flatMap(c -> {
            List<Path> files = list(c);
            if (files.isEmpty()) {
                throw invalid(c, "class folder holds no image, expected at least 1 .png or .jpg");
            }
            return files.stream().map(file -> item(c.getFileName().toString(), file.getFileName().toString(),
                    file.toString(), () -> Files.newInputStream(file)));
        }).toList();
    }

    private static List<Path> list(Path folder) {
        try (Stream<Path> children = Files.list(folder)) {
            return children.filter(p -> !ignored(p.getFileName().toString()))
                    .sorted((a, b) -> a.getFileName().toString().compareTo(b.getFileName().toString())).toList();
        } catch (IOException e) {
            throw DataFiles.unreadable(folder, e);
        }
    }

    private static ZipFile open(Path file) {
        if (!Files.isRegularFile(file)) {
            throw invalid(file, "file is missing, expected train.zip and test.zip");
        }
        try {
            return new ZipFile(file.toFile());
        } catch (ZipException e) {
            throw invalid(file, "is not a whole zip file (" + e.getMessage() + ")");
        } catch (IOException e) {
            throw DataFiles.unreadable(file, e);
        }
    }

    private static List<Item> entriesOf(Path file, ZipFile zip) {
        List<? extends ZipEntry> entries = zip.stream().filter(e -> !e.isDirectory())
                .filter(e -> Arrays.stream(e.getName().split("/")).noneMatch(ImageFolder::ignored)).toList();
        List<Item> items = entries.stream().map(entry -> entryItem(file, zip, entry))
                .sorted((a, b) -> a.className().equals(b.className()) ? a.file().compareTo(b.file())
                        : a.className().compareTo(b.className()))
                .toList();
        List<String> above = entries.stream().map(e -> e.getName().split("/")).map(parts -> parts.length == 3 ? parts[0] : "").distinct().toList();
        if (above.size() > 1) {
            throw invalid(file, "has the folders " + above + " above its classes, expected one common to all, or none");
        }
        return items;
    }

    // The folder that holds the file is the class; one level above it may stand a folder common to all.
    private static Item entryItem(Path file, ZipFile zip, ZipEntry entry) {
        String[] parts = entry.getName().split("/");
        String where = file + "!" + entry.getName();
        if (parts.length < 2 || parts.length > 3) {
            throw invalid(where, "stands " + (parts.length - 1) + " folders deep, expected <class>/<image> or "
                    + "<folder>/<class>/<image>");
        }
        return item(parts[parts.length - 2], parts[parts.length - 1], where, () -> zip.getInputStream(entry));
    }

    private static Item item(String className, String file, String where, Content content) {
        String lower = file.toLowerCase(Locale.ROOT);
        if (EXTENSIONS.stream().noneMatch(lower::endsWith)) {
            throw invalid(where, "is not an image by its name, expected .png, .jpg or .jpeg");
        }
        if ((className + file).indexOf(UNREADABLE) >= 0) {
            throw invalid(where, "has a name that this system's locale cannot read, so that classes would be confused; expected a locale with UTF-8, as "
                    + "LC_ALL=C.UTF-8");
        }
        return new Item(className, file, where, content);
    }

    private static final char UNREADABLE = '\uFFFD'; // stands for bytes that are no character

    /** What operating systems leave behind. */
    private static boolean ignored(String name) {
        return name.startsWith(".") || name.equals("Thumbs.db") || name.equals("__MACOSX");
    }
}

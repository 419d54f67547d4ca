package org.effconv.data;

import static org.effconv.data.DataFiles.invalid;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.text.Normalizer;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Images as files, one folder per class. The classes lie in {@code train/}, {@code test/} and, where there is one,
 * {@code val/}, or in zips of these names; {@link ClassFolders} has the rule. Without {@code test} the images of
 * {@code val} are the test part; without both, or without any part, some images of each class are set aside. Classes
 * are numbered in the order of their names; images are ordered by class, then by name.
 */
final class ImageFolder implements DatasetFormat {
    private static final Logger LOG = LoggerFactory.getLogger(ImageFolder.class);
    private static final List<String> TRAIN = List.of("train", "training");
    private static final List<String> VALIDATION = List.of("val", "valid", "validation");
    private static final List<String> TEST = List.of("test", "testing");
    private static final int LOOKED_AT = 1000; // entries of a folder, to see whether there are images

    @Override
    public String name() {
        return "class folders of images";
    }

    @Override
    public String expected() {
        return "train.zip, a folder train/ or folders of images, one for each class";
    }

    @Override
    public boolean isAt(Path folder) {
        return part(folder, TRAIN).isPresent()
                || part(folder, TEST).isPresent()
                || Files.isDirectory(folder) && holdsClasses(folder);
    }

    private static boolean holdsClasses(Path folder) {
        try (Stream<Path> inner = Files.list(folder)) {
            return inner.filter(Files::isDirectory).limit(LOOKED_AT).anyMatch(ImageFolder::holdsImages);
        } catch (IOException e) {
            throw DataFiles.unreadable(folder, e);
        }
    }

    private static boolean holdsImages(Path folder) {
        if (ClassFolders.isHidden(folder.getFileName().toString())) {
            return false;
        }
        try (Stream<Path> files = Files.list(folder)) {
            return files.limit(LOOKED_AT)
                    .anyMatch(file -> ClassFolders.isImage(file.getFileName().toString()));
        } catch (IOException e) {
            throw DataFiles.unreadable(folder, e);
        }
    }

    private static Optional<String> part(Path folder, List<String> names) {
        return names.stream().filter(name -> ImagePart.isIn(folder, name)).findFirst();
    }

    @Override
    public Dataset read(String name, Path folder, ReadOptions options) {
        try (Parts parts = new Parts(folder)) {
            List<String> classes = parts.classes();
            ClassifiedImages images = new ClassifiedImages(name, classes, options);
            if (!parts.has(Role.TEST)) {
                LOG.info(
                        "{}: has no test part; of each class {} % of the images are set aside as one",
                        folder, Math.round(100 * options.heldOut()));
                return images.read(parts.of(Role.TRAIN).asPart());
            }
            return images.read(
                    parts.of(Role.TRAIN).asPart(),
                    Optional.ofNullable(parts.of(Role.VALIDATION)).map(ImagePart::asPart),
                    parts.of(Role.TEST).asPart());
        }
    }

    @Override
    public DatasetReport inspect(String name, Path folder, ReadOptions options) {
        try (Parts parts = new Parts(folder)) {
            return new ClassifiedImages(name, parts.classes(), options).inspect(name(), parts.byName());
        }
    }

    /** What the images of a part are for. */
    private enum Role {
        TRAIN,
        VALIDATION,
        TEST
    }

    /** The parts of a dataset, which are open until this is closed. */
    private static final class Parts implements AutoCloseable {
        private final Map<Role, ImagePart> open = new EnumMap<>(Role.class);

        Parts(Path folder) {
            Map<Role, String> names = names(folder);
            try {
                if (names.isEmpty()) {
                    open.put(Role.TRAIN, ImagePart.ofClasses(folder));
                }
                names.forEach((role, name) -> open.put(role, ImagePart.open(folder, name)));
            } catch (RuntimeException e) {
                close();
                throw e;
            }
        }

        // Of train and val alone, as ImageNet comes, val is what is tested with.
        private static Map<Role, String> names(Path folder) {
            Map<Role, String> names = new EnumMap<>(Role.class);
            part(folder, TRAIN).ifPresent(name -> names.put(Role.TRAIN, name));
            part(folder, VALIDATION).ifPresent(name -> names.put(Role.VALIDATION, name));
            part(folder, TEST).ifPresent(name -> names.put(Role.TEST, name));
            if (!names.isEmpty()) {
                names.putIfAbsent(Role.TRAIN, TRAIN.get(0)); // whose absence is told when it is opened
            }
            if (!names.containsKey(Role.TEST) && names.containsKey(Role.VALIDATION)) {
                names.put(Role.TEST, names.remove(Role.VALIDATION));
            }
            return names;
        }

        /** Those of the training part, which all parts must have. */
        List<String> classes() {
            ImagePart train = of(Role.TRAIN);
            List<String> classes = classesOf(train);
            open.values().forEach(part -> requireEqual(train.path(), classes, part.path(), classesOf(part)));
            return classes;
        }

        Map<String, ClassifiedImages.Part> byName() {
            Map<String, ClassifiedImages.Part> parts = new LinkedHashMap<>();
            open.forEach((role, part) -> parts.put(role.name().toLowerCase(Locale.ROOT), part.asPart()));
            return parts;
        }

        boolean has(Role role) {
            return open.containsKey(role);
        }

        ImagePart of(Role role) {
            return open.get(role);
        }

        @Override
        public void close() {
            open.values().forEach(ImagePart::close);
        }
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

    private static List<String> classesOf(ImagePart part) {
        List<String> classes =
                part.items().stream().map(ImageItem::className).distinct().toList(); // in order, as the items are
        if (classes.size() < 2) {
            throw invalid(
                    part.path(),
                    "holds " + part.items().size() + " images in " + classes.size()
                            + " class folders, expected at least 2 folders with images");
        }
        return classes;
    }
}

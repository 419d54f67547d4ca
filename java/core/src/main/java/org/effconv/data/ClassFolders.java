package org.effconv.data;

import static org.effconv.data.DataFiles.invalid;

import java.nio.file.Path;
import java.text.Normalizer;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Which files of a part are its images, and of which class: the one rule for folders and zips. An image is
 * {@code <class>/<file>}, or {@code <folder>/<class>/<file>} where one folder stands above the classes. Whatever else
 * there is, by its name or its place, is skipped and told in one warning.
 */
final class ClassFolders {
    private static final Logger LOG = LoggerFactory.getLogger(ClassFolders.class);
    private static final Set<String> READ = Set.of("png", "jpg", "jpeg", "jpe", "jfif");
    private static final Set<String> NOT_READ = Set.of(
            "gif", "bmp", "tif", "tiff", "webp", "avif", "heic", "heif", "jp2", "jxl", "ppm", "pgm", "pbm", "pnm");
    private static final Set<String> LEFT_BEHIND =
            Set.of("Thumbs.db", "__MACOSX", "lost+found", "$RECYCLE.BIN", "System Volume Information");
    private static final int NAMED = 3;
    private static final char UNREADABLE = '\uFFFD'; // stands for bytes that are no character

    /** A file of a part: the names from the part down to it, where it stands (for messages), and how to read it. */
    record Entry(List<String> path, String where, ImageItem.Content content) {
        String file() {
            return path.get(path.size() - 1);
        }
    }

    private ClassFolders() {}

    /**
     * The images among {@code entries}, by class and then by name.
     *
     * @param part what holds the entries, for messages
     * @param folders the paths of its folders, as far as it names them: those of no class are told
     */
    static List<ImageItem> images(Path part, List<Entry> entries, List<List<String>> folders) {
        Set<String> skipped = new TreeSet<>();
        List<Entry> images = new ArrayList<>();
        // In order, so that whichever is refused first is the same on every system.
        for (Entry entry : entries.stream()
                .sorted(Comparator.comparing(e -> String.join("/", e.path())))
                .toList()) {
            if (hidden(entry.path()) == entry.path().size() && isImage(entry.file())) {
                images.add(entry);
            } else {
                skipped.add(shown(entry.path(), false));
            }
        }
        int above = commonFolder(images) ? 1 : 0;
        Map<Boolean, List<Entry>> inClass =
                images.stream().collect(Collectors.partitioningBy(e -> e.path().size() == above + 2));
        if (inClass.get(true).isEmpty()) {
            refuseTooDeep(inClass.get(false));
        }
        inClass.get(false).forEach(e -> skipped.add(shown(e.path(), false)));
        Map<String, String> classes = new HashMap<>();
        List<ImageItem> items = inClass.get(true).stream()
                .map(e -> item(part, e, classes))
                .sorted(Comparator.comparing(ImageItem::className).thenComparing(ImageItem::file))
                .toList();
        refuseTwice(items);
        Set<String> classFolders = Set.copyOf(classes.values());
        for (List<String> folder : folders) {
            if (hidden(folder) < folder.size()
                    || folder.size() == above + 1 && !classFolders.contains(folder.get(above))) {
                skipped.add(shown(folder, true));
            }
        }
        tellSkipped(part, skipped);
        tellTwoFormats(part, items);
        return items;
    }

    /** Whether a file is an image by its name, of a format that is read or not. */
    static boolean isImage(String file) {
        return READ.contains(ending(file)) || NOT_READ.contains(ending(file));
    }

    /** What operating systems hide or leave behind. */
    static boolean isHidden(String name) {
        return name.startsWith(".") || LEFT_BEHIND.contains(name);
    }

    /** Whether a folder is skipped whatever stands beside it: hidden, or deeper than class folders can be. */
    static boolean holdsNoImage(List<String> folder) {
        return hidden(folder) < folder.size() || folder.size() > 2;
    }

    /** The depth of the first hidden name; the length of the path if there is none. */
    private static int hidden(List<String> path) {
        int depth = 0;
        while (depth < path.size() && !isHidden(path.get(depth))) {
            depth++;
        }
        return depth;
    }

    // A hidden folder counts as one, however much it holds.
    private static String shown(List<String> path, boolean folder) {
        int depth = Math.min(hidden(path) + 1, path.size());
        return String.join("/", path.subList(0, depth)) + (folder || depth < path.size() ? "/" : "");
    }

    /** In small letters, without the dot; empty without one. */
    private static String ending(String file) {
        return file.substring(stem(file).length()).replace(".", "").toLowerCase(Locale.ROOT);
    }

    private static String stem(String file) {
        int dot = file.lastIndexOf('.');
        return dot < 0 ? file : file.substring(0, dot);
    }

    /**
     * Whether one folder stands above all classes: images that lie two folders deep all lie in it. Images directly in
     * it are strays. Images in folders beside it are so as well, unless they and those would make more classes, or be
     * more, than what it holds.
     */
    private static boolean commonFolder(List<Entry> images) {
        List<Entry> inner = images.stream().filter(e -> e.path().size() == 3).toList();
        if (inner.stream().map(e -> e.path().get(0)).distinct().count() != 1) {
            return false;
        }
        List<Entry> outer = images.stream().filter(e -> e.path().size() == 2).toList();
        String folder = inner.get(0).path().get(0);
        return outer.stream().allMatch(e -> e.path().get(0).equals(folder))
                || inner.size() >= outer.size() && classFolders(inner) >= classFolders(outer);
    }

    private static long classFolders(List<Entry> images) {
        return images.stream()
                .map(e -> e.path().get(e.path().size() - 2))
                .distinct()
                .count();
    }

    private static void refuseTooDeep(List<Entry> images) {
        images.stream().filter(e -> e.path().size() > 2).findFirst().ifPresent(e -> {
            throw invalid(
                    e.where(),
                    "stands too deep, and no image stands where it should; expected <class>/<image>, or <folder>/<class>/<image> with "
                            + "one folder common to all");
        });
    }

    // One name may be written in several ways, which look alike: composed (é) or not (e and an accent).
    private static ImageItem item(Path part, Entry entry, Map<String, String> classes) {
        if (NOT_READ.contains(ending(entry.file()))) {
            throw invalid(entry.where(), "is an image of another format by its name, expected .png, .jpg or .jpeg");
        }
        String folder = entry.path().get(entry.path().size() - 2);
        if ((folder + entry.file()).indexOf(UNREADABLE) >= 0) {
            throw invalid(
                    entry.where(),
                    "has a name that this system's locale cannot read, so that classes would be confused; expected a locale with UTF-8, as "
                            + "LC_ALL=C.UTF-8");
        }
        String name = Normalizer.normalize(folder, Normalizer.Form.NFC);
        String other = classes.putIfAbsent(name, folder);
        if (other != null && !other.equals(folder)) {
            throw invalid(
                    part,
                    "has two folders whose names are both '" + name + "', written as " + codePoints(other) + " and as "
                            + codePoints(folder) + "; expected one folder for each class");
        }
        return new ImageItem(name, entry.file(), entry.where(), entry.content());
    }

    private static String codePoints(String name) {
        return name.codePoints()
                .mapToObj(c -> String.format(Locale.ROOT, "U+%04X", c))
                .collect(Collectors.joining(" "));
    }

    private static void refuseTwice(List<ImageItem> items) {
        for (int i = 1; i < items.size(); i++) {
            if (items.get(i).className().equals(items.get(i - 1).className())
                    && items.get(i).file().equals(items.get(i - 1).file())) {
                throw invalid(items.get(i).where(), "stands there twice, expected each name once; write the zip again");
            }
        }
    }

    private static void tellSkipped(Path part, Collection<String> skipped) {
        if (!skipped.isEmpty()) {
            LOG.warn(
                    "{}: skipped {} that {} no image of a class: {}",
                    part,
                    skipped.size() == 1 ? "1 entry" : skipped.size() + " entries",
                    skipped.size() == 1 ? "is" : "are",
                    some(skipped));
        }
    }

    private static void tellTwoFormats(Path part, List<ImageItem> items) {
        Set<List<String>> seen = new HashSet<>();
        List<String> again = items.stream()
                .filter(i -> !seen.add(List.of(i.className(), stem(i.file()))))
                .map(i -> i.className() + "/" + i.file())
                .toList();
        if (!again.isEmpty()) {
            LOG.warn(
                    "{}: {} of {} images have the name of another but for its ending, and all are used: {}",
                    part,
                    again.size(),
                    items.size(),
                    some(again));
        }
    }

    private static String some(Collection<String> names) {
        return names.stream().limit(NAMED).collect(Collectors.joining(", ")) + (names.size() > NAMED ? ", ..." : "");
    }
}

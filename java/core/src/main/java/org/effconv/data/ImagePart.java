package org.effconv.data;

import static org.effconv.data.DataFiles.invalid;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemLoopException;
import java.nio.file.FileVisitOption;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.StringTokenizer;
import java.util.stream.Collectors;
import java.util.stream.StreamSupport;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipException;
import java.util.zip.ZipFile;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The images of one part of a dataset: of a folder, or of a zip, which stays open until this is closed. */
final class ImagePart implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(ImagePart.class);
    private static final String ZIP = ".zip";

    private final Path path;
    private final ZipFile zip; // null: a folder
    private final List<ClassFolders.Item> items;

    private ImagePart(Path path, ZipFile zip, List<ClassFolders.Item> items) {
        this.path = path;
        this.zip = zip;
        this.items = items;
    }

    static boolean isIn(Path folder, String name) {
        return Files.exists(folder.resolve(name)) || Files.exists(folder.resolve(name + ZIP));
    }

    /** Opens {@code <name>.zip}, or the folder of that name where there is no zip. */
    static ImagePart open(Path folder, String name) {
        Path zip = folder.resolve(name + ZIP);
        Path plain = folder.resolve(name);
        if (Files.isRegularFile(zip)) {
            if (Files.isDirectory(plain)) {
                LOG.warn("{}: is not used, since {} stands beside it", plain, zip);
            }
            return ofZip(zip);
        }
        if (!Files.isDirectory(plain)) {
            throw invalid(plain, "folder is missing, expected it with one folder per class, or " + zip.getFileName());
        }
        return ofFolder(plain);
    }

    Path path() {
        return path;
    }

    List<ClassFolders.Item> items() {
        return items;
    }

    private static ImagePart ofFolder(Path part) {
        List<ClassFolders.Entry> entries = new ArrayList<>();
        List<List<String>> folders = new ArrayList<>();
        try {
            Files.walkFileTree(
                    part, EnumSet.of(FileVisitOption.FOLLOW_LINKS), Integer.MAX_VALUE, new SimpleFileVisitor<>() {
                        @Override
                        public FileVisitResult preVisitDirectory(Path folder, BasicFileAttributes attributes) {
                            if (folder.equals(part)) {
                                return FileVisitResult.CONTINUE;
                            }
                            folders.add(names(part, folder));
                            return ClassFolders.isHidden(folder.getFileName().toString())
                                    ? FileVisitResult.SKIP_SUBTREE
                                    : FileVisitResult.CONTINUE;
                        }

                        @Override
                        public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) {
                            entries.add(new ClassFolders.Entry(names(part, file), file.toString(), most -> {
                                try (InputStream in = Files.newInputStream(file)) {
                                    return in.readNBytes(most + 1);
                                }
                            }));
                            return FileVisitResult.CONTINUE;
                        }

                        @Override
                        public FileVisitResult visitFileFailed(Path file, IOException e) throws IOException {
                            List<String> names = names(part, file);
                            // A link back to a folder above it shows no image that is not seen without it.
                            if (e instanceof FileSystemLoopException || ClassFolders.holdsNoImage(names)) {
                                folders.add(names);
                                return FileVisitResult.CONTINUE;
                            }
                            throw e;
                        }
                    });
        } catch (IOException e) {
            throw DataFiles.unreadable(part, e);
        }
        return new ImagePart(part, null, ClassFolders.images(part, entries, folders));
    }

    private static List<String> names(Path part, Path file) {
        return StreamSupport.stream(part.relativize(file).spliterator(), false)
                .map(Path::toString)
                .toList();
    }

    private static ImagePart ofZip(Path part) {
        ZipFile zip = openZip(part);
        try {
            List<ClassFolders.Entry> entries = new ArrayList<>();
            List<List<String>> folders = new ArrayList<>();
            for (ZipEntry entry : zip.stream().toList()) {
                List<String> path = names(entry);
                if (path.isEmpty()) {
                    continue; // the part itself
                }
                if (entry.getName().endsWith("/") || entry.getName().endsWith("\\")) {
                    folders.add(path);
                } else {
                    entries.add(new ClassFolders.Entry(
                            path, part + "!" + entry.getName(), most -> content(zip, entry, most)));
                }
            }
            return new ImagePart(part, zip, ClassFolders.images(part, entries, folders));
        } catch (RuntimeException e) {
            close(part, zip);
            throw e;
        }
    }

    // Some programs begin names with ./, and some on Windows write \ between them.
    private static List<String> names(ZipEntry entry) {
        StringTokenizer names = new StringTokenizer(entry.getName(), "/\\"); // which gives no empty ones
        return Collections.list(names).stream()
                .map(Object::toString)
                .filter(name -> !name.equals("."))
                .toList();
    }

    private static byte[] content(ZipFile zip, ZipEntry entry, int most) throws IOException {
        try (InputStream in = zip.getInputStream(entry)) {
            byte[] bytes = in.readNBytes(most + 1);
            CRC32 crc = new CRC32(); // which ZipFile leaves unread
            crc.update(bytes);
            if (bytes.length <= most && crc.getValue() != entry.getCrc()) {
                throw new ZipException("the entry is damaged: its checksum is wrong");
            }
            return bytes;
        }
    }

    private static ZipFile openZip(Path part) {
        File file = part.toFile();
        try {
            return new ZipFile(file);
        } catch (ZipException e) {
            String name = nameThatIsNotUtf8(file);
            throw name == null
                    ? invalid(part, "is not a whole zip file that can be read (" + e.getMessage() + ")")
                    : invalid(
                            part,
                            "holds names that are not UTF-8, the first '" + name
                                    + "'; write the zip again with names in UTF-8");
        } catch (IOException e) {
            throw DataFiles.unreadable(part, e);
        }
    }

    /** The first such name, its bytes above 127 as \xNN; null if the zip cannot be read whatever the names are. */
    private static String nameThatIsNotUtf8(File file) {
        try (ZipFile zip = new ZipFile(file, StandardCharsets.ISO_8859_1)) {
            return zip.stream()
                    .map(ZipEntry::getName)
                    .filter(name -> !isUtf8(name.getBytes(StandardCharsets.ISO_8859_1)))
                    .findFirst()
                    .map(name -> name.chars()
                            .mapToObj(c -> c < 128 ? Character.toString(c) : String.format(Locale.ROOT, "\\x%02x", c))
                            .collect(Collectors.joining()))
                    .orElse(null);
        } catch (IOException e) {
            LOG.debug("{} cannot be read with names of any encoding", file, e); // so the first exception says why
            return null;
        }
    }

    private static boolean isUtf8(byte[] bytes) {
        return Arrays.equals(bytes, new String(bytes, StandardCharsets.UTF_8).getBytes(StandardCharsets.UTF_8));
    }

    private static void close(Path part, ZipFile zip) {
        try {
            zip.close();
        } catch (IOException e) {
            throw DataFiles.unreadable(part, e);
        }
    }

    @Override
    public void close() {
        if (zip != null) {
            close(path, zip);
        }
    }
}

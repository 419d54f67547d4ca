package org.effconv.data;

import static org.effconv.data.DataFiles.invalid;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.FileSystemLoopException;
import java.nio.file.FileVisitOption;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumSet;
import java.util.List;
import java.util.StringTokenizer;
import java.util.stream.StreamSupport;
import java.util.zip.ZipEntry;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The images of one part of a dataset: of a folder, or of a zip, which stays open until this is closed. */
final class ImagePart implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(ImagePart.class);
    private static final String ZIP = ".zip";

    private final Path path;
    private final StreamedPixels.Source source;
    private final List<ImageItem> items;
    private final ImageItem.Hold hold;

    private ImagePart(Path path, StreamedPixels.Source source, List<ImageItem> items) {
        this.path = path;
        this.source = source;
        this.items = items;
        hold = source.hold();
    }

    static boolean isIn(Path folder, String name) {
        return Files.isDirectory(folder.resolve(name)) || Files.isRegularFile(folder.resolve(name + ZIP));
    }

    /** The images of a folder whose folders are the classes. */
    static ImagePart ofClasses(Path folder) {
        return ofFolder(folder);
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

    List<ImageItem> items() {
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
        return new ImagePart(part, () -> () -> {}, ClassFolders.images(part, entries, folders));
    }

    private static List<String> names(Path part, Path file) {
        return StreamSupport.stream(part.relativize(file).spliterator(), false)
                .map(Path::toString)
                .toList();
    }

    private static ImagePart ofZip(Path part) {
        SharedZip zip = new SharedZip(part);
        try (ImageItem.Hold held = zip.hold()) {
            List<ClassFolders.Entry> entries = new ArrayList<>();
            List<List<String>> folders = new ArrayList<>();
            for (ZipEntry entry : zip.entries()) {
                List<String> path = names(entry);
                if (path.isEmpty()) {
                    continue; // the part itself
                }
                if (entry.getName().endsWith("/") || entry.getName().endsWith("\\")) {
                    folders.add(path);
                } else {
                    entries.add(new ClassFolders.Entry(
                            path, part + "!" + entry.getName(), most -> zip.content(entry, most)));
                }
            }
            return new ImagePart(part, zip, ClassFolders.images(part, entries, folders));
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

    ClassifiedImages.Part asPart() {
        return new ClassifiedImages.Part(path.toString(), items, source);
    }

    @Override
    public void close() {
        hold.close();
    }
}

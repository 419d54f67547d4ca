package org.effconv.io;

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.UUID;

/**
 * Files that are either wholly there or not at all: written beside the target under a temporary name, synced, renamed,
 * and the folder synced, so that a crash at any moment leaves the old file or the new one.
 */
public final class AtomicFile {
    private static final String SUFFIX = ".partial";

    private AtomicFile() {}

    /** What to write. */
    @FunctionalInterface
    public interface Content {
        void writeTo(OutputStream out) throws IOException;
    }

    /**
     * Replaces {@code target}; its folder must exist.
     *
     * @throws UncheckedIOException naming the target; the old file is then still whole
     */
    public static void write(Path target, Content content) {
        Path folder = target.toAbsolutePath().getParent();
        // Not a "temporary file": that one would be readable by its owner alone, and the rename would keep this.
        Path partial = folder.resolve("." + target.getFileName() + "." + UUID.randomUUID() + SUFFIX);
        try {
            try (FileChannel channel =
                    FileChannel.open(partial, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
                OutputStream out = new BufferedOutputStream(Channels.newOutputStream(channel), 1 << 16);
                content.writeTo(out);
                out.flush();
                channel.force(true);
            }
            Files.move(partial, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            partial = null;
            sync(folder);
        } catch (IOException e) {
            throw new UncheckedIOException("cannot write " + target + ": " + e, e);
        } finally {
            delete(partial);
        }
    }

    /** The same for text, in UTF-8. */
    public static void write(Path target, String text) {
        write(target, out -> out.write(text.getBytes(StandardCharsets.UTF_8)));
    }

    /** Whether a file is what a killed writer of a file with the name {@code of} left. */
    public static boolean isLeftoverOf(Path file, String of) {
        String name = file.getFileName().toString();
        return name.startsWith("." + of + ".") && name.endsWith(SUFFIX) && Files.isRegularFile(file);
    }

    /** Removes what killed writers left in a folder; call it only where nobody else is writing. */
    public static void removeLeftovers(Path folder) {
        try (DirectoryStream<Path> found = Files.newDirectoryStream(folder, ".*" + SUFFIX)) {
            for (Path leftover : found) {
                Files.delete(leftover);
            }
        } catch (IOException e) {
            throw new UncheckedIOException("cannot tidy " + folder + ": " + e, e);
        }
    }

    private static void sync(Path folder) throws IOException {
        try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
            channel.force(true);
        }
    }

    private static void delete(Path partial) {
        if (partial == null) {
            return;
        }
        try {
            Files.deleteIfExists(partial);
        } catch (IOException e) {
            throw new UncheckedIOException("cannot remove " + partial + ": " + e, e);
        }
    }
}

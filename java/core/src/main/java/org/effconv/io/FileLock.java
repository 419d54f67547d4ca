package org.effconv.io;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/** A file that one holder at a time has, in this process and among all. */
public final class FileLock implements AutoCloseable {
    // The system's lock is the whole process's, and ends as soon as any descriptor of the file is closed, one that was
    // opened only to be
    // refused, too. So a second holder within the process must be refused before it opens the file, by what the process
    // knows.
    private static final Set<Path> HELD = ConcurrentHashMap.newKeySet();

    private final Path file;
    private final FileChannel channel;

    private FileLock(Path file, FileChannel channel) {
        this.file = file;
        this.channel = channel;
    }

    /**
     * Takes a lock, if nobody has it.
     *
     * @param file made if it is not there; its folder must be
     */
    public static Optional<FileLock> take(Path file) {
        try {
            Path real = file.toAbsolutePath().getParent().toRealPath().resolve(file.getFileName());
            if (!HELD.add(real)) {
                return Optional.empty();
            }
            FileChannel channel = null;
            boolean taken = false;
            try {
                channel = FileChannel.open(real, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
                taken = locked(channel);
                return taken ? Optional.of(new FileLock(real, channel)) : Optional.empty();
            } finally {
                if (!taken) {
                    HELD.remove(real);
                    if (channel != null) {
                        channel.close();
                    }
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException("cannot lock " + file + ": " + e, e);
        }
    }

    private static boolean locked(FileChannel channel) throws IOException {
        try {
            return channel.tryLock() != null;
        } catch (OverlappingFileLockException e) {
            return false; // held in this process under a name that is not known to be the same
        }
    }

    @Override
    public void close() {
        try {
            channel.close();
        } catch (IOException e) {
            throw new UncheckedIOException("cannot release the lock " + file + ": " + e, e);
        } finally {
            HELD.remove(file);
        }
    }
}

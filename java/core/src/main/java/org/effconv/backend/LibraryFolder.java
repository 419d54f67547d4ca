package org.effconv.backend;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/** Says why native libraries cannot be unpacked into a folder or loaded from it; the loaders themselves do not know. */
public final class LibraryFolder {
    private static final Path MOUNTS = Path.of("/proc/self/mountinfo");
    private static final double MIB = 1 << 20;
    private static final int OTHERS_WRITE = 0002;
    private static final int STICKY = 01000;

    private LibraryFolder() {}

    /** A line of {@link #MOUNTS}; options are those of the mount and of the file system on it. */
    private record Mount(Path point, String type, List<String> options) {}

    /**
     * @param folder may still have to be created
     * @param bytes that are to be written; 0 if nothing is
     * @return a clause that names the folder and what stands in the way; empty if nothing does
     */
    public static Optional<String> problem(Path folder, long bytes) {
        try {
            return problem(folder, bytes, Files.isReadable(MOUNTS) ? Files.readAllLines(MOUNTS) : List.of());
        } catch (IOException e) {
            return Optional.of(folder + " cannot be looked at: " + e);
        }
    }

    static Optional<String> problem(Path folder, long bytes, List<String> mounts) throws IOException {
        Path there = folder.toAbsolutePath().normalize();
        while (!Files.exists(there)) {
            there = there.getParent();
        }
        if (!Files.isDirectory(there)) {
            return Optional.of(folder + (there.equals(folder) ? "" : " cannot be created: " + there) + " is no folder");
        }
        String at = folder + ", on the file system at ";
        Optional<Mount> mount = mount(there.toRealPath(), mounts);
        if (mount.isPresent()) {
            String where = at + mount.get().point() + " (" + mount.get().type() + "), which is mounted ";
            if (mount.get().options().contains("ro")) {
                return Optional.of(where + "read only (ro)");
            }
            if (mount.get().options().contains("noexec")) {
                return Optional.of(where + "noexec, so that no library can be loaded from it");
            }
        }
        if (!Files.isWritable(there) || !Files.isExecutable(there)) {
            return Optional.of(
                    folder + ": user " + System.getProperty("user.name") + " has no permission to write in " + there);
        }
        long left = Files.getFileStore(there).getUsableSpace();
        return left >= bytes
                ? Optional.empty()
                : Optional.of(String.format(
                        Locale.ROOT,
                        "%s%s, which has no space: %.1f MiB left, %.0f needed",
                        at,
                        mount.map(m -> m.point().toString()).orElse("" + there),
                        left / MIB,
                        Math.ceil(bytes / MIB)));
    }

    /**
     * Whether another user could have put a library there: by the owner and the mode of the folder and of the one that
     * holds it, as far as they exist. Members of the folder's group are trusted.
     *
     * @return a clause that names the folder and who may write; empty if none but this user and root may
     */
    public static Optional<String> othersMayWrite(Path folder) {
        try {
            Object self = Files.getAttribute(Path.of("/proc/self"), "unix:uid");
            Path leaf = folder.toAbsolutePath();
            for (Path at : List.of(leaf, leaf.getParent())) {
                if (!Files.exists(at)) {
                    continue;
                }
                Map<String, Object> is = Files.readAttributes(at, "unix:uid,mode,owner");
                // in a folder like /tmp everyone makes files, but cannot replace those of others
                int shared = (int) is.get("mode") & (at.equals(leaf) ? OTHERS_WRITE : OTHERS_WRITE | STICKY);
                if (!is.get("uid").equals(self) && !is.get("uid").equals(0)) {
                    return Optional.of(
                            at + " belongs to another user, " + is.get("owner") + ", who could put any library there");
                }
                if (shared == OTHERS_WRITE) {
                    return Optional.of(at + " may be written by every user, who could put any library there");
                }
            }
            return Optional.empty();
        } catch (IOException e) {
            return Optional.of(folder + " cannot be looked at: " + e);
        }
    }

    // Later mounts cover earlier ones.
    private static Optional<Mount> mount(Path folder, List<String> mounts) {
        return mounts.stream()
                .map(LibraryFolder::parse)
                .filter(m -> folder.startsWith(m.point()))
                .reduce((a, b) -> b.point().getNameCount() >= a.point().getNameCount() ? b : a);
    }

    // "36 35 98:0 /root /point rw,noexec shared:1 - ext3 /dev/root rw": see proc(5).
    private static Mount parse(String line) {
        String[] parts = line.split(" - ", 2);
        String[] own = parts[0].split(" ");
        String[] system = parts[1].split(" ");
        String options = own[5] + "," + system[system.length - 1];
        return new Mount(
                Path.of(own[4].replace("\\040", " ").replace("\\134", "\\")),
                system[0],
                Arrays.asList(options.split(",")));
    }
}

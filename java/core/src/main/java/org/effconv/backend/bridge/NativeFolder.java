package org.effconv.backend.bridge;

import java.io.IOException;
import java.io.InputStream;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.bytedeco.javacpp.Loader;
import org.effconv.backend.LibraryFolder;
import org.effconv.error.EffconvException;

/**
 * Where native libraries are unpacked. Those of other projects go where JavaCPP keeps them, by the name of their jar.
 * JavaCPP takes a file for the right one that has the jar's size and time; two builds of ours may agree in both. So
 * ours go into a folder named by version and content, for this user alone.
 */
final class NativeFolder {
    private static final String LIBRARY = "effconv";
    static final String BRIDGE = "jniNativeLibrary";

    private static final String CACHE = "org.bytedeco.javacpp.cachedir";

    static final String WAY_OUT = "name another folder with -D" + CACHE + "=DIR (for the command effconv: "
            + "EFFCONV_JAVA_OPTS=-D" + CACHE + "=DIR)";
    private static final FileAttribute<Set<PosixFilePermission>> OURS_ALONE =
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"));
    private static final int HASH_BYTES = 16;

    private NativeFolder() {}

    /** A folder that JavaCPP would use, in its order; {@code given} ones are the user's to judge. */
    private record Candidate(Path folder, boolean given) {
        Optional<String> problem(long bytes) {
            Optional<String> problem = LibraryFolder.problem(folder, bytes);
            return problem.isPresent() || given ? problem : LibraryFolder.othersMayWrite(folder);
        }
    }

    private static List<Candidate> candidates() {
        List<Candidate> candidates = new ArrayList<>();
        Optional.ofNullable(System.getProperty(CACHE))
                .ifPresent(given -> candidates.add(new Candidate(Path.of(given), true)));
        candidates.add(new Candidate(Path.of(System.getProperty("user.home"), ".javacpp", "cache"), false));
        candidates.add(new Candidate(
                Path.of(System.getProperty("java.io.tmpdir"), ".javacpp-" + System.getProperty("user.name"), "cache"),
                false));
        return candidates;
    }

    /** What stands in the way of each folder. */
    static String problems(long bytes) {
        return "there is no folder to unpack them into: "
                + candidates().stream()
                        .map(c -> c.problem(bytes).orElse(c.folder() + " cannot be created"))
                        .collect(Collectors.joining("; "));
    }

    /** Has JavaCPP use the first folder that can be used and that no other user can write to. */
    static synchronized void choose() {
        for (Candidate candidate : candidates()) {
            if (candidate.problem(0).isEmpty()) {
                try {
                    Files.createDirectories(candidate.folder(), OURS_ALONE);
                } catch (IOException e) {
                    continue; // problems() says it, if none is left
                }
                if (candidate.problem(0).isEmpty()) { // nobody was faster
                    System.setProperty(CACHE, candidate.folder().toString());
                    return;
                }
            }
        }
        throw new EffconvException.MissingNative(
                "native libraries could not be loaded: " + problems(0) + "; " + WAY_OUT, null);
    }

    static String resource(String platform, String library) {
        return "org/effconv/backend/bridge/" + platform + "/lib" + library + ".so";
    }

    /**
     * Loads our libraries if they lie in a jar; else JavaCPP finds them, or says that they are missing.
     *
     * @throws EffconvException.MissingNative if they cannot be unpacked
     */
    static void load(String version) {
        List<String> names = List.of(LIBRARY, BRIDGE); // the bridge needs the other
        List<byte[]> contents = new ArrayList<>();
        for (String name : names) {
            URL url = NativeFolder.class.getClassLoader().getResource(resource(Loader.getPlatform(), name));
            if (url == null || url.getProtocol().equals("file")) {
                return;
            }
            try (InputStream in = url.openStream()) {
                contents.add(in.readAllBytes());
            } catch (IOException e) {
                throw new EffconvException.MissingNative("the native library " + url + " cannot be read: " + e, e);
            }
        }
        Path folder = Path.of(System.getProperty(CACHE), "effconv", version + "-" + hash(contents));
        try {
            for (int i = 0; i < names.size(); i++) {
                Path file = unpack(folder, "lib" + names.get(i) + ".so", contents.get(i));
                Loader.loadLibrary(NativeLibrary.class, new URL[] {file.toUri().toURL()}, names.get(i));
            }
        } catch (IOException e) {
            throw new EffconvException.MissingNative(
                    "the native library of effconv " + version + " could not be unpacked: "
                            + LibraryFolder.problem(
                                            folder,
                                            contents.stream()
                                                    .mapToLong(c -> c.length)
                                                    .sum())
                                    .orElse(e.toString())
                            + "; " + WAY_OUT,
                    e);
        }
    }

    private static String hash(List<byte[]> contents) {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            contents.forEach(digest::update);
            return HexFormat.of().formatHex(digest.digest(), 0, HASH_BYTES);
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every Java has SHA-256", e);
        }
    }

    /**
     * The file with this content, written if it is not there; a process that writes it meanwhile writes the same.
     *
     * @throws IOException if it cannot be written, or if another user could write there
     */
    static Path unpack(Path folder, String name, byte[] content) throws IOException {
        Files.createDirectories(folder, OURS_ALONE);
        Optional<String> others = LibraryFolder.othersMayWrite(folder);
        if (others.isPresent()) {
            throw new IOException(others.get());
        }
        Path file = folder.resolve(name);
        if (!Files.isRegularFile(file) || !Arrays.equals(Files.readAllBytes(file), content)) {
            Path part = Files.createTempFile(folder, name, ".part"); // for this user alone
            try {
                Files.write(part, content);
                Files.move(part, file, StandardCopyOption.ATOMIC_MOVE);
            } finally {
                Files.deleteIfExists(part);
            }
        }
        return file;
    }
}

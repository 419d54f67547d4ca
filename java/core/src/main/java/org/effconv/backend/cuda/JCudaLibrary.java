package org.effconv.backend.cuda;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import jcuda.JCudaVersion;
import jcuda.LibUtils;
import jcuda.LogLevel;
import jcuda.driver.JCudaDriver;
import org.effconv.backend.LibraryFolder;

/**
 * Loads JCuda's native half when it is first needed, and keeps the first failure. JCuda itself would load a file of a
 * fixed name from the common temporary folder, whoever put it there, and cannot find its own natives on the module
 * path: so it is given a folder of this process alone with the file in it. Call after the driver's library is loaded.
 */
final class JCudaLibrary {
    private static final String TEMPORARY = "java.io.tmpdir";

    private static final long UNPACKED = 2L << 20; // more than its native library takes

    private JCudaLibrary() {}

    /** Why it cannot be used; empty if it can. */
    static Optional<String> failure() {
        return Optional.ofNullable(FirstAttempt.FAILURE);
    }

    /** Runs once, when first asked for. */
    private static final class FirstAttempt {
        static final String FAILURE = attempt();

        private static String attempt() {
            try {
                load();
                return null;
            } catch (LinkageError | IOException e) {
                Path folder = Path.of(System.getProperty(TEMPORARY));
                return LibraryFolder.problem(folder, e instanceof IOException ? UNPACKED : 0)
                        .map(problem -> "JCuda's native library cannot be unpacked and loaded: " + problem)
                        .orElseGet(() -> e instanceof IOException ? e.toString() : firstLine(e));
            }
        }

        private static String firstLine(Throwable e) {
            return String.valueOf(e.getMessage()).lines().findFirst().orElse(e.toString());
        }

        private static void load() throws IOException {
            String name = LibUtils.createLibraryFileName(
                    LibUtils.createPlatformLibraryName("JCudaDriver-" + JCudaVersion.get()));
            Path folder = Files.createTempDirectory("effconv-jcuda"); // for this user alone
            Path file = folder.resolve(name);
            try {
                try (InputStream in = JCudaLibrary.class.getClassLoader().getResourceAsStream("lib/" + name)) {
                    if (in == null) {
                        throw new IOException("no lib/" + name + " on the class path");
                    }
                    Files.copy(in, file);
                }
                String temporary = System.getProperty(TEMPORARY);
                try {
                    System.setProperty(TEMPORARY, folder.toString());
                    JCudaDriver.setLogLevel(LogLevel.LOG_QUIET); // runs its static initialiser
                } finally {
                    System.setProperty(TEMPORARY, temporary);
                }
            } finally {
                Files.deleteIfExists(file); // what is loaded stays
                Files.delete(folder);
            }
        }
    }
}

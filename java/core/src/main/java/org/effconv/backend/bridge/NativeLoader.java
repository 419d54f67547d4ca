package org.effconv.backend.bridge;

import java.io.IOException;
import java.io.InputStream;
import java.util.Objects;
import java.util.Optional;
import java.util.Properties;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.bytedeco.javacpp.Loader;
import org.effconv.backend.LibraryFolder;
import org.effconv.error.EffconvException;

/**
 * Loads the native library when it is first needed and checks that it was built together with this jar. The first
 * failure is kept: the class loader reports later attempts only as "could not initialize class", without the cause.
 */
public final class NativeLoader {
    static final String VERSION_RESOURCE = "/org/effconv/version.properties";
    /**
     * {@code -Deffconv.memory=guarded}: every block of host memory stands alone between guard pages
     * ({@code ec_guard_memory}).
     */
    public static final String MEMORY = "effconv.memory";

    private static final String GUARDED = "guarded";
    private static final String KIND = System.getProperty(MEMORY); // null: plain

    private static final long UNPACKED = 100L << 20; // all libraries that the CPU needs take

    private NativeLoader() {}

    /**
     * To be called before the first class of JavaCPP is used, which reads both then. By itself it refuses to go on once
     * the process has four times the Java heap, whatever the machine has; and it would take libraries from a folder in
     * the common temporary one, whoever made that.
     *
     * @throws EffconvException.MissingNative if every folder to unpack libraries into could be another user's
     */
    public static void prepare() {
        System.getProperties().putIfAbsent("org.bytedeco.javacpp.maxPhysicalBytes", "0");
        NativeFolder.choose();
    }

    /**
     * @throws EffconvException.MissingNative every time, if the library does not load or is of another version
     * @throws EffconvException.InvalidInput if {@value #MEMORY} is set to something unknown
     */
    public static void load() {
        if (KIND != null && !guarded()) {
            throw new EffconvException.InvalidInput(
                    "-D" + MEMORY + "=" + KIND + ": expected " + GUARDED + ", or nothing");
        }
        if (FirstAttempt.FAILURE != null) {
            throw new EffconvException.MissingNative(FirstAttempt.FAILURE.getMessage(), FirstAttempt.FAILURE);
        }
    }

    public static boolean guarded() {
        return GUARDED.equals(KIND);
    }

    /** Refuses systems that no native library is built for. */
    static void requireLinux(String system, String processor) {
        if (!system.equals("Linux")) {
            throw new EffconvException.MissingNative(
                    "EffConv's native libraries are built for Linux on x86-64 only, and this is " + system + " on "
                            + processor + ": run it in a Linux container or virtual machine",
                    null);
        }
    }

    /** Version of this jar, as Maven wrote it. */
    public static String jarVersion() {
        try (InputStream in = NativeLoader.class.getResourceAsStream(VERSION_RESOURCE)) {
            if (in == null) {
                return "unknown (" + VERSION_RESOURCE + " is missing from the jar)";
            }
            Properties properties = new Properties();
            properties.load(in);
            return properties.getProperty("version", "unknown");
        } catch (IOException e) {
            return "unknown (" + e.getMessage() + ")";
        }
    }

    /** Refuses a library of another version than the jar's. */
    public static void requireSameVersion(String jar, String library) {
        if (!jar.equals(library)) {
            throw new EffconvException.MissingNative(
                    "the native library is version " + library + " but this jar is version " + jar
                            + "; put the classifier jar of version " + jar
                            + " on the class path, or rebuild both with: mvn verify",
                    null);
        }
    }

    /**
     * Explains why libraries could not be loaded: by the folder that JavaCPP unpacks them into, if that cannot be used,
     * else by {@code otherwise} and by what the loader says.
     *
     * @param what could not be loaded
     * @param otherwise what else may be missing, and the way out
     */
    public static EffconvException.MissingNative missing(String what, String otherwise, Throwable cause) {
        boolean writing = causes(cause).anyMatch(IOException.class::isInstance);
        return new EffconvException.MissingNative(
                what + " could not be loaded: "
                        + folderProblem(writing ? UNPACKED : 0)
                                .map(problem -> problem + "; " + NativeFolder.WAY_OUT)
                                .orElseGet(() -> otherwise + ". Cause: "
                                        + causes(cause).map(Throwable::toString).collect(Collectors.joining("; "))),
                cause);
    }

    private static Stream<Throwable> causes(Throwable first) {
        return Stream.iterate(first, Objects::nonNull, Throwable::getCause);
    }

    private static Optional<String> folderProblem(long bytes) {
        try {
            return LibraryFolder.problem(Loader.getCacheDir().toPath(), bytes);
        } catch (IOException e) { // JavaCPP has tried these and can use none
            return Optional.of(NativeFolder.problems(bytes));
        }
    }

    private static String whatElse() {
        String platform = Loader.getPlatform();
        String resource = NativeFolder.resource(platform, NativeFolder.BRIDGE);
        boolean bundled = NativeLoader.class.getClassLoader().getResource(resource) != null;
        return "platform " + platform + ", " + resource + (bundled ? " is" : " is not")
                + " on the class path, java.library.path="
                + System.getProperty("java.library.path", "")
                + (bundled
                        ? ""
                        : "; add the effconv-core jar with classifier " + platform
                                + " of the same version, or build it with: mvn verify");
    }

    /** Runs once, when first asked for. */
    private static final class FirstAttempt {
        static final EffconvException.MissingNative FAILURE = attempt();

        private static EffconvException.MissingNative attempt() {
            try {
                requireLinux(System.getProperty("os.name"), System.getProperty("os.arch"));
                prepare();
                NativeFolder.load(jarVersion());
                Loader.load(NativeLibrary.class);
                requireSameVersion(jarVersion(), NativeLibrary.ec_version().getString());
                if (guarded()) {
                    NativeStatus.check(NativeLibrary.ec_guard_memory());
                }
                return null;
            } catch (EffconvException.MissingNative e) {
                return e;
            } catch (LinkageError | RuntimeException e) {
                return missing("the native library of effconv " + jarVersion(), whatElse(), e);
            }
        }
    }
}

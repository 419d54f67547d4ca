package org.effconv.data;

import java.io.BufferedInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.zip.GZIPInputStream;
import java.util.zip.ZipException;
import org.effconv.error.EffconvException;

/** Reading of whole files, with the package's wording of what is wrong. */
final class DataFiles {
    private static final int BUFFER = 1 << 16;

    private DataFiles() {}

    static EffconvException.InvalidInput invalid(Object where, String what) {
        return new EffconvException.InvalidInput(where + ": " + what);
    }

    static EffconvException.InvalidInput unreadable(Object where, IOException cause) {
        return new EffconvException.InvalidInput(where + ": cannot be read (" + cause + ")", cause);
    }

    /** Names the first file that is not there. */
    static void requireAll(List<Path> files, String expected) {
        for (Path file : files) {
            if (!Files.isRegularFile(file)) {
                throw invalid(file, "file is missing, expected " + expected);
            }
        }
    }

    /** The first and the last of several names in a row. */
    static String range(List<String> names) {
        return names.size() == 1 ? names.get(0) : names.get(0) + " to " + names.get(names.size() - 1);
    }

    static boolean isGzip(Path file) {
        return file.getFileName().toString().endsWith(".gz");
    }

    static InputStream open(Path file) throws IOException {
        InputStream raw = new BufferedInputStream(Files.newInputStream(file), BUFFER);
        if (!isGzip(file)) {
            return raw;
        }
        try {
            return new GZIPInputStream(raw, BUFFER);
        } catch (ZipException | EOFException e) {
            raw.close();
            throw invalid(file, "is not a gzip file (" + e.getMessage() + "), expected one by its name");
        }
    }

    /**
     * Exactly {@code expected} more bytes, after which the file must end. Memory grows with what is really read, so a
     * header that promises too much costs nothing.
     *
     * @param before bytes of the file's content read already, counted in the message
     */
    static byte[] rest(Object file, InputStream in, int expected, int before) throws IOException {
        byte[] bytes;
        try {
            bytes = in.readNBytes(expected);
            if (bytes.length == expected && in.read() >= 0) {
                long more = 1 + in.transferTo(OutputStream.nullOutputStream());
                throw invalid(
                        file,
                        "holds " + (before + expected + more) + " bytes, expected " + (before + (long) expected)
                                + " by its header");
            }
        } catch (EOFException e) {
            throw invalid(
                    file,
                    "is truncated: the gzip data ends early, expected " + (before + (long) expected)
                            + " bytes by its header");
        } catch (ZipException e) {
            throw invalid(file, "holds damaged gzip data (" + e.getMessage() + ")");
        } catch (OutOfMemoryError e) {
            throw noRoom(file.toString(), 2L * expected); // pieces first, then one array
        }
        if (bytes.length < expected) {
            throw invalid(
                    file,
                    "is truncated: holds " + (before + bytes.length) + " bytes, expected " + (before + (long) expected)
                            + " by its header");
        }
        return bytes;
    }

    /** An array for data; where the Java heap has no room for it, the error says how much is needed. */
    static byte[] array(String what, int bytes) {
        return array(what, bytes, bytes);
    }

    /** The same for one array of several, which are to hold {@code all} bytes together. */
    static byte[] array(String what, int bytes, long all) {
        try {
            return new byte[bytes];
        } catch (OutOfMemoryError e) {
            throw noRoom(what, all);
        }
    }

    /** Refuses at once what the Java heap cannot hold however far it grows. */
    static void requireHeap(String what, long bytes) {
        if (bytes > Runtime.getRuntime().maxMemory()) {
            throw noRoom(what, bytes);
        }
    }

    // Without its cause, which says less: to whoever reports failures it would be heap that ran out anywhere.
    private static EffconvException noRoom(String what, long bytes) {
        Runtime runtime = Runtime.getRuntime();
        long used = runtime.totalMemory() - runtime.freeMemory();
        long enough = ((used + bytes) / 4 * 5 >> 20) + 64;
        return new EffconvException(String.format(
                Locale.ROOT,
                "%s: takes %,d MiB of Java heap, which may grow to %,d MiB and holds %,d; expected "
                        + "java -Xmx%dm or more (EFFCONV_JAVA_OPTS=-Xmx%dm)",
                what,
                bytes >> 20,
                runtime.maxMemory() >> 20,
                used >> 20,
                enough,
                enough));
    }

    /** Names of exactly so many classes from a text file, one a line. */
    static List<String> classNames(Path file, int classes) {
        List<String> names = classNames(file);
        if (names.size() != classes) {
            throw invalid(file, "names " + names.size() + " classes, expected " + classes + ", one a line");
        }
        return names;
    }

    /** Names of the classes from a text file, one a line. */
    static List<String> classNames(Path file) {
        try {
            List<String> names = Files.readAllLines(file).stream()
                    .map(String::strip)
                    .filter(s -> !s.isEmpty())
                    .toList();
            if (names.size() < 2) {
                throw invalid(file, "names " + names.size() + " classes, expected at least 2, one a line");
            }
            return names;
        } catch (IOException e) {
            throw unreadable(file, e);
        }
    }
}

package org.effconv.train;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** The largest resident set this process has had, as the system counts it. */
public final class PeakMemory {
    private static final String FIELD = "VmHWM:";

    private PeakMemory() {}

    /** Bytes; -1 on systems without /proc. */
    public static long bytes() {
        try {
            for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
                if (line.startsWith(FIELD)) {
                    return 1024
                            * Long.parseLong(line.substring(FIELD.length())
                                    .replace("kB", "")
                                    .strip());
                }
            }
            return -1;
        } catch (IOException e) {
            return -1; // not Linux: the number is left out, nothing depends on it
        }
    }
}

package org.effconv.io;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** The processor that this process runs on, as Linux tells it. */
public final class Processor {
    private Processor() {}

    /** Its name: "AMD EPYC". */
    public static String name() {
        return cpuinfo("model name");
    }

    /** Its name, and how many of its threads this process may use. */
    public static String line() {
        return name() + ", " + Runtime.getRuntime().availableProcessors() + " usable";
    }

    /** Names of what it can do: "avx2", "amx_bf16". */
    public static List<String> flags() {
        return List.of(cpuinfo("flags").split(" "));
    }

    private static String cpuinfo(String field) {
        try (Stream<String> lines = Files.lines(Path.of("/proc/cpuinfo"))) {
            return lines.filter(l -> l.startsWith(field))
                    .findFirst()
                    .map(l -> l.substring(l.indexOf(':') + 1).strip())
                    .orElse("unknown");
        } catch (IOException e) {
            return "unknown (" + e + ")";
        }
    }
}

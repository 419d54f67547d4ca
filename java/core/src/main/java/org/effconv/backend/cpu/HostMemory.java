package org.effconv.backend.cpu;

import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What the machine, or the container that this process runs in, has of memory. The system grants more than that, and
 * later kills who uses it.
 */
final class HostMemory {
    private static final Logger LOG = LoggerFactory.getLogger(HostMemory.class);
    private static final Path MEMINFO = Path.of("/proc/meminfo");
    private static final Set<String> AVAILABLE = Set.of("MemAvailable:", "SwapFree:");
    private static final AtomicBoolean TOLD = new AtomicBoolean();

    private HostMemory() {}

    /** Bytes in all, swap included; a container's limit where it has one. */
    static long total() {
        OperatingSystemMXBean system = ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);
        return system.getTotalMemorySize() + Math.max(0, system.getTotalSwapSpaceSize());
    }

    /**
     * Bytes that nobody uses now, or that the system would give up for others; {@link #total} where the system does not
     * tell, which is warned of.
     */
    static long available() {
        List<String> lines;
        try {
            lines = Files.exists(MEMINFO) ? Files.readAllLines(MEMINFO) : List.of(); // only Linux has it
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        OptionalLong bytes = available(lines);
        if (bytes.isEmpty() && !TOLD.getAndSet(true)) {
            LOG.warn(
                    "{} does not tell what memory is available; requests are held to all that there is, {} bytes",
                    MEMINFO,
                    total());
        }
        return bytes.orElseGet(HostMemory::total);
    }

    /** The same of the lines of /proc/meminfo; empty unless they have both fields. */
    static OptionalLong available(List<String> lines) {
        long bytes = 0;
        Set<String> found = new HashSet<>();
        for (String line : lines) {
            String field = line.split("\\s+", 2)[0];
            if (AVAILABLE.contains(field)) {
                bytes += 1024
                        * Long.parseLong(
                                line.substring(field.length()).replace("kB", "").strip());
                found.add(field);
            }
        }
        return found.equals(AVAILABLE) ? OptionalLong.of(bytes) : OptionalLong.empty();
    }
}

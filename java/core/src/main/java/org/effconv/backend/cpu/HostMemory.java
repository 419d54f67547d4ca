package org.effconv.backend.cpu;

import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** What the machine, or the container that this process runs in, has of memory. The system grants more than that, and later kills who uses it. */
final class HostMemory {
    private static final Path MEMINFO = Path.of("/proc/meminfo");
    private static final List<String> AVAILABLE = List.of("MemAvailable:", "SwapFree:");

    private HostMemory() {}

    /** Bytes in all; a container's limit where it has one. */
    static long total() {
        return ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class).getTotalMemorySize();
    }

    /** Bytes that nobody uses now, or that the system would give up for others; {@link #total} where the system does not tell. */
    static long available() {
        try {
            long bytes = 0;
            int found = 0;
            for (String line : Files.readAllLines(MEMINFO)) {
                String field = line.split("\\s+", 2)[0];
                if (AVAILABLE.contains(field)) {
                    bytes += 1024 * Long.parseLong(line.substring(field.length()).replace("kB", "").strip());
                    found++;
                }
            }
            return found == AVAILABLE.size() ? bytes : total();
        } catch (IOException e) {
            return total(); // not Linux
        }
    }
}

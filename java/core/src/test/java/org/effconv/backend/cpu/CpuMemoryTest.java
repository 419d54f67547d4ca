package org.effconv.backend.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.util.List;
import java.util.OptionalLong;
import org.effconv.backend.bridge.NativeLoader;
import org.effconv.error.EffconvException.OutOfDeviceMemory;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class CpuMemoryTest {
    private static final long MIB = 1 << 20;

    @BeforeAll
    static void load() {
        NativeLoader.load();
    }

    /** The system would grant it, and kill whoever uses it. */
    @Test
    void whatTheMachineDoesNotHaveIsRefused() {
        CpuMemory memory = new CpuMemory(() -> 100 * MIB);
        OutOfDeviceMemory e = assertThrows(OutOfDeviceMemory.class, () -> memory.allocate(101 * MIB));
        assertTrue(
                e.getMessage().startsWith("cpu: no memory for 105906176 bytes; this machine has 104857600 bytes left"),
                e.getMessage());
        assertEquals(0, memory.liveBytes());
        memory.free(memory.allocate(100 * MIB), 100 * MIB);
        assertEquals(0, memory.liveBytes());
    }

    @Test
    void nativeMemoryDoesNotCountAgainstTheHeap() {
        // What JavaCPP made of it depends on which of its classes this JVM's tests used first.
        assertEquals("0", System.getProperty("org.bytedeco.javacpp.maxPhysicalBytes"));
    }

    @Test
    void whatIsAvailableIsFreeOrGivenUpOrSwap() {
        List<String> lines = List.of(
                "MemTotal:       9000 kB",
                "MemFree:         100 kB",
                "MemAvailable:   2000 kB",
                "SwapCached:        7 kB",
                "SwapTotal:      5000 kB",
                "SwapFree:       3000 kB");
        assertEquals(OptionalLong.of(5000 * 1024), HostMemory.available(lines));
        assertEquals(OptionalLong.empty(), HostMemory.available(lines.subList(0, 5)));
        assertEquals(OptionalLong.empty(), HostMemory.available(List.of()));
    }

    @Test
    void swapIsMemory() {
        OperatingSystemMXBean system = ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);
        assertEquals(system.getTotalMemorySize() + system.getTotalSwapSpaceSize(), HostMemory.total());
    }

    /** The machine's numbers in bytes: kB taken for bytes would refuse the first, bytes for kB grant the second. */
    @Test
    void theMachinesOwnMemoryIsTheLimit() {
        CpuMemory memory = new CpuMemory();
        memory.free(memory.allocate(65 * MIB), 65 * MIB);
        long more = HostMemory.total() + MIB;
        String message = assertThrows(OutOfDeviceMemory.class, () -> memory.allocate(more))
                .getMessage();
        assertTrue(message.contains("; this machine has "), message);
        assertTrue(memory.room() <= HostMemory.total(), memory.room() + " of " + HostMemory.total());
    }
}

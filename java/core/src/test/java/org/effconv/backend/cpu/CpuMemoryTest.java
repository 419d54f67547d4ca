package org.effconv.backend.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.effconv.EffconvException.OutOfDeviceMemory;
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
        assertTrue(e.getMessage().startsWith("cpu: no memory for 105906176 bytes; this machine has 104857600 bytes left"), e.getMessage());
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
    void aMachineHasMemoryAndNoMoreIsAvailableThanThere() {
        assertTrue(HostMemory.total() > 64 * MIB, "total " + HostMemory.total());
        assertTrue(HostMemory.available() > 0, "available " + HostMemory.available());
        assertThrows(OutOfDeviceMemory.class, () -> new CpuMemory().allocate(1L << 45));
    }
}

package org.effconv.backend.cpu;

import static org.junit.jupiter.api.Assertions.*;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.effconv.backend.OptimizerRule;
import org.effconv.backend.OptimizerSlot;
import org.effconv.backend.bridge.HostPointer;
import org.effconv.backend.bridge.NativeLibrary;
import org.effconv.backend.bridge.NativeLoader;
import org.effconv.backend.bridge.NativeStatus;
import org.effconv.error.EffconvException;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Tensor;
import org.junit.jupiter.api.Test;

/** The rules every operation keeps: memory, threads, closing, loading. */
class CpuBackendTest extends CpuTest {
    @Test
    void memoryIsAlignedAndCounted() {
        long before = NativeLibrary.ec_live_bytes();
        for (long bytes : new long[] {0, 1, 63, 4097}) {
            long address = backend.memory().allocate(bytes);
            assertEquals(0, address % 64);
            assertEquals(bytes, backend.liveBytes());
            assertEquals(before + bytes, NativeLibrary.ec_live_bytes());
            backend.memory().free(address, bytes);
        }
        assertEquals(0, backend.liveBytes());
        assertEquals(before, NativeLibrary.ec_live_bytes());
    }

    /** Blocks too small for mappings of their own, among some that stay: the C library keeps them until it is told. */
    @Test
    void trimGivesFreedMemoryBackToTheSystem() throws IOException {
        int bytes = 100_000;
        int count = 1000;
        long[] blocks = new long[count];
        for (int i = 0; i < count; i++) {
            blocks[i] = backend.memory().allocate(bytes);
            HostPointer.at(blocks[i], bytes).asByteBuffer().put(new byte[bytes]);
        }
        for (int i = 0; i < count; i++) {
            if (i % 10 != 9) {
                backend.memory().free(blocks[i], bytes);
            }
        }
        long before = residentBytes();
        backend.trim();
        long given = before - residentBytes();
        for (int i = 9; i < count; i += 10) {
            backend.memory().free(blocks[i], bytes);
        }
        assertTrue(given > (long) bytes * count / 2, given + " bytes given back of " + (long) bytes * count);
    }

    private static long residentBytes() throws IOException {
        String[] pages = Files.readString(Path.of("/proc/self/statm")).split(" ");
        return Long.parseLong(pages[1]) * 4096;
    }

    @Test
    void anImpossibleRequestSaysWhatWasAsked() {
        Tensor kept = tensor(DataType.F32, 25);
        long tooMuch = 1L << 60;
        String message = assertThrows(EffconvException.OutOfDeviceMemory.class, () -> backend.memory()
                        .allocate(tooMuch))
                .getMessage();
        assertTrue(message.contains(Long.toString(tooMuch)) && message.contains("holds 100 bytes"), message);
        backend.fill(kept, 1);
        assertEquals(100, backend.liveBytes());
    }

    @Test
    void useAfterCloseNamesTheObject() {
        CpuBackend other = CpuBackend.open(1);
        other.close();
        other.close();
        Tensor t = tensor(DataType.F32, 1);
        String message = assertThrows(IllegalStateException.class, () -> other.fill(t, 0))
                .getMessage();
        assertEquals("use after close: CpuBackend", message);
    }

    @Test
    void twoThreadsAtOnceAreRefusedAndOneAfterTheOtherIsFine() throws Exception {
        Tensor t = tensor(DataType.F32, 4);
        CountDownLatch inside = new CountDownLatch(1);
        CountDownLatch leave = new CountDownLatch(1);
        ExecutorService second = Executors.newSingleThreadExecutor();
        try {
            Future<?> busy = second.submit(() -> backend.use(() -> {
                inside.countDown();
                try {
                    leave.await();
                } catch (InterruptedException e) {
                    throw new IllegalStateException(e);
                }
            }));
            inside.await();
            String message = assertThrows(IllegalStateException.class, () -> backend.fill(t, 1))
                    .getMessage();
            assertTrue(message.contains("one thread at a time"), message);
            leave.countDown();
            busy.get();
            backend.fill(t, 2);
            second.submit(() -> backend.fill(t, 3)).get();
            assertArrayEquals(new float[] {3, 3, 3, 3}, backend.readFloats(t));
        } finally {
            leave.countDown();
            second.shutdown();
        }
    }

    @Test
    void aFailedOperationLeavesTheBackendUsable() {
        Tensor t = tensor(DataType.F32, 2);
        assertRefused("integer", () -> backend.readInts(t));
        backend.fill(t, 4);
        assertArrayEquals(new float[] {4, 4}, backend.readFloats(t));
    }

    @Test
    void everyOperationRunsWithItsOwnNumberOfThreads() {
        try (CpuBackend three = CpuBackend.open(3)) {
            three.use(() -> assertEquals(3, NativeLibrary.ec_threads()));
            backend.use(() -> assertEquals(2, NativeLibrary.ec_threads()));
            three.use(() -> assertEquals(3, NativeLibrary.ec_threads()));
        }
        assertRefused("threads is 0", () -> CpuBackend.open(0));
    }

    @Test
    void versionsShakeHands() {
        assertEquals(NativeLoader.jarVersion(), NativeLibrary.ec_version().getString());
        NativeLoader.requireSameVersion("1.2.0", "1.2.0");
        String message = assertThrows(
                        EffconvException.MissingNative.class, () -> NativeLoader.requireSameVersion("1.2.0", "1.3.0"))
                .getMessage();
        assertTrue(message.contains("1.2.0") && message.contains("1.3.0"), message);
        assertTrue(backend.instructionSet().startsWith("x86-64")
                || backend.instructionSet().equals("generic"));
    }

    @Test
    void everyNativeStatusIsAnException() {
        NativeStatus.check(NativeLibrary.EC_OK);
        assertThrows(IllegalArgumentException.class, () -> NativeStatus.check(NativeLibrary.EC_INVALID_ARGUMENT));
        assertThrows(
                EffconvException.OutOfDeviceMemory.class, () -> NativeStatus.check(NativeLibrary.EC_OUT_OF_MEMORY));
        assertThrows(EffconvException.class, () -> NativeStatus.check(NativeLibrary.EC_INTERNAL));
        assertThrows(EffconvException.class, () -> NativeStatus.check(99));
    }

    @Test
    void anOptimizerStepDoesNotDependOnTheThreads() {
        Tensor start = drawn(DataType.F32, 50_000);
        Tensor gradient = drawn(DataType.F32, 50_000);
        List<double[]> results = new ArrayList<>();
        List<Double> norms = new ArrayList<>();
        for (int threads : new int[] {1, 2}) {
            try (CpuBackend other = CpuBackend.open(threads)) {
                Tensor value = like(start);
                other.copy(start, value);
                Tensor first = of(DataType.F32, new double[50_000], 50_000);
                Tensor second = of(DataType.F32, new double[50_000], 50_000);
                norms.add(other.optimizerStep(
                        OptimizerRule.adamW(),
                        1,
                        List.of(new OptimizerSlot(value, gradient, first, second, 0.1, 0.1))));
                results.add(values(value));
            }
        }
        assertEquals(norms.get(0), norms.get(1));
        assertArrayEquals(results.get(0), results.get(1));
    }
}

package org.effconv.contract;

import static org.junit.jupiter.api.Assertions.*;

import org.effconv.backend.Activation;
import org.effconv.backend.Backend;
import org.effconv.error.EffconvException;
import org.effconv.tensor.Arena;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;
import org.junit.jupiter.api.Test;

/** The rules every operation keeps: memory, closing, refusing. */
class RulesContract extends BackendContract {
    @Test
    void theNameSaysWhichDeviceItIs() {
        assertTrue(backend.name().matches("cpu|cuda:\\d+"), backend.name());
    }

    @Test
    void memoryIsAlignedAndCounted() {
        for (long bytes : new long[] {0, 1, 63, 4097}) {
            long address = backend.memory().allocate(bytes);
            assertEquals(0, address % 64);
            assertTrue(backend.liveBytes() >= bytes);
            backend.memory().free(address, bytes);
            assertEquals(0, backend.liveBytes());
        }
    }

    @Test
    void anImpossibleRequestSaysWhatWasAskedAndTheBackendStaysUsable() {
        Tensor kept = tensor(DataType.F32, 25);
        long tooMuch = 1L << 60;
        String message = assertThrows(EffconvException.OutOfDeviceMemory.class, () -> backend.memory()
                        .allocate(tooMuch))
                .getMessage();
        assertTrue(message.contains(Long.toString(tooMuch)), message);
        backend.fill(kept, 1);
        assertEquals(1, values(kept)[24]);
    }

    @Test
    void arenasGiveTheirMemoryBack() {
        long before = backend.liveBytes();
        try (Arena arena = new Arena(backend.memory())) {
            for (int step = 0; step < 3; step++) {
                Tensor t = arena.allocate(DataType.F32, Shape.of(1000));
                backend.fill(t, step);
                assertEquals(step, values(t)[999]);
                arena.reset();
            }
        }
        assertEquals(before, backend.liveBytes());
    }

    /** Within a loop, too, whose steps may be recorded. */
    @Test
    void trimmingChangesNothing() {
        Tensor x = drawn(DataType.F32, 1000);
        Tensor y = like(x);
        double[] before = values(x);
        double[] expected = null;
        for (int step = 0; step < 5; step++) {
            tensor(DataType.F32, 100_000).close();
            backend.step("work", () -> {
                backend.activation(Activation.GELU, x, y);
                return null;
            });
            long held = backend.liveBytes();
            backend.trim();
            assertTrue(backend.liveBytes() <= held, backend.liveBytes() + " bytes after " + held);
            expected = expected == null ? values(y) : expected;
            assertArrayEquals(expected, values(y));
            assertArrayEquals(before, values(x));
            backend.fill(y, -1);
        }
    }

    @Test
    void useAfterCloseSaysSoAndASecondCloseIsHarmless() {
        Tensor t = tensor(DataType.F32, 4);
        Backend other = provider().open();
        other.close();
        other.close();
        for (org.junit.jupiter.api.function.Executable use : new org.junit.jupiter.api.function.Executable[] {
            () -> other.fill(t, 0),
            () -> other.activation(Activation.RELU, t, t),
            () -> other.readFloats(t),
            () -> other.write(t, new float[4])
        }) {
            String message = assertThrows(IllegalStateException.class, use).getMessage();
            assertTrue(message.startsWith("use after close: "), message);
        }
        backend.fill(t, 2);
        assertEquals(2, values(t)[0], "another backend's end is none of this one's");
    }

    @Test
    void aRefusedOperationLeavesTheBackendUsable() {
        Tensor t = tensor(DataType.F32, 2);
        assertRefused("integer", () -> backend.readInts(t));
        backend.fill(t, 4);
        assertArrayEquals(new double[] {4, 4}, values(t));
    }

    @Test
    void aClosedTensorIsNotUsed() {
        Tensor t = Tensor.allocate(backend.memory(), DataType.F32, Shape.of(2));
        t.close();
        assertThrows(IllegalStateException.class, () -> backend.fill(t, 1));
        assertThrows(IllegalStateException.class, () -> backend.activation(Activation.RELU, t, t));
    }

    @Test
    void twoBackendsLiveSideBySide() {
        try (Backend other = provider().open()) {
            Tensor mine = drawn(DataType.F32, 100);
            try (Tensor theirs = Tensor.allocate(other.memory(), DataType.F32, Shape.of(100))) {
                other.write(theirs, values(mine));
                other.activation(Activation.GELU, theirs, theirs);
                backend.activation(Activation.GELU, mine, mine);
                assertArrayEquals(values(mine), other.readDoubles(theirs));
            }
            assertEquals(0, other.liveBytes());
        }
    }
}

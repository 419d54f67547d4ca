package org.effconv.backend.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.bytedeco.javacpp.PointerScope;
import org.effconv.backend.Convolution;
import org.effconv.backend.bridge.NativeLibrary;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Tensor;
import org.junit.jupiter.api.Test;

class OneDnnTest extends CpuTest {
    @Test
    void evictsTheOperationUnusedForLongestAndBuildsItAgain() {
        CpuMemory memory = new CpuMemory();
        try (OneDnn dnn = new OneDnn(memory, 2)) {
            OneDnnConvolution convolution = new OneDnnConvolution(dnn);
            double[] three = result(convolution, 3);
            double[] five = result(convolution, 5);
            result(convolution, 3);
            assertEquals(2, dnn.built());
            result(convolution, 7); // in place of 5
            assertEquals(3, dnn.built());
            assertEquals(2, dnn.kept());
            assertArrayEqualsExactly(three, result(convolution, 3));
            assertEquals(3, dnn.built());
            assertArrayEqualsExactly(five, result(convolution, 5));
            assertEquals(4, dnn.built());
        }
        assertEquals(0, memory.liveBytes());
    }

    @Test
    void theNumberOfThreadsIsPartOfAnOperation() {
        CpuMemory memory = new CpuMemory();
        try (OneDnn dnn = new OneDnn(memory, 8)) {
            OneDnnConvolution convolution = new OneDnnConvolution(dnn);
            Tensor x = drawn(DataType.F32, 2, 6, 6, 3);
            Tensor w = drawn(DataType.F32, 4, 3, 3, 3);
            Tensor y = poisoned(DataType.F32, 2, 6, 6, 4);
            NativeLibrary.ec_set_threads(1);
            convolution.convolution(Convolution.PLAIN, x, w, null, y);
            NativeLibrary.ec_set_threads(2);
            convolution.convolution(Convolution.PLAIN, x, w, null, y);
            assertEquals(2, dnn.built());
        }
    }

    @Test
    void scratchMemoryCountsAsLiveUntilTheBackendIsClosed() {
        Tensor x = drawn(DataType.F32, 2, 8, 8, 16);
        Tensor w = drawn(DataType.F32, 16, 3, 3, 16);
        Tensor dx = like(x);
        long before = backend.liveBytes();
        backend.convolutionDataGradient(Convolution.PLAIN, x, w, dx);
        long with = backend.liveBytes();
        assertTrue(with > before, "weights pass through scratch memory");
        backend.convolutionDataGradient(Convolution.PLAIN, x, w, dx);
        assertEquals(with, backend.liveBytes(), "scratch memory is taken once");
    }

    /** JavaCPP frees what was made within a scope when that ends, unless it is held. */
    @Test
    void outlivesAScopeOfTheCallersThatItWasMadeIn() {
        CpuMemory memory = new CpuMemory();
        OneDnn dnn;
        double[] within;
        try (PointerScope callers = new PointerScope()) {
            dnn = new OneDnn(memory, 2);
            within = result(new OneDnnConvolution(dnn), 3);
        }
        try (dnn) {
            OneDnnConvolution convolution = new OneDnnConvolution(dnn);
            assertArrayEqualsExactly(within, result(convolution, 3));
            result(convolution, 5);
        }
    }

    @Test
    void refusesUseAfterClose() {
        OneDnn dnn = new OneDnn(new CpuMemory(), 2);
        dnn.close();
        dnn.close();
        assertThrows(IllegalStateException.class, () -> result(new OneDnnConvolution(dnn), 3));
    }

    private double[] result(OneDnnConvolution convolution, int size) {
        Tensor x = of(DataType.F32, ramp(2 * 6 * 6 * 3), 2, 6, 6, 3);
        Tensor w = of(DataType.F32, ramp(4 * size * size * 3), 4, size, size, 3);
        Tensor y = poisoned(DataType.F32, 2, 6, 6, 4);
        convolution.convolution(Convolution.PLAIN, x, w, null, y);
        return values(y);
    }

    private static double[] ramp(int count) {
        double[] values = new double[count];
        for (int i = 0; i < count; i++) {
            values[i] = (i * 7 % 23 - 11) / 8.0;
        }
        return values;
    }

    private static void assertArrayEqualsExactly(double[] expected, double[] got) {
        org.junit.jupiter.api.Assertions.assertArrayEquals(expected, got, 0);
    }
}

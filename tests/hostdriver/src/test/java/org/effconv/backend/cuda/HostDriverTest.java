package org.effconv.backend.cuda;

import static org.junit.jupiter.api.Assertions.*;

import org.effconv.backend.Convolution;
import org.effconv.backend.Pooling;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;
import org.junit.jupiter.api.Test;

/** That the double takes calls as a card would; the operations themselves are the contract suite's. */
class HostDriverTest {
    @Test
    void runsAKernelAndGivesEverythingBack() {
        HostDriver driver = new HostDriver();
        try (CudaBackend backend = CudaBackend.over(driver, CudaOptions.standard());
                Tensor x = Tensor.allocate(backend.memory(), DataType.F32, Shape.of(1, 2, 2, 1));
                Tensor y = Tensor.allocate(backend.memory(), DataType.F32, Shape.of(1, 1, 1, 1))) {
            backend.write(x, new float[] {1, 4, 2, 3});
            backend.pool(new Pooling(Pooling.Kind.MAX, 2, 2, 0), x, y);
            assertArrayEquals(new float[] {4}, backend.readFloats(y));
            assertEquals("cuda:0", backend.name());
        }
        assertEquals(0, driver.blocks());
        assertEquals(0, driver.graphs());
    }

    @Test
    void refusesFp64() {
        try (CudaBackend backend = HostCuda.open(CudaOptions.standard());
                Tensor x = Tensor.allocate(backend.memory(), DataType.F64, Shape.of(1, 2, 2, 1));
                Tensor w = Tensor.allocate(backend.memory(), DataType.F64, Shape.of(1, 1, 1, 1))) {
            IllegalArgumentException e = assertThrows(
                    IllegalArgumentException.class, () -> backend.convolution(Convolution.PLAIN, x, w, null, x));
            assertTrue(e.getMessage().contains("F64"), e.getMessage());
            assertThrows(IllegalArgumentException.class, () -> backend.fill(x, 0));
        }
    }

    /** More than the page-locked ring holds: several pieces each way, of a length that no piece divides. */
    @Test
    void largeTensorsGoOverInPieces() {
        int count = (int) (2 * PinnedRing.HALF / 4) + 12_345;
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = i % 8191 - 4000;
        }
        for (DataType type : new DataType[] {DataType.F32, DataType.BF16}) {
            try (CudaBackend backend = HostCuda.open(CudaOptions.standard());
                    Tensor t = Tensor.allocate(backend.memory(), type, Shape.of(count))) {
                backend.write(t, values);
                float[] back = backend.readFloats(t);
                for (int i = 0; i < count; i++) {
                    assertEquals(values[i], back[i], type == DataType.F32 ? 0 : 16, "element " + i + " of " + count);
                }
            }
        }
    }
}

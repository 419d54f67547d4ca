package org.effconv.contract;

import static org.junit.jupiter.api.Assertions.*;

import java.util.ArrayList;
import java.util.List;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Tensor;
import org.junit.jupiter.api.Test;

class SumOfSquaresContract extends BackendContract {
    @Test
    void isTheSumOverAllTensorsAndChangesNone() {
        for (DataType type : parameterTypes()) {
            List<Tensor> tensors = new ArrayList<>();
            double expected = 0;
            for (int count : new int[] {1, 7, 2048, 2049, 5000}) {
                Tensor t = drawn(type, count);
                for (double x : values(t)) {
                    expected += x * x;
                }
                tensors.add(t);
            }
            double[] before = values(tensors.get(4));
            assertEquals(expected, backend.sumOfSquares(tensors), 1e-5 * expected, type.toString());
            assertEquals(backend.sumOfSquares(tensors), backend.sumOfSquares(tensors), "two runs");
            assertArrayEquals(before, values(tensors.get(4)));
        }
        assertEquals(0, backend.sumOfSquares(List.of()));
    }
}

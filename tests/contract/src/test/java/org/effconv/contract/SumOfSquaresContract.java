package org.effconv.contract;

import static org.junit.jupiter.api.Assertions.*;

import java.util.ArrayList;
import java.util.Arrays;
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

    @Test
    void aNormalisedSumTakesTheFactorOfItsTime() {
        for (DataType type : parameterTypes()) {
            List<Tensor> from = new ArrayList<>();
            List<Tensor> to = new ArrayList<>();
            double square = 0;
            for (int count : new int[] {1, 7, 2049}) {
                from.add(drawn(type, count));
                to.add(drawn(type, count));
                square += Arrays.stream(values(from.get(from.size() - 1)))
                        .map(x -> x * x)
                        .sum();
            }
            double[] factor = new double[1];
            for (double now : new double[] {-3, 0.5, 200, -1e-3
            }) { // with equal keys: recorded at the second, repeated from the third on
                factor[0] = now;
                List<double[]> expected = new ArrayList<>();
                for (int i = 0; i < from.size(); i++) {
                    double[] sum = values(to.get(i));
                    double[] x = values(from.get(i));
                    for (int e = 0; e < sum.length; e++) {
                        sum[e] += now / square * x[e];
                    }
                    expected.add(sum);
                }
                backend.step(type, () -> {
                    backend.accumulateNormalised(from, () -> factor[0], to);
                    return null;
                });
                for (int i = 0; i < from.size(); i++) {
                    assertClose(type + " " + now + ", tensor " + i, expected.get(i), to.get(i), tolerance(type));
                }
            }
        }
    }
}

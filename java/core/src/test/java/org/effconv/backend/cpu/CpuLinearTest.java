package org.effconv.backend.cpu;

import org.effconv.tensor.DataType;
import org.effconv.tensor.Tensor;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class CpuLinearTest extends CpuTest {
    private static final int[][] SHAPES = {{1, 1, 1}, {1, 400, 120}, {128, 84, 10}, {7, 17, 3}, {33, 48, 100}, {128, 3, 1}};

    @ParameterizedTest
    @EnumSource(names = {"F32", "BF16", "F64"})
    void matchesTheSum(DataType type) {
        for (int[] shape : SHAPES) {
            check(type, shape[0], shape[1], shape[2], true);
            check(type, shape[0], shape[1], shape[2], false);
        }
    }

    private void check(DataType type, int n, int inputs, int outputs, boolean biased) {
        String what = type + " " + n + " x " + inputs + " -> " + outputs;
        Tensor x = drawn(type, n, inputs);
        Tensor w = of(type.parameterType(), values(drawn(type, outputs, inputs)), outputs, inputs);
        Tensor b = biased ? drawn(type.parameterType(), outputs) : null;
        Tensor dy = drawn(type, n, outputs);
        double[] xs = values(x);
        double[] ws = values(w);
        double[] dys = values(dy);
        double[] y = new double[n * outputs];
        double[] dx = new double[n * inputs];
        double[] dw = new double[outputs * inputs];
        double[] db = new double[outputs];
        for (int i = 0; i < n; i++) {
            for (int o = 0; o < outputs; o++) {
                y[i * outputs + o] = biased ? values(b)[o] : 0;
                db[o] += dys[i * outputs + o];
                for (int d = 0; d < inputs; d++) {
                    y[i * outputs + o] += xs[i * inputs + d] * ws[o * inputs + d];
                    dx[i * inputs + d] += dys[i * outputs + o] * ws[o * inputs + d];
                    dw[o * inputs + d] += dys[i * outputs + o] * xs[i * inputs + d];
                }
            }
        }
        Tensor gotY = poisoned(type, n, outputs);
        backend.linear(x, w, b, gotY);
        assertClose(what + " forward", y, gotY, tolerance(type));
        Tensor gotDx = like(x);
        backend.linearDataGradient(dy, w, gotDx);
        assertClose(what + " data gradient", dx, gotDx, tolerance(type));
        Tensor gotDw = like(w);
        Tensor gotDb = biased ? like(b) : null;
        backend.linearWeightGradient(x, dy, gotDw, gotDb);
        // sums of F32 products, whatever the type of the activations
        double sums = type == DataType.F64 ? tolerance(type) : tolerance(DataType.F32);
        assertClose(what + " weight gradient", dw, gotDw, sums);
        if (biased) {
            assertClose(what + " bias gradient", db, gotDb, sums);
        }
    }
}

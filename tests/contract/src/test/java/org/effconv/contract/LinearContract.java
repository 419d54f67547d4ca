package org.effconv.contract;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import java.util.function.Supplier;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Tensor;
import org.junit.jupiter.api.Test;

class LinearContract extends BackendContract {
    private static final int[][] SHAPES = {
        {1, 1, 1}, {1, 400, 120}, {128, 84, 10}, {7, 17, 3}, {33, 48, 100}, {128, 3, 1}
    };

    @Test
    void matchesTheSum() {
        for (DataType type : productTypes()) {
            for (int[] shape : SHAPES) {
                check(type, shape[0], shape[1], shape[2], true);
                check(type, shape[0], shape[1], shape[2], false);
            }
        }
    }

    @Test
    void twoRunsAreBitEqual() {
        for (DataType type : productTypes()) {
            Tensor x = drawn(type, 65, 48);
            Tensor dy = drawn(type, 65, 100);
            Tensor w = drawn(type.parameterType(), 100, 48);
            Tensor y = poisoned(type, 65, 100);
            Tensor dx = poisoned(type, 65, 48);
            Tensor dw = like(w);
            Tensor db = poisoned(w.type(), 100);
            Supplier<double[][]> run = () -> {
                backend.linear(x, w, null, y);
                backend.linearDataGradient(dy, w, dx);
                backend.linearWeightGradient(x, dy, dw, db);
                return new double[][] {values(y), values(dx), values(dw), values(db)};
            };
            assertArrayEquals(run.get(), run.get(), type.toString());
        }
    }

    @Test
    void wrongOperandsAreRefused() {
        Tensor x = tensor(DataType.F32, 2, 3);
        Tensor w = tensor(DataType.F32, 4, 3);
        Tensor y = tensor(DataType.F32, 2, 4);
        assertRefused("w is", () -> backend.linear(x, tensor(DataType.F32, 4, 2), null, y));
        assertRefused("bias is", () -> backend.linear(x, w, tensor(DataType.F32, 3), y));
        assertRefused("y is", () -> backend.linear(x, w, null, tensor(DataType.F32, 2, 3)));
        assertRefused("w is null", () -> backend.linear(x, null, null, y));
        assertRefused("w is F64", () -> backend.linearDataGradient(y, tensor(DataType.F64, 4, 3), x));
        assertRefused("w is F32 [3, 4]", () -> backend.linearWeightGradient(x, y, tensor(DataType.F32, 3, 4), null));
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

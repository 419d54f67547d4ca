package org.effconv.contract;

import static org.junit.jupiter.api.Assertions.*;

import java.util.Arrays;
import java.util.function.DoubleSupplier;
import org.effconv.backend.Pooling;
import org.effconv.backend.Pooling.Kind;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;
import org.junit.jupiter.api.Test;

class PoolingContract extends BackendContract {
    private static final int[][] SHAPES = {{1, 1, 1, 1}, {1, 5, 4, 3}, {2, 7, 9, 17}, {1, 3, 3, 64}, {8, 33, 32, 8}};

    private static Pooling[] poolings() {
        return new Pooling[] {
            new Pooling(Kind.MAX, 2, 2, 0),
            new Pooling(Kind.MAX, 3, 2, 1),
            new Pooling(Kind.MAX, 3, 1, 1),
            new Pooling(Kind.MAX, 1, 1, 0),
            new Pooling(Kind.AVERAGE, 2, 2, 0),
            new Pooling(Kind.AVERAGE, 3, 2, 1),
            new Pooling(Kind.AVERAGE, 5, 1, 2)
        };
    }

    private static int[] pooled(Pooling p, int[] s) {
        return new int[] {s[0], p.outputExtent(s[1]), p.outputExtent(s[2]), s[3]};
    }

    /** The output, or with dy the gradient of the input. */
    private static double[] reference(Pooling p, int[] s, double[] x, double[] dy) {
        int[] o = pooled(p, s);
        double[] y = new double[o[0] * o[1] * o[2] * o[3]];
        double[] dx = new double[x.length];
        for (int out = 0; out < y.length; out++) {
            int c = out % s[3];
            int top = out / (o[3] * o[2]) % o[1] * p.stride() - p.padding();
            int left = out / o[3] % o[2] * p.stride() - p.padding();
            int image = out / (o[3] * o[2] * o[1]);
            int best = -1;
            int count = 0;
            double sum = 0;
            for (int pass = 0; pass < 2; pass++) {
                for (int h = Math.max(0, top); h < Math.min(s[1], top + p.size()); h++) {
                    for (int w = Math.max(0, left); w < Math.min(s[2], left + p.size()); w++) {
                        int at = ((image * s[1] + h) * s[2] + w) * s[3] + c;
                        if (pass == 1) {
                            dx[at] += dy == null || p.kind() == Kind.MAX ? 0 : dy[out] / count;
                            continue;
                        }
                        best = best < 0 || x[at] > x[best] ? at : best;
                        sum += x[at];
                        count++;
                    }
                }
            }
            y[out] = p.kind() == Kind.MAX ? x[best] : sum / count;
            if (dy != null && p.kind() == Kind.MAX) {
                dx[best] += dy[out];
            }
        }
        return dy == null ? y : dx;
    }

    @Test
    void poolingIsTheDefinition() {
        for (DataType type : activations()) {
            for (int[] s : SHAPES) {
                for (Pooling p : poolings()) {
                    if (Math.min(s[1], s[2]) + 2 * p.padding() < p.size()) {
                        continue;
                    }
                    // few distinct values, so that ties occur
                    Tensor x = of(type, map(normal((int) Shape.of(s).count()), v -> Math.rint(2 * v) / 2), s);
                    Tensor y = poisoned(type, pooled(p, s));
                    backend.pool(p, x, y);
                    String what = p + " " + type + " " + Arrays.toString(s);
                    assertClose(what, reference(p, s, values(x), null), y, tolerance(type));
                    Tensor dy = drawn(type, pooled(p, s));
                    Tensor dx = poisoned(type, s);
                    backend.poolGradient(p, x, dy, dx);
                    assertClose("gradient " + what, reference(p, s, values(x), values(dy)), dx, tolerance(type));
                }
            }
        }
    }

    @Test
    void globalAverageIsTheMean() {
        for (DataType type : activations()) {
            for (int[] s : SHAPES) {
                Tensor x = drawn(type, s);
                Tensor y = poisoned(type, s[0], s[3]);
                backend.globalAveragePool(x, y);
                int pixels = s[1] * s[2];
                double[] in = values(x);
                double[] expected = new double[s[0] * s[3]];
                for (int i = 0; i < in.length; i++) {
                    expected[i / (pixels * s[3]) * s[3] + i % s[3]] += in[i] / pixels;
                }
                assertClose("mean " + type, expected, y, tolerance(type));
                Tensor dx = poisoned(type, s);
                backend.globalAveragePoolGradient(y, dx);
                double[] dy = values(y);
                double[] spread = new double[in.length];
                Arrays.setAll(spread, i -> dy[i / (pixels * s[3]) * s[3] + i % s[3]] / pixels);
                assertClose("gradient " + type, spread, dx, tolerance(type));
            }
        }
    }

    @Test
    void gradientsAgreeWithDifferences() {
        needsDouble();
        int[] s = {2, 7, 5, 3};
        Tensor x = drawn(DataType.F64, s);
        for (Pooling p : poolings()) {
            Tensor y = poisoned(DataType.F64, pooled(p, s));
            Tensor dy = drawn(DataType.F64, pooled(p, s));
            Tensor dx = like(x);
            double[] factors = values(dy);
            DoubleSupplier loss = () -> {
                backend.pool(p, x, y);
                return weighted(factors, y);
            };
            backend.poolGradient(p, x, dy, dx);
            assertGradient(p.toString(), loss, x, dx, 60);
        }
        Tensor y = poisoned(DataType.F64, 2, 3);
        Tensor dy = drawn(DataType.F64, 2, 3);
        Tensor dx = like(x);
        double[] factors = values(dy);
        backend.globalAveragePoolGradient(dy, dx);
        assertGradient(
                "global average",
                () -> {
                    backend.globalAveragePool(x, y);
                    return weighted(factors, y);
                },
                x,
                dx,
                60);
    }

    @Test
    void notANumberWinsTheMaximum() {
        Tensor x = of(DataType.F32, new double[] {1, Double.NaN, 3, 4}, 1, 2, 2, 1);
        Tensor y = poisoned(DataType.F32, 1, 1, 1, 1);
        backend.fill(y, 0);
        backend.pool(new Pooling(Kind.MAX, 2, 2, 0), x, y);
        assertTrue(Double.isNaN(values(y)[0]));
    }

    @Test
    void wrongOperandsAreRefused() {
        Tensor x = tensor(DataType.F32, 1, 4, 4, 2);
        assertRefused("y is", () -> backend.pool(new Pooling(Kind.MAX, 2, 2, 0), x, x));
        assertRefused("smaller than the window", () -> backend.pool(new Pooling(Kind.MAX, 5, 1, 0), x, x));
        assertRefused("padding below the size", () -> backend.pool(new Pooling(Kind.MAX, 2, 1, 2), x, x));
        assertRefused("y is", () -> backend.globalAveragePool(x, tensor(DataType.F32, 1, 3)));
    }
}

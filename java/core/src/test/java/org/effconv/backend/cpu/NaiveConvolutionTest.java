package org.effconv.backend.cpu;

import java.util.function.DoubleSupplier;
import org.effconv.backend.Convolution;
import org.effconv.backend.bridge.HostPointer;
import org.effconv.backend.bridge.NativeLibrary;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Tensor;
import org.junit.jupiter.api.Test;

/** The reference convolution of the native library, by its own entry functions. */
class NaiveConvolutionTest extends CpuTest {
    /** n, h, w, c, k, size, stride, groups. */
    private static final int[][] SHAPES = {
        {1, 1, 1, 1, 1, 1, 1, 1},
        {1, 1, 1, 3, 2, 5, 1, 1},
        {2, 5, 4, 3, 4, 3, 1, 1},
        {2, 5, 6, 4, 6, 3, 2, 2},
        {1, 7, 7, 5, 5, 7, 2, 5},
        {3, 4, 4, 6, 3, 1, 2, 3},
        {1, 3, 9, 2, 2, 33, 1, 1}
    };

    private final class Case {
        final int[] s;
        final Tensor x, w, bias, y, dy, dx, dw, dbias;

        Case(DataType type, int[] s) {
            this.s = s;
            Convolution c = new Convolution(s[6], s[7]);
            int ho = c.outputExtent(s[1]);
            int wo = c.outputExtent(s[2]);
            DataType parameter = type.parameterType();
            x = drawn(type, s[0], s[1], s[2], s[3]);
            w = drawn(parameter, s[4], s[5], s[5], s[3] / s[7]);
            bias = drawn(parameter, s[4]);
            y = poisoned(type, s[0], ho, wo, s[4]);
            dy = drawn(type, s[0], ho, wo, s[4]);
            dx = like(x);
            dw = like(w);
            dbias = like(bias);
        }

        void forward() {
            backend.call(() -> NativeLibrary.ec_naive_convolution(
                    x.type().ordinal(),
                    s[0],
                    s[1],
                    s[2],
                    s[3],
                    s[4],
                    s[5],
                    s[6],
                    s[7],
                    HostPointer.of(x),
                    HostPointer.of(w),
                    HostPointer.of(bias),
                    HostPointer.of(y)));
        }

        void backward() {
            backend.call(() -> NativeLibrary.ec_naive_convolution_data_gradient(
                    x.type().ordinal(),
                    s[0],
                    s[1],
                    s[2],
                    s[3],
                    s[4],
                    s[5],
                    s[6],
                    s[7],
                    HostPointer.of(dy),
                    HostPointer.of(w),
                    HostPointer.of(dx)));
            backend.call(() -> NativeLibrary.ec_naive_convolution_weight_gradient(
                    x.type().ordinal(),
                    s[0],
                    s[1],
                    s[2],
                    s[3],
                    s[4],
                    s[5],
                    s[6],
                    s[7],
                    HostPointer.of(x),
                    HostPointer.of(dy),
                    HostPointer.of(dw),
                    HostPointer.of(dbias)));
        }
    }

    /** Walks over every product of the definition and adds it to y, dx and dw at once. */
    private static void reference(int[] s, double[] x, double[] w, double[] dy, double[] y, double[] dx, double[] dw) {
        int ho = (s[1] - 1) / s[6] + 1;
        int wo = (s[2] - 1) / s[6] + 1;
        int inputs = s[3] / s[7];
        for (int out = 0; out < y.length; out++) {
            int k = out % s[4];
            int column = out / s[4] % wo;
            int row = out / (s[4] * wo) % ho;
            int image = out / (s[4] * wo * ho);
            for (int tap = 0; tap < s[5] * s[5]; tap++) {
                int h = row * s[6] + tap / s[5] - s[5] / 2;
                int v = column * s[6] + tap % s[5] - s[5] / 2;
                if (h < 0 || h >= s[1] || v < 0 || v >= s[2]) {
                    continue;
                }
                for (int i = 0; i < inputs; i++) {
                    int xi = ((image * s[1] + h) * s[2] + v) * s[3] + k / (s[4] / s[7]) * inputs + i;
                    int wi = (k * s[5] * s[5] + tap) * inputs + i;
                    y[out] += x[xi] * w[wi];
                    dx[xi] += dy[out] * w[wi];
                    dw[wi] += dy[out] * x[xi];
                }
            }
        }
    }

    @Test
    void allThreeAreTheDefinition() {
        for (DataType type : ACTIVATIONS) {
            for (int[] s : SHAPES) {
                Case c = new Case(type, s);
                double[] bias = values(c.bias);
                double[] y = new double[(int) c.y.count()];
                double[] dbias = new double[bias.length];
                double[] dy = values(c.dy);
                for (int i = 0; i < y.length; i++) {
                    y[i] = bias[i % bias.length];
                    dbias[i % bias.length] += dy[i];
                }
                double[] dx = new double[(int) c.x.count()];
                double[] dw = new double[(int) c.w.count()];
                reference(s, values(c.x), values(c.w), dy, y, dx, dw);
                c.forward();
                c.backward();
                String what = type + " " + java.util.Arrays.toString(s);
                assertClose("y " + what, y, c.y, tolerance(type));
                assertClose("dx " + what, dx, c.dx, tolerance(type));
                assertClose("dw " + what, dw, c.dw, tolerance(c.w.type()));
                assertClose("dbias " + what, dbias, c.dbias, tolerance(c.w.type()));
            }
        }
    }

    @Test
    void gradientsAgreeWithDifferences() {
        for (int[] s : SHAPES) {
            Case c = new Case(DataType.F64, s);
            double[] factors = values(c.dy);
            DoubleSupplier loss = () -> {
                c.forward();
                return weighted(factors, c.y);
            };
            c.backward();
            assertGradient("dx", loss, c.x, c.dx, 20);
            assertGradient("dw", loss, c.w, c.dw, 20);
            assertGradient("dbias", loss, c.bias, c.dbias, 20);
        }
    }
}

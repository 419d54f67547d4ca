package org.effconv.contract;

import static org.junit.jupiter.api.Assertions.*;

import java.util.Arrays;
import java.util.function.DoubleSupplier;
import org.effconv.backend.Activation;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Tensor;
import org.junit.jupiter.api.Test;

class ElementwiseContract extends BackendContract {
    private static final int[] COUNTS = {1, 3, 17, 64, 70_001}; // the last one is shared by two threads, or many blocks

    /** erf by its Taylor series, fp64 good to about 1e-13 for |x| <= 4.5. */
    private static double erf(double x) {
        if (Math.abs(x) > 4.5) {
            return Math.signum(x);
        }
        double term = x;
        double sum = x;
        for (int n = 1; n < 200; n++) {
            term *= -x * x / n;
            sum += term / (2 * n + 1);
        }
        return 2 / Math.sqrt(Math.PI) * sum;
    }

    private static double apply(Activation a, double x) {
        return switch (a) {
            case NONE -> x;
            case RELU -> Math.max(0, x);
            case GELU -> 0.5 * x * (1 + erf(x / Math.sqrt(2)));
        };
    }

    private static double slope(Activation a, double x) {
        return switch (a) {
            case NONE -> 1;
            case RELU -> x > 0 ? 1 : 0;
            case GELU -> 0.5 * (1 + erf(x / Math.sqrt(2))) + x * Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI);
        };
    }

    @Test
    void activationsAndSumsAreTheFormula() {
        for (DataType type : activations()) {
            double tolerance = Math.max(tolerance(type), 1e-9); // the series in the reference
            for (int count : COUNTS) {
                Tensor x = drawn(type, count);
                Tensor other = drawn(type, count);
                double[] in = values(x);
                double[] gradient = values(other);
                for (Activation a : Activation.values()) {
                    if (a == Activation.GELU && count > 1000) {
                        continue; // the reference is slow
                    }
                    Tensor y = like(x);
                    backend.activation(a, x, y);
                    assertClose(a + " " + type, map(in, v -> apply(a, v)), y, tolerance);
                    Tensor dx = like(x);
                    backend.activationGradient(a, x, other, dx);
                    double[] expected = new double[count];
                    Arrays.setAll(expected, i -> gradient[i] * slope(a, in[i]));
                    assertClose("gradient of " + a + " " + type, expected, dx, tolerance);
                }
                for (Activation a : new Activation[] {Activation.NONE, Activation.RELU}) {
                    Tensor y = like(x);
                    backend.add(x, other, a, y);
                    double[] expected = new double[count];
                    Arrays.setAll(expected, i -> apply(a, in[i] + gradient[i]));
                    assertClose("sum " + a + " " + type, expected, y, tolerance);
                }
            }
        }
    }

    @Test
    void inPlaceIsTheSame() {
        for (DataType type : activations()) {
            int count = 70_001; // several blocks, the last one not full
            Tensor x = drawn(type, count);
            Tensor dy = drawn(type, count);
            Tensor apart = like(x);
            backend.activationGradient(Activation.RELU, x, dy, apart);
            backend.activationGradient(Activation.RELU, x, dy, dy);
            assertArrayEquals(values(apart), values(dy));
            double[] values = values(x);
            for (Activation a : Activation.values()) {
                Tensor same = of(type, values, count);
                backend.activation(a, x, apart);
                backend.activation(a, same, same);
                assertArrayEquals(values(apart), values(same), a + " " + type);
            }
            Tensor same = of(type, values, count);
            backend.dropout(x, 0.4, 5, apart);
            backend.dropout(same, 0.4, 5, same);
            assertArrayEquals(values(apart), values(same), "dropout " + type);
        }
    }

    @Test
    void gradientsAgreeWithDifferences() {
        needsDouble();
        Tensor x = drawn(DataType.F64, 50);
        Tensor y = like(x);
        Tensor dy = drawn(DataType.F64, 50);
        Tensor dx = like(x);
        double[] factors = values(dy);
        for (Activation a : Activation.values()) {
            DoubleSupplier loss = () -> {
                backend.activation(a, x, y);
                return weighted(factors, y);
            };
            backend.activationGradient(a, x, dy, dx);
            assertGradient(a.toString(), loss, x, dx, 50);
        }
        DoubleSupplier dropped = () -> {
            backend.dropout(x, 0.3, 99, y);
            return weighted(factors, y);
        };
        backend.dropout(dy, 0.3, 99, dx);
        assertGradient("dropout", dropped, x, dx, 50);
    }

    @Test
    void dropoutKeepsTheShareAndTheMean() {
        for (DataType type : activations()) {
            int count = 80_003;
            Tensor x = tensor(type, count);
            backend.fill(x, 1);
            Tensor y = like(x);
            backend.dropout(x, 0.25, 7, y);
            double[] first = values(y);
            double kept = Arrays.stream(first).filter(v -> v != 0).count() / (double) count;
            assertEquals(0.75, kept, 0.005);
            double factor = Arrays.stream(first).max().getAsDouble();
            assertEquals(1 / 0.75, factor, 1 / 0.75 * tolerance(type));
            assertTrue(Arrays.stream(first).allMatch(v -> v == 0 || v == factor));
            backend.dropout(x, 0.25, 7, y);
            assertArrayEquals(first, values(y));
            backend.dropout(x, 0.25, 8, y);
            double agree = 0;
            double[] second = values(y);
            for (int i = 0; i < count; i++) {
                agree += first[i] == second[i] ? 1.0 / count : 0;
            }
            assertEquals(0.75 * 0.75 + 0.25 * 0.25, agree, 0.01);
            backend.dropout(x, 0, 8, y);
            assertArrayEquals(values(x), values(y));
        }
    }

    @Test
    void notANumberIsNotSwallowed() {
        Tensor x = of(DataType.F32, new double[] {Double.NaN, -1}, 2);
        Tensor y = like(x);
        backend.activation(Activation.RELU, x, y);
        assertTrue(Double.isNaN(values(y)[0]));
        backend.add(x, x, Activation.RELU, y);
        assertTrue(Double.isNaN(values(y)[0]));
    }

    @Test
    void wrongOperandsAreRefused() {
        Tensor x = tensor(DataType.F32, 2, 3);
        assertRefused(
                "operand is F32 [3, 2]", () -> backend.activation(Activation.RELU, x, tensor(DataType.F32, 3, 2)));
        assertRefused("I32", () -> backend.activation(Activation.RELU, tensor(DataType.I32, 2), x));
        assertRefused("GELU", () -> backend.add(x, x, Activation.GELU, x));
        assertRefused("dropout rate 1.0", () -> backend.dropout(x, 1, 0, x));
    }
}

package org.effconv.backend;

import static org.junit.jupiter.api.Assertions.*;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.function.DoubleSupplier;
import java.util.function.DoubleUnaryOperator;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.function.Executable;

/** What the tests of a backend's operations share: tensors that are given back, references, central differences. */
public abstract class OperationTest<B extends Backend> {
    protected final Random random = new Random(20261123);
    private final List<Tensor> tensors = new ArrayList<>();
    protected B backend;

    protected abstract B openBackend();

    @BeforeEach
    void open() {
        backend = openBackend();
    }

    @AfterEach
    void close() {
        if (backend == null) {
            return; // skipped before it was opened
        }
        tensors.forEach(Tensor::close);
        backend.close(); // the scratch memory of libraries is held until here
        assertEquals(0, backend.liveBytes(), "live bytes after the test");
    }

    protected final Tensor tensor(DataType type, int... dims) {
        Tensor t = Tensor.allocate(backend.memory(), type, Shape.of(dims));
        tensors.add(t);
        return t;
    }

    /** An output: NaN wherever an operation forgets to write. */
    protected final Tensor poisoned(DataType type, int... dims) {
        Tensor t = tensor(type, dims);
        backend.fill(t, type == DataType.I32 ? -77 : Double.NaN);
        return t;
    }

    protected final Tensor like(Tensor t) {
        return poisoned(t.type(), t.shape().dims());
    }

    protected final double[] normal(int count) {
        double[] values = new double[count];
        Arrays.setAll(values, i -> random.nextGaussian());
        return values;
    }

    /** A tensor of given values; what rounding to its type left of them is in {@link #values}. */
    protected final Tensor of(DataType type, double[] values, int... dims) {
        Tensor t = tensor(type, dims);
        backend.write(t, values);
        return t;
    }

    protected final Tensor drawn(DataType type, int... dims) {
        return of(type, normal((int) Shape.of(dims).count()), dims);
    }

    protected final double[] values(Tensor t) {
        return t == null ? null : backend.readDoubles(t);
    }

    /** A convolution's operands and what their sums are. */
    protected record Operands(Tensor x, Tensor w, Tensor bias, Tensor dy, ConvolutionCase.Reference expected) {}

    protected final Operands convolutionOperands(ConvolutionCase c, DataType type) {
        Random r = new Random(c.seed());
        Tensor x = drawn(r, type, type, c.n(), c.h(), c.w(), c.c());
        Tensor w = drawn(r, type.parameterType(), type, c.weights());
        Tensor b = c.bias() ? drawn(r, type.parameterType(), type.parameterType(), c.k()) : null;
        Tensor dy = drawn(r, type, type, c.outputs());
        return new Operands(
                x,
                w,
                b,
                dy,
                new ConvolutionCase.Reference(
                        c, values(x), values(w), c.bias() ? values(b) : new double[c.k()], values(dy)));
    }

    /** Every pass of a convolution against its sums; outputs poisoned. */
    protected final void checkConvolution(ConvolutionCase c, DataType type) {
        Operands o = convolutionOperands(c, type);
        Convolution what = c.convolution();
        Tensor y = poisoned(type, c.outputs());
        backend.convolution(what, o.x(), o.w(), o.bias(), y);
        o.expected().y.check(y, values(y), c + " forward");
        Tensor dx = like(o.x());
        backend.convolutionDataGradient(what, o.dy(), o.w(), dx);
        o.expected().dx.check(dx, values(dx), c + " data gradient");
        Tensor dw = like(o.w());
        Tensor db = c.bias() ? like(o.bias()) : null;
        backend.convolutionWeightGradient(what, o.x(), o.dy(), dw, db);
        o.expected().dw.check(dw, values(dw), c + " weight gradient");
        if (c.bias()) {
            o.expected().db.check(db, values(db), c + " bias gradient");
        }
    }

    /**
     * Values that {@code roundedTo} represents, so that a bf16 product differs from the sum in its own rounding alone.
     */
    private Tensor drawn(Random r, DataType type, DataType roundedTo, int... dims) {
        int count = (int) Shape.of(dims).count();
        return of(type, values(of(roundedTo, r.doubles(count, -1, 1).toArray(), dims)), dims);
    }

    protected static double[] map(double[] values, DoubleUnaryOperator f) {
        double[] result = values.clone();
        for (int i = 0; i < result.length; i++) {
            result[i] = f.applyAsDouble(result[i]);
        }
        return result;
    }

    /** Relative to the larger of one and the value. */
    protected static double tolerance(DataType type) {
        return type == DataType.F64 ? 1e-12 : type == DataType.F32 ? 1e-5 : 1e-2;
    }

    protected final void assertClose(String what, double[] expected, Tensor got, double tolerance) {
        assertClose(what, expected, values(got), tolerance);
    }

    protected static void assertClose(String what, double[] expected, double[] actual, double tolerance) {
        assertEquals(expected.length, actual.length, what);
        for (int i = 0; i < expected.length; i++) {
            double error = Math.abs(actual[i] - expected[i]);
            if (!(error <= tolerance * Math.max(1, Math.abs(expected[i])))) {
                fail(what + " [" + i + " of " + expected.length + "] is " + actual[i] + "; expected " + expected[i]);
            }
        }
    }

    protected static void assertRefused(String fragment, Executable call) {
        String message = assertThrows(IllegalArgumentException.class, call).getMessage();
        Assertions.assertTrue(message.contains(fragment), "\"" + message + "\" should mention \"" + fragment + "\"");
    }

    /**
     * Central differences of a loss in every element of an F64 tensor (or in {@code most} of them, drawn), against a
     * gradient of it.
     */
    protected final void assertGradient(String what, DoubleSupplier loss, Tensor x, Tensor gradient, int most) {
        double[] values = values(x);
        double[] claimed = values(gradient);
        int count = values.length;
        for (int n = 0; n < Math.min(count, most); n++) {
            int i = count <= most ? n : random.nextInt(count);
            double kept = values[i];
            double step = 1e-5;
            values[i] = kept + step;
            backend.write(x, values);
            double above = loss.getAsDouble();
            values[i] = kept - step;
            backend.write(x, values);
            double below = loss.getAsDouble();
            values[i] = kept;
            double expected = (above - below) / (2 * step);
            if (!(Math.abs(claimed[i] - expected) <= 1e-5 * Math.max(Math.abs(expected), 1e-2))) {
                fail(what + " [" + i + "] is " + claimed[i] + "; differences say " + expected);
            }
        }
        backend.write(x, values);
    }

    /** sum(factors * t): a loss that weighs every output element differently; its gradient is {@code factors}. */
    protected final double weighted(double[] factors, Tensor t) {
        double[] values = values(t);
        double sum = 0;
        for (int i = 0; i < values.length; i++) {
            sum += factors[i] * values[i];
        }
        return sum;
    }
}

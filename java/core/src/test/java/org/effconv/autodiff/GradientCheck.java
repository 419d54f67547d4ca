package org.effconv.autodiff;

import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.DoubleSupplier;
import org.effconv.backend.Backend;
import org.effconv.tensor.Arena;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;

/**
 * Compares the tape's gradients in fp64 with central differences of step 1e-5 (error of the differences: about 1e-10).
 * The objective is the inner product of the function's output with fixed random numbers, so every output counts. An
 * element passes if its error is at most 1e-5 of its own size plus the root mean square of its tensor's gradient. In
 * fp32 each gradient may differ from the fp64 one by 1e-3 of its norm.
 */
public final class GradientCheck implements AutoCloseable {
    private static final double TOLERANCE = 1e-5;
    private static final double SINGLE_TOLERANCE = 1e-3;
    private static final double STEP = 1e-5;

    private final Backend backend;
    private final Arena arena;
    private final Random random;
    private final List<Tensor> owned = new ArrayList<>();
    private int samples = 40;

    /** What is differentiated: any output shape; inputs are leaves of the tape. */
    @FunctionalInterface
    public interface Function {
        Variable apply(Tape tape, Variable[] inputs);
    }

    public GradientCheck(Backend backend, long seed) {
        this.backend = backend;
        this.arena = new Arena(backend.memory());
        this.random = new Random(seed);
    }

    /** Elements of each tensor that are differenced, drawn at random if it has more. */
    public GradientCheck samples(int count) {
        samples = count;
        return this;
    }

    /** An F64 tensor of normal values. */
    public Tensor normal(int... dims) {
        Tensor t = tensor(dims);
        backend.write(
                t,
                random.doubles(t.count(), 0, 1).map(u -> random.nextGaussian()).toArray());
        return t;
    }

    /** Values at least 0.1 away from 0 and from each other's ties: a shuffled grid, for functions with kinks there. */
    public Tensor kinkless(int... dims) {
        Tensor t = tensor(dims);
        double[] values = new double[(int) t.count()];
        for (int i = 0; i < values.length; i++) {
            int at = random.nextInt(i + 1);
            values[i] = values[at];
            int pair = i / 2;
            double magnitude = 0.1 + 0.05 * pair;
            values[at] = i % 2 == 0 ? magnitude : -magnitude;
        }
        backend.write(t, values);
        return t;
    }

    /** F64 values as given. */
    public Tensor of(double[] values, int... dims) {
        Tensor t = tensor(dims);
        backend.write(t, values);
        return t;
    }

    /** Type and shape of {@code t}, filled with one value. */
    public Tensor like(Tensor t, double value) {
        Tensor filled = tensor(t.type(), t.shape());
        backend.fill(filled, value);
        return filled;
    }

    private Tensor tensor(int... dims) {
        return tensor(DataType.F64, Shape.of(dims));
    }

    private Tensor tensor(DataType type, Shape shape) {
        Tensor t = Tensor.allocate(backend.memory(), type, shape);
        owned.add(t);
        return t;
    }

    /** Checks the gradients of all inputs in fp64, and that those in fp32 agree with them. */
    public void check(String what, Function f, Tensor... inputs) {
        Tape shapes = new Tape(backend, arena, true);
        double[] probe = random.doubles(
                        f.apply(shapes, leaves(shapes, inputs)).value().count(), -1, 1)
                .toArray();
        arena.reset();
        List<double[]> gradients = gradients(what, f, inputs, probe);
        Tensor[] single = new Tensor[inputs.length];
        for (int i = 0; i < inputs.length; i++) {
            single[i] = tensor(DataType.F32, inputs[i].shape());
            backend.copy(inputs[i], single[i]);
        }
        List<double[]> inSingle = gradients(what + " in fp32", f, single, probe);
        for (int i = 0; i < inputs.length; i++) {
            double error = distance(gradients.get(i), inSingle.get(i));
            double size = distance(gradients.get(i), new double[gradients.get(i).length]);
            assertTrue(
                    error <= SINGLE_TOLERANCE * size + 1e-6,
                    what + " in fp32, input " + i + ": error " + error + " of " + size);
        }
        for (int i = 0; i < inputs.length; i++) {
            compare(
                    what + ", input " + i + " " + inputs[i].shape(),
                    gradients.get(i),
                    inputs[i],
                    () -> objective(f, inputs, probe));
        }
    }

    private List<double[]> gradients(String what, Function f, Tensor[] inputs, double[] probe) {
        Tape tape = new Tape(backend, arena, true);
        Variable[] leaves = leaves(tape, inputs);
        tape.backward(dot(tape, f.apply(tape, leaves), probe));
        List<double[]> gradients = new ArrayList<>();
        for (int i = 0; i < inputs.length; i++) {
            assertNotNull(leaves[i].gradient(), what + ": no gradient reached input " + i);
            gradients.add(backend.readDoubles(leaves[i].gradient()));
        }
        arena.reset();
        return gradients;
    }

    private static double distance(double[] a, double[] b) {
        double square = 0;
        for (int i = 0; i < a.length; i++) {
            square += (a[i] - b[i]) * (a[i] - b[i]);
        }
        return Math.sqrt(square);
    }

    /** Checks the gradients of a loss by parameters that it finds itself. */
    public void checkParameters(
            String what, java.util.function.Function<Tape, Variable> loss, List<Parameter> parameters) {
        Tape tape = new Tape(backend, arena, true);
        tape.backward(loss.apply(tape));
        List<double[]> gradients = new ArrayList<>();
        for (Parameter p : parameters) {
            assertNotNull(tape.gradient(p), what + ": no gradient reached " + p);
            gradients.add(backend.readDoubles(tape.gradient(p)));
        }
        arena.reset();
        for (int i = 0; i < parameters.size(); i++) {
            compare(
                    what + ", " + parameters.get(i),
                    gradients.get(i),
                    parameters.get(i).value(),
                    () -> {
                        double value = backend.readDoubles(loss.apply(new Tape(backend, arena, true))
                                .value())[0];
                        arena.reset();
                        return value;
                    });
        }
    }

    private void compare(String what, double[] gradient, Tensor varied, DoubleSupplier objective) {
        double[] values = backend.readDoubles(varied);
        double rms = distance(gradient, new double[gradient.length]) / Math.sqrt(gradient.length);
        for (int n = 0; n < Math.min(samples, values.length); n++) {
            int i = values.length <= samples ? n : random.nextInt(values.length);
            double middle = values[i];
            values[i] = middle + STEP;
            backend.write(varied, values);
            double above = objective.getAsDouble();
            values[i] = middle - STEP;
            backend.write(varied, values);
            double below = objective.getAsDouble();
            values[i] = middle;
            backend.write(varied, values);
            double difference = (above - below) / (2 * STEP);
            double rounding = 1e-15 * (Math.abs(above) + Math.abs(below)) / STEP;
            double error = Math.abs(gradient[i] - difference);
            assertTrue(
                    error <= TOLERANCE * (Math.abs(difference) + rms) + 10 * rounding,
                    what + ", element " + i + ": tape " + gradient[i] + ", differences " + difference + ", rms " + rms);
        }
    }

    private double objective(Function f, Tensor[] inputs, double[] probe) {
        Tape tape = new Tape(backend, arena, true);
        double[] y = backend.readDoubles(f.apply(tape, leaves(tape, inputs)).value());
        arena.reset();
        double sum = 0;
        for (int i = 0; i < y.length; i++) {
            sum += y[i] * probe[i];
        }
        return sum;
    }

    private static Variable[] leaves(Tape tape, Tensor[] inputs) {
        Variable[] leaves = new Variable[inputs.length];
        for (int i = 0; i < inputs.length; i++) {
            leaves[i] = tape.input(inputs[i]);
        }
        return leaves;
    }

    /** A scalar with a known gradient: the inner product of y with host numbers. */
    public static Variable dot(Tape tape, Variable y, double[] factors) {
        double[] values = tape.backend().readDoubles(y.value());
        double sum = 0;
        for (int i = 0; i < values.length; i++) {
            sum += values[i] * factors[i];
        }
        Tensor scalar = tape.allocate(y.value().type().parameterType(), Shape.of(1));
        tape.backend().fill(scalar, sum);
        return tape.record(scalar, y.needsGradient(), dy -> {
            Tensor g = tape.allocate(y.value().type(), y.shape());
            tape.backend().write(g, factors);
            tape.addGradient(y, g);
        });
    }

    @Override
    public void close() {
        owned.forEach(Tensor::close);
        arena.close();
    }
}

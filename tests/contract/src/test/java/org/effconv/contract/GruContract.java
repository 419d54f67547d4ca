package org.effconv.contract;

import static org.junit.jupiter.api.Assertions.*;

import java.util.function.DoubleSupplier;
import org.effconv.backend.GruDirection;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Tensor;
import org.junit.jupiter.api.Test;

class GruContract extends BackendContract {
    private static final int[][] SIZES = {{1, 1, 1}, {3, 5, 4}, {7, 17, 19}, {20, 64, 128}}; // steps, inputs, hidden

    private final class Case {
        final int steps, inputs, hidden;
        final Tensor x, h, gates, dh, dx;
        final GruDirection forward, reverse, dforward, dreverse;

        Case(DataType type, int[] size) {
            steps = size[0];
            inputs = size[1];
            hidden = size[2];
            x = drawn(type, steps, inputs);
            h = poisoned(type, steps, 2 * hidden);
            gates = poisoned(type, steps, 2, 4 * hidden);
            dh = drawn(type, steps, 2 * hidden);
            dx = poisoned(type, steps, inputs);
            forward = weights(type, false);
            reverse = weights(type, false);
            dforward = weights(type, true);
            dreverse = weights(type, true);
        }

        private GruDirection weights(DataType type, boolean output) {
            int[][] shapes = {{3 * hidden, inputs}, {3 * hidden, hidden}, {3 * hidden}, {3 * hidden}};
            Tensor[] t = new Tensor[4];
            for (int i = 0; i < 4; i++) {
                t[i] = drawn(type, shapes[i]);
                backend.write(t[i], map(values(t[i]), v -> output ? Double.NaN : v / Math.sqrt(hidden)));
            }
            return new GruDirection(t[0], t[1], t[2], t[3]);
        }

        void run() {
            backend.gru(x, forward, reverse, h, gates);
        }

        void gradient(Tensor to) {
            backend.gruGradient(x, h, gates, dh, forward, reverse, dforward, dreverse, to);
        }
    }

    private static double dot(double[] matrix, int row, double[] vector, int offset, int length) {
        double sum = 0;
        for (int i = 0; i < length; i++) {
            sum += matrix[row * length + i] * vector[offset + i];
        }
        return sum;
    }

    private static double sigmoid(double x) {
        return 1 / (1 + Math.exp(-x));
    }

    private void reference(Case c, int direction, double[] h, double[] gates) {
        GruDirection d = direction == 0 ? c.forward : c.reverse;
        double[] w = values(d.inputWeights());
        double[] u = values(d.hiddenWeights());
        double[] b = values(d.inputBias());
        double[] b2 = values(d.hiddenBias());
        double[] x = values(c.x);
        int n = c.hidden;
        double[] state = new double[n];
        for (int step = 0; step < c.steps; step++) {
            int at = direction == 0 ? step : c.steps - 1 - step;
            double[] next = new double[n];
            for (int j = 0; j < n; j++) {
                double[] in = new double[3];
                double[] recurrent = new double[3];
                for (int gate = 0; gate < 3; gate++) {
                    int row = gate * n + j;
                    in[gate] = dot(w, row, x, at * c.inputs, c.inputs) + b[row];
                    recurrent[gate] = dot(u, row, state, 0, n) + b2[row];
                }
                double r = sigmoid(in[0] + recurrent[0]);
                double z = sigmoid(in[1] + recurrent[1]);
                double candidate = Math.tanh(in[2] + r * recurrent[2]);
                next[j] = (1 - z) * candidate + z * state[j];
                h[(2 * at + direction) * n + j] = next[j];
                double[] kept = {r, z, candidate, recurrent[2]};
                for (int gate = 0; gate < 4; gate++) {
                    gates[((2 * at + direction) * 4 + gate) * n + j] = kept[gate];
                }
            }
            state = next;
        }
    }

    @Test
    void statesAreTheCell() {
        for (DataType type : parameterTypes()) {
            for (int[] size : SIZES) {
                Case c = new Case(type, size);
                double[] h = new double[(int) c.h.count()];
                double[] gates = new double[(int) c.gates.count()];
                reference(c, 0, h, gates);
                reference(c, 1, h, gates);
                c.run();
                assertClose("h " + type + " " + c.x.shape(), h, c.h, tolerance(type));
                assertClose("gates " + type + " " + c.x.shape(), gates, c.gates, tolerance(type));
            }
        }
    }

    @Test
    void gradientsAgreeWithDifferences() {
        needsDouble();
        for (int[] size : SIZES) {
            Case c = new Case(DataType.F64, size);
            double[] factors = values(c.dh);
            DoubleSupplier loss = () -> {
                c.run();
                return weighted(factors, c.h);
            };
            double unused = loss.getAsDouble();
            c.gradient(c.dx);
            int most = size[2] > 100 ? 3 : 12;
            assertGradient("dx", loss, c.x, c.dx, most);
            GruDirection[][] pairs = {{c.forward, c.dforward}, {c.reverse, c.dreverse}};
            for (int i = 0; i < 2; i++) {
                GruDirection w = pairs[i][0];
                GruDirection d = pairs[i][1];
                assertGradient("dW " + i, loss, w.inputWeights(), d.inputWeights(), most);
                assertGradient("dU " + i, loss, w.hiddenWeights(), d.hiddenWeights(), most);
                assertGradient("db " + i, loss, w.inputBias(), d.inputBias(), most);
                assertGradient("dc " + i, loss, w.hiddenBias(), d.hiddenBias(), most);
            }
        }
    }

    @Test
    void singlePrecisionGradientsFollowDouble() {
        for (int[] size : SIZES) {
            Case c = new Case(DataType.F32, size);
            try (DoubleReference exact = new DoubleReference(backend)) {
                exact.backend.gru(
                        exact.of(c.x), exact.of(c.forward), exact.of(c.reverse), exact.of(c.h), exact.of(c.gates));
                exact.backend.gruGradient(
                        exact.of(c.x),
                        exact.of(c.h),
                        exact.of(c.gates),
                        exact.of(c.dh),
                        exact.of(c.forward),
                        exact.of(c.reverse),
                        exact.of(c.dforward),
                        exact.of(c.dreverse),
                        exact.of(c.dx));
                c.run();
                c.gradient(c.dx);
                for (Tensor t : new Tensor[] {c.h, c.dx}) {
                    exact.assertSame(c.x + " states and their gradient", t, 1e-4);
                }
                DoubleReference.map(c.dforward, t -> same(exact, "forward", t));
                DoubleReference.map(c.dreverse, t -> same(exact, "reverse", t));
            }
        }
    }

    private static Tensor same(DoubleReference exact, String what, Tensor t) {
        exact.assertSame(what, t, 1e-4);
        return t;
    }

    @Test
    void theInputGradientMayBeLeftOutAndRunsRepeat() {
        Case c = new Case(DataType.F32, SIZES[3]);
        c.run();
        c.gradient(c.dx);
        double[][] first = {values(c.h), values(c.dforward.hiddenWeights()), values(c.dreverse.inputWeights())};
        c.run();
        c.gradient(null);
        assertArrayEquals(
                first,
                new double[][] {values(c.h), values(c.dforward.hiddenWeights()), values(c.dreverse.inputWeights())});
    }

    @Test
    void wrongOperandsAreRefused() {
        Case c = new Case(DataType.F32, SIZES[1]);
        Tensor wrong = tensor(DataType.F32, 3, 7);
        assertRefused("h is", () -> backend.gru(c.x, c.forward, c.reverse, wrong, c.gates));
        assertRefused("input weights", () -> backend.gru(wrong, c.forward, c.reverse, c.h, c.gates));
        assertRefused(
                "parameter type", () -> backend.gru(tensor(DataType.BF16, 3, 5), c.forward, c.reverse, c.h, c.gates));
    }
}

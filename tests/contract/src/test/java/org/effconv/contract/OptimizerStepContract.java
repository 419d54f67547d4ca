package org.effconv.contract;

import static org.junit.jupiter.api.Assertions.*;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.DoubleSupplier;
import java.util.function.Supplier;
import org.effconv.backend.OptimizerRates;
import org.effconv.backend.OptimizerRule;
import org.effconv.backend.OptimizerSlot;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Tensor;
import org.junit.jupiter.api.Test;

class OptimizerStepContract extends BackendContract {
    private static final int[] COUNTS = {1, 3, 17, 16385, 50_000};

    private List<OptimizerSlot> slots(DataType type, boolean second) {
        List<OptimizerSlot> slots = new ArrayList<>();
        for (int i = 0; i < COUNTS.length; i++) {
            Tensor value = drawn(type, COUNTS[i]);
            Tensor moment = tensor(type, COUNTS[i]);
            backend.fill(moment, 0);
            Tensor squares = second ? of(type, new double[COUNTS[i]], COUNTS[i]) : null;
            slots.add(new OptimizerSlot(
                    value, drawn(type, COUNTS[i]), moment, squares, 0.01 * (i + 1), i == 1 ? 0 : 0.05));
        }
        return slots;
    }

    /** One step as the papers write it; value, first and second moment are changed in place. */
    private static void reference(
            OptimizerRule r, long t, OptimizerSlot s, double[] p, double[] g, double[] m, double[] v, double clip) {
        for (int i = 0; i < p.length; i++) {
            double gradient = clip * g[i];
            if (r.kind() == OptimizerRule.Kind.ADAMW) {
                m[i] = r.beta1() * m[i] + (1 - r.beta1()) * gradient;
                v[i] = r.beta2() * v[i] + (1 - r.beta2()) * gradient * gradient;
                double first = m[i] / (1 - Math.pow(r.beta1(), t));
                double second = v[i] / (1 - Math.pow(r.beta2(), t));
                p[i] -= s.learningRate() * (s.weightDecay() * p[i] + first / (Math.sqrt(second) + r.epsilon()));
            } else {
                gradient += s.weightDecay() * p[i];
                m[i] = r.beta1() * m[i] + gradient;
                p[i] -= s.learningRate() * (r.nesterov() ? gradient + r.beta1() * m[i] : m[i]);
            }
        }
    }

    private void check(DataType type, OptimizerRule rule) {
        List<OptimizerSlot> slots = slots(type, rule.kind() == OptimizerRule.Kind.ADAMW);
        List<double[][]> states = new ArrayList<>();
        for (OptimizerSlot s : slots) {
            double[] second = s.second() == null ? new double[(int) s.value().count()] : values(s.second());
            states.add(new double[][] {values(s.value()), values(s.gradient()), values(s.first()), second});
        }
        double squares = 0;
        for (double[][] state : states) {
            for (double g : state[1]) {
                squares += g * g;
            }
        }
        double norm = Math.sqrt(squares);
        double clip = rule.clipNorm() > 0 && norm > rule.clipNorm() ? rule.clipNorm() / norm : 1;
        double tolerance = tolerance(type);
        for (long step = 1; step <= 3; step++) {
            assertEquals(norm, backend.optimizerStep(rule, step, slots), tolerance * norm);
            for (int i = 0; i < slots.size(); i++) {
                double[][] s = states.get(i);
                reference(rule, step, slots.get(i), s[0], s[1], s[2], s[3], clip);
                String what = rule + " " + type + " step " + step + " tensor " + i;
                assertClose("value " + what, s[0], slots.get(i).value(), tolerance);
                assertClose("first " + what, s[2], slots.get(i).first(), tolerance);
                if (slots.get(i).second() != null) {
                    assertClose("second " + what, s[3], slots.get(i).second(), tolerance);
                }
            }
        }
    }

    @Test
    void updatesAreThePapers() {
        for (DataType type : parameterTypes()) {
            check(type, OptimizerRule.adamW());
            check(type, OptimizerRule.adamW().withClipNorm(5));
            check(type, OptimizerRule.sgd(0.9));
            check(type, OptimizerRule.sgd(0.9).withClipNorm(5));
            check(type, new OptimizerRule(OptimizerRule.Kind.SGD, 0.9, 0, 0, false, 1e9));
        }
    }

    @Test
    void twoRunsAreBitEqual() {
        List<OptimizerSlot> slots = slots(DataType.F32, true);
        List<double[]> start = slots.stream().map(s -> values(s.value())).toList();
        List<double[]> results = new ArrayList<>();
        double[] norms = new double[2];
        for (int run = 0; run < 2; run++) {
            for (int i = 0; i < slots.size(); i++) {
                backend.write(slots.get(i).value(), start.get(i));
                backend.fill(slots.get(i).first(), 0);
                backend.fill(slots.get(i).second(), 0);
            }
            norms[run] = backend.optimizerStep(OptimizerRule.adamW().withClipNorm(3), 1, slots);
            slots.forEach(s -> results.add(values(s.value())));
        }
        assertEquals(norms[0], norms[1]);
        for (int i = 0; i < slots.size(); i++) {
            assertArrayEquals(results.get(i), results.get(slots.size() + i), "tensor " + i);
        }
    }

    @Test
    void aRepeatedStepTakesTheRatesAndTheCountOfItsTime() {
        for (OptimizerRule rule : List.of(OptimizerRule.adamW().withClipNorm(5), OptimizerRule.sgd(0.9))) {
            List<OptimizerSlot> plain = slots(DataType.F32, rule.kind() == OptimizerRule.Kind.ADAMW);
            List<OptimizerSlot> repeated = new ArrayList<>();
            plain.forEach(s -> repeated.add(new OptimizerSlot(
                    copy(s.value()),
                    s.gradient(),
                    copy(s.first()),
                    s.second() == null ? null : copy(s.second()),
                    1e9,
                    s.weightDecay()))); // a rate that is not to be used
            OptimizerRates[] now = new OptimizerRates[1];
            for (long step = 1; step <= 5; step++) {
                now[0] = new OptimizerRates(
                        step, Arrays.stream(COUNTS).mapToDouble(c -> 0.01 / c).toArray());
                now[0].rates()[2] = 0.1 / step;
                double norm = backend.update(rule, step, now[0].in(plain)).getAsDouble();
                Supplier<DoubleSupplier> again = backend.step(rule, () -> backend.update(rule, () -> now[0], repeated));
                assertEquals(norm, again.get().getAsDouble());
                for (int i = 0; i < plain.size(); i++) {
                    assertArrayEquals(
                            values(plain.get(i).value()),
                            values(repeated.get(i).value()),
                            rule + " step " + step + " tensor " + i);
                    assertArrayEquals(
                            values(plain.get(i).first()), values(repeated.get(i).first()));
                }
            }
        }
    }

    private Tensor copy(Tensor t) {
        return of(t.type(), values(t), Math.toIntExact(t.count()));
    }

    @Test
    void noParametersMakeNoNorm() {
        assertEquals(0, backend.optimizerStep(OptimizerRule.adamW(), 1, List.of()));
    }

    @Test
    void aBrokenGradientIsSeen() {
        for (double clip : new double[] {0, 1}) {
            List<OptimizerSlot> slots = slots(DataType.F32, true);
            backend.fill(slots.get(0).gradient(), Double.NaN);
            assertTrue(Double.isNaN(backend.optimizerStep(OptimizerRule.adamW().withClipNorm(clip), 1, slots)));
            assertTrue(Double.isNaN(values(slots.get(0).value())[0]));
        }
    }

    @Test
    void wrongOperandsAreRefused() {
        Tensor p = drawn(DataType.F32, 3);
        Tensor other = drawn(DataType.F32, 4);
        assertRefused(
                "gradient is F32 [4]",
                () -> backend.optimizerStep(
                        OptimizerRule.adamW(), 1, List.of(new OptimizerSlot(p, other, p, p, 1, 0))));
        assertRefused(
                "second moment is null",
                () -> backend.optimizerStep(OptimizerRule.adamW(), 1, List.of(new OptimizerSlot(p, p, p, null, 1, 0))));
        assertRefused(
                "is 0",
                () -> backend.optimizerStep(OptimizerRule.adamW(), 0, List.of(new OptimizerSlot(p, p, p, p, 1, 0))));
        Tensor half = drawn(DataType.BF16, 3);
        assertRefused(
                "all parameters of a step are F32",
                () -> backend.optimizerStep(
                        OptimizerRule.sgd(0), 1, List.of(new OptimizerSlot(half, half, half, null, 1, 0))));
    }
}

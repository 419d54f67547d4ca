package org.effconv.autodiff;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.effconv.backend.Activation;
import org.effconv.backend.Backend;
import org.effconv.backend.Convolution;
import org.effconv.backend.cpu.CpuBackend;
import org.effconv.tensor.Arena;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What the tape does with memory: who owns a gradient, what stays readable, what goes back to the arena. */
class TapeTest {
    private static final int LARGE = 1 << 16;

    private Backend backend;
    private Arena arena;
    private Tensor x;

    @BeforeEach
    void open() {
        System.setProperty("effconv.poison", "true");
        backend = CpuBackend.open(1);
        arena = new Arena(backend.memory());
        x = Tensor.allocate(backend.memory(), DataType.F32, Shape.of(1, 1, 1, LARGE));
        backend.fill(x, 0.5);
    }

    @AfterEach
    void close() {
        System.clearProperty("effconv.poison");
        x.close();
        arena.close();
        backend.close();
        assertEquals(0, backend.liveBytes());
    }

    /** So that a step of many layers can be left between two of them. */
    @Test
    void betweenOperationsTheCallerIsAskedForwardsAndBackwards() {
        int[] asked = {0};
        Tape tape = new Tape(backend, arena, true, () -> asked[0]++);
        Variable v = chain(tape, tape.input(x), 3);
        assertEquals(3, asked[0]);
        tape.backward(total(tape, v));
        assertEquals(3 + 1 + 1 + 3, asked[0]);
        Tape ended = new Tape(backend, arena, true, () -> {
            throw new IllegalStateException("ended");
        });
        assertThrows(IllegalStateException.class, () -> chain(ended, ended.input(x), 1));
    }

    private Variable chain(Tape tape, Variable v, int length) {
        for (int i = 0; i < length; i++) {
            Variable next = Ops.activation(tape, Activation.GELU, v);
            if (i > 0) {
                tape.release(v);
            }
            v = next;
        }
        return v;
    }

    private static Variable total(Tape tape, Variable v) {
        double[] ones = new double[(int) v.value().count()];
        java.util.Arrays.fill(ones, 1);
        return GradientCheck.dot(tape, v, ones);
    }

    @Test
    void backwardNeedsNoMoreThanTheForwardPassAndTwoGradients() {
        Tape tape = new Tape(backend, arena, true);
        Variable scaled = tape.input(x);
        for (int i = 0; i < 10; i++) { // its gradient is a new tensor each time, that of the chain is not
            scaled = Ops.scale(tape, scaled, 0.5);
        }
        Variable y = total(tape, chain(tape, scaled, 10));
        long forward = arena.bytes();
        tape.backward(y);
        long after = arena.bytes();
        assertTrue(after <= forward + 2 * x.bytes(), after + " after, " + forward + " before");
        for (int i = 0; i < 20; i++) {
            arena.allocate(DataType.F32, x.shape());
        }
        assertEquals(after, arena.bytes(), "memory was not given back");
        assertTrue(forward >= 20 * x.bytes());
    }

    @Test
    void inferenceReusesReleasedValues() {
        Tape tape = new Tape(backend, arena, false);
        chain(tape, tape.constant(x), 20);
        assertTrue(arena.bytes() <= 2 * x.bytes(), arena.bytes() + " bytes");
    }

    @Test
    void anAliasKeepsTheMemoryItSharesUntilBothAreReleased() {
        Tape tape = new Tape(backend, arena, false);
        Variable y = Ops.activation(tape, Activation.GELU, tape.constant(x));
        Variable flat = Ops.flatten(tape, y);
        tape.release(y);
        assertEquals(LARGE, backend.readFloats(flat.value()).length);
        tape.release(flat);
        assertThrows(IllegalStateException.class, () -> backend.readFloats(flat.value()));
    }

    @Test
    void onlyLeavesScalarsAndKeptValuesStayReadable() {
        Tape tape = new Tape(backend, arena, true);
        Variable leaf = tape.input(x);
        Variable a = Ops.activation(tape, Activation.GELU, leaf);
        Variable b = tape.keep(Ops.activation(tape, Activation.GELU, a));
        Variable flat = Ops.flatten(tape, Ops.activation(tape, Activation.GELU, b));
        Variable loss = total(tape, flat);
        tape.backward(loss);
        assertThrows(IllegalStateException.class, () -> a.value().address());
        assertThrows(IllegalStateException.class, () -> flat.value().address());
        assertEquals(LARGE, backend.readFloats(b.value()).length);
        assertTrue(Double.isFinite(backend.readDoubles(loss.value())[0]));
        assertTrue(Float.isFinite(backend.readFloats(leaf.gradient())[0]));
        assertNull(a.gradient());
    }

    @Test
    void aKeptValueOfAnAliasStaysToo() {
        Tape tape = new Tape(backend, arena, true);
        Variable flat = tape.keep(Ops.flatten(tape, Ops.activation(tape, Activation.GELU, tape.input(x))));
        tape.backward(total(tape, flat));
        assertEquals(LARGE, backend.readFloats(flat.value()).length);
    }

    @Test
    void aGradientHandedToTwoVariablesIsTwoTensors() {
        Tape tape = new Tape(backend, arena, true);
        Variable a = tape.input(x);
        Variable b = tape.input(x);
        tape.backward(total(tape, Ops.add(tape, a, b, Activation.NONE)));
        assertFalse(a.gradient().address() == b.gradient().address());
        backend.fill(a.gradient(), 5);
        assertEquals(1, backend.readFloats(b.gradient())[0]);
    }

    @Test
    void theSameGradientTwiceIntoOneVariableIsAdded() {
        Tape tape = new Tape(backend, arena, true);
        Variable a = tape.input(x);
        tape.backward(total(tape, Ops.add(tape, a, a, Activation.NONE)));
        assertEquals(2, backend.readFloats(a.gradient())[LARGE - 1]);
    }

    @Test
    void aSpentGradientMayBeHandedOnAgain() {
        Tape tape = new Tape(backend, arena, true);
        Variable a = tape.input(x);
        Variable b = tape.input(x);
        Variable y = tape.record(tape.allocate(DataType.F32, Shape.of(1)), true, dy -> {
            Tensor g = tape.allocate(DataType.F32, x.shape());
            backend.fill(g, 3);
            tape.addGradient(a, g); // added to the one there
            tape.addGradient(b, g); // becomes b's
        });
        tape.backward(Ops.sum(tape, y, total(tape, a)));
        assertEquals(4, backend.readFloats(a.gradient())[0]);
        assertEquals(3, backend.readFloats(b.gradient())[0]);
    }

    @Test
    void nothingIsComputedForTheFirstLayersInput() {
        try (Tensor w = Tensor.allocate(backend.memory(), DataType.F32, Shape.of(1, 1, 1, LARGE))) {
            backend.fill(w, 1);
            Tape tape = new Tape(backend, arena, true);
            Variable image = tape.constant(x);
            Variable y = Ops.convolution(tape, Convolution.PLAIN, image, tape.input(w), null);
            long forward = arena.bytes();
            tape.backward(Ops.reshape(tape, y, Shape.of(1)));
            assertNull(image.gradient());
            assertTrue(arena.bytes() < forward + 2 * w.bytes(), "more than the weight gradient was allocated");
        }
    }

    @Test
    void aParameterHasOneLeafAndItsGradientIsFoundByIt() {
        Tensor value = Tensor.allocate(backend.memory(), DataType.F32, Shape.of(2));
        backend.write(value, new float[] {1, 2});
        try (Parameter p = new Parameter("p", value, true)) {
            Tape tape = new Tape(backend, arena, true);
            assertNull(tape.gradient(p));
            Variable y = Ops.add(tape, tape.parameter(p), Ops.scale(tape, tape.parameter(p), 3), Activation.NONE);
            tape.backward(GradientCheck.dot(tape, y, new double[] {1, 10}));
            assertArrayEquals(new float[] {4, 40}, backend.readFloats(tape.gradient(p)));
        }
    }

    @Test
    void backwardStartsFromAScalarOnly() {
        Tape tape = new Tape(backend, arena, true);
        Variable v = tape.input(x);
        assertThrows(IllegalArgumentException.class, () -> tape.backward(v));
    }
}

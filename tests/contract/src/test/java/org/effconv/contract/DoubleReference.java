package org.effconv.contract;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.fail;

import java.util.Arrays;
import java.util.IdentityHashMap;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.effconv.backend.Backend;
import org.effconv.backend.CoordinateLayer;
import org.effconv.backend.GruDirection;
import org.effconv.backend.SizeHead;
import org.effconv.backend.SynthesisLayer;
import org.effconv.backend.cpu.CpuBackend;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Tensor;

/**
 * The same operation once more, in fp64 on the CPU: the backend under test is held to it where a formula written out
 * would be the operation over again. The CPU's own fp64 is held to central differences by this suite.
 */
final class DoubleReference implements AutoCloseable {
    private final Backend tested;
    final Backend backend = CpuBackend.open(1);
    private final Map<Tensor, Tensor> twins = new IdentityHashMap<>();

    DoubleReference(Backend tested) {
        this.tested = tested;
    }

    /** The twin of a tensor: fp64, with the values that the original has when it is first asked for. */
    Tensor of(Tensor t) {
        return t == null
                ? null
                : twins.computeIfAbsent(t, original -> {
                    Tensor twin = Tensor.allocate(backend.memory(), DataType.F64, original.shape());
                    backend.write(twin, tested.readDoubles(original));
                    return twin;
                });
    }

    GruDirection of(GruDirection d) {
        return map(d, this::of);
    }

    static GruDirection map(GruDirection d, UnaryOperator<Tensor> f) {
        return new GruDirection(
                f.apply(d.inputWeights()), f.apply(d.hiddenWeights()), f.apply(d.inputBias()), f.apply(d.hiddenBias()));
    }

    SizeHead of(SizeHead head) {
        return map(head, this::of);
    }

    static SizeHead map(SizeHead h, UnaryOperator<Tensor> f) {
        return new SizeHead(
                f.apply(h.gain()),
                f.apply(h.shift()),
                f.apply(h.w()),
                f.apply(h.g()),
                f.apply(h.b()),
                h.kmin(),
                h.kmax());
    }

    SynthesisLayer of(SynthesisLayer layer) {
        return map(layer, this::of);
    }

    static SynthesisLayer map(SynthesisLayer l, UnaryOperator<Tensor> f) {
        return new SynthesisLayer(
                l.outputChannels(),
                l.inputChannels(),
                l.grid(),
                l.kmax(),
                l.scale(),
                l.sizeIndex(),
                l.features() == null ? null : f.apply(l.features()),
                f.apply(l.source()),
                f.apply(l.weights()));
    }

    CoordinateLayer of(CoordinateLayer layer) {
        return map(layer, this::of);
    }

    static CoordinateLayer map(CoordinateLayer l, UnaryOperator<Tensor> f) {
        return new CoordinateLayer(
                l.grid(),
                l.kmax(),
                l.omega(),
                f.apply(l.w1()),
                f.apply(l.b1()),
                f.apply(l.w2()),
                f.apply(l.b2()),
                f.apply(l.gamma()),
                f.apply(l.beta()),
                f.apply(l.features()));
    }

    /** Holds a tensor to its twin: errors relative to the larger of the value and the twin's root mean square. */
    void assertSame(String what, Tensor t, double tolerance) {
        double[] expected = backend.readDoubles(of(t));
        double[] got = tested.readDoubles(t);
        assertEquals(expected.length, got.length, what);
        double scale = Math.sqrt(Arrays.stream(expected).map(v -> v * v).sum() / expected.length);
        for (int i = 0; i < got.length; i++) {
            if (!(Math.abs(got[i] - expected[i]) <= tolerance * Math.max(scale, Math.abs(expected[i])))) {
                fail(what + " " + t + " [" + i + "] is " + got[i] + "; the CPU in fp64 says " + expected[i] + " (rms "
                        + scale + ")");
            }
        }
    }

    @Override
    public void close() {
        twins.values().forEach(Tensor::close);
        backend.close();
    }
}

package org.effconv.benchmark;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.effconv.backend.Backend;
import org.effconv.backend.MaskKind;
import org.effconv.backend.SynthesisLayer;
import org.effconv.benchmark.KernelCase.Layer;
import org.effconv.benchmark.KernelCase.Pass;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;

/**
 * Synthesis of all layers' weights in one call, or its gradient; soft sizes half a step below the grid, where the mask
 * slopes.
 */
final class SynthesisRun extends KernelRun {
    private static final int SAMPLES = 128;
    private static final int FEATURES = 0;
    private static final int COEFFICIENTS = 250_007;
    private static final int WEIGHTS = 600_011;
    private static final double BELOW_GRID = 0.5;

    private final Backend backend;
    private final KernelCase test;
    private final RandomValues values;
    private final boolean backward;
    private final List<Tensor> owned = new ArrayList<>();
    private final List<SynthesisLayer> layers = new ArrayList<>();
    private final List<SynthesisLayer> gradients = new ArrayList<>();
    private final Tensor v;
    private final Tensor dv;

    SynthesisRun(Backend backend, KernelCase test, RandomValues values) {
        this.backend = backend;
        this.test = test;
        this.values = values;
        backward = test.pass() == Pass.BACKWARD;
        int count = test.layers().size();
        float[] sizes = new float[count];
        for (int l = 0; l < count; l++) {
            Layer layer = test.layers().get(l);
            sizes[l] = (float) (layer.kernel() - BELOW_GRID);
            add(l, layer);
        }
        v = own(Tensor.allocate(backend.memory(), DataType.F32, Shape.of(count)));
        backend.write(v, sizes);
        dv = poisoned(DataType.F32, count);
    }

    private void add(int index, Layer l) {
        int taps = l.kernel() * l.kernel();
        int columns = l.inputs() * l.outputs();
        int[] weights = {l.outputs(), l.kernel(), l.kernel(), l.inputs()};
        Tensor features = own(values.tensor(backend, DataType.F32, FEATURES, taps, l.features()));
        Tensor coefficients = own(values.tensor(backend, DataType.F32, COEFFICIENTS, l.features(), columns));
        Tensor w =
                backward ? own(values.tensor(backend, test.type(), WEIGHTS, weights)) : poisoned(test.type(), weights);
        layers.add(layer(index, l, features, coefficients, w));
        if (backward) {
            gradients.add(layer(
                    index,
                    l,
                    poisoned(DataType.F32, taps, l.features()),
                    poisoned(DataType.F32, l.features(), columns),
                    null));
        }
    }

    private static SynthesisLayer layer(int index, Layer l, Tensor features, Tensor coefficients, Tensor weights) {
        return new SynthesisLayer(
                l.outputs(), l.inputs(), l.kernel(), l.kernel(), scale(l), index, features, coefficients, weights);
    }

    private static double scale(Layer l) {
        return (float) Math.sqrt(2.0 / ((double) l.inputs() * l.kernel() * l.kernel()));
    }

    private Tensor own(Tensor t) {
        owned.add(t);
        return t;
    }

    private Tensor poisoned(DataType type, int... dims) {
        Tensor t = own(Tensor.allocate(backend.memory(), type, Shape.of(dims)));
        backend.fill(t, Double.NaN);
        return t;
    }

    @Override
    void run() {
        if (backward) {
            backend.synthesisGradient(MaskKind.RAMP, v, layers, gradients, dv);
        } else {
            backend.synthesis(MaskKind.RAMP, v, layers);
        }
    }

    /** Of the last layer, the largest one: its weights, or the gradient of its coefficients. */
    @Override
    double error() {
        int last = test.layers().size() - 1;
        Layer l = test.layers().get(last);
        Tensor out = backward ? gradients.get(last).source() : layers.get(last).weights();
        SplittableRandom random = new SplittableRandom(2);
        ErrorNorm error = new ErrorNorm();
        for (int sample = 0; sample < SAMPLES; sample++) {
            long index = random.nextLong(out.count());
            error.add(
                    backend.readDoubles(out.slice(index, Shape.of(1)))[0],
                    backward ? coefficientGradient(l, index) : weight(l, index));
        }
        return error.value();
    }

    private static double scaledMask(Layer l, int tap) {
        int centre = l.kernel() / 2;
        int ring = Math.max(Math.abs(tap / l.kernel() - centre), Math.abs(tap % l.kernel() - centre));
        return scale(l) * Math.max(0, Math.min(1, (l.kernel() - BELOW_GRID + 1) / 2 - ring));
    }

    private double weight(Layer l, long index) {
        int i = (int) (index % l.inputs());
        int tap = (int) (index / l.inputs() % ((long) l.kernel() * l.kernel()));
        int o = (int) (index / l.inputs() / ((long) l.kernel() * l.kernel()));
        double sum = 0;
        for (int f = 0; f < l.features(); f++) {
            sum += values.at((long) tap * l.features() + f, FEATURES)
                    * values.at((long) f * l.inputs() * l.outputs() + (long) o * l.inputs() + i, COEFFICIENTS);
        }
        return scaledMask(l, tap) * sum;
    }

    private double coefficientGradient(Layer l, long index) {
        int columns = l.inputs() * l.outputs();
        int f = (int) (index / columns);
        int o = (int) (index % columns) / l.inputs();
        int i = (int) (index % columns) % l.inputs();
        int taps = l.kernel() * l.kernel();
        double sum = 0;
        for (int tap = 0; tap < taps; tap++) {
            sum += scaledMask(l, tap)
                    * values.at((long) tap * l.features() + f, FEATURES)
                    * values.at(((long) o * taps + tap) * l.inputs() + i, WEIGHTS);
        }
        return sum;
    }

    @Override
    public void close() {
        owned.forEach(Tensor::close);
    }
}

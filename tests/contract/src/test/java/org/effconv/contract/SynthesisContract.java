package org.effconv.contract;

import static org.junit.jupiter.api.Assertions.*;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.function.DoubleSupplier;
import java.util.function.Supplier;
import org.effconv.backend.MaskKind;
import org.effconv.backend.Support;
import org.effconv.backend.SynthesisLayer;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Tensor;
import org.junit.jupiter.api.Test;

/**
 * Weights from soft sizes: against the formula, their gradients against differences in fp64 and against fp64 elsewhere.
 */
class SynthesisContract extends BackendContract {
    /** Output channels, input channels, grid, kmax, features (0: a table), index of the size. */
    private static final int[][] LAYERS = {
        {5, 3, 5, 9, 7, 0},
        {1, 1, 1, 3, 1, 1},
        {17, 16, 3, 5, 32, 1},
        {16, 1, 9, 9, 32, 2},
        {4, 3, 7, 9, 0, 3},
        {3, 2, 33, 33, 5, 4},
        {8, 8, 5, 5, 0, 0}
    };

    private static final double[] SIZES = {3.7, 1.4, 8.2, 6.2, 21.3, 2}; // the last one is used by no layer
    private static final double SCALE = 0.375; // the same in every type

    private final class Case {
        final Tensor v, dv;
        final List<SynthesisLayer> layers = new ArrayList<>(); // weights as they come out
        final List<SynthesisLayer> given = new ArrayList<>(); // weights hold the gradient of w
        final List<SynthesisLayer> gradients = new ArrayList<>();

        Case(DataType type, DataType weights) {
            v = of(type, SIZES, SIZES.length);
            dv = poisoned(type, SIZES.length);
            for (int[] s : LAYERS) {
                int count = s[0] * s[1];
                Tensor features = s[4] == 0 ? null : drawn(type, s[2] * s[2], s[4]);
                Tensor source = s[4] == 0 ? drawn(type, s[0], s[3], s[3], s[1]) : drawn(type, s[4], count);
                layers.add(layer(s, features, source, poisoned(weights, s[0], s[2], s[2], s[1])));
                given.add(layer(s, features, source, drawn(weights, s[0], s[2], s[2], s[1])));
                gradients.add(layer(s, features == null ? null : like(features), like(source), null));
            }
        }

        private SynthesisLayer layer(int[] s, Tensor features, Tensor source, Tensor w) {
            return new SynthesisLayer(s[0], s[1], s[2], s[3], SCALE, s[5], features, source, w);
        }

        void backward(MaskKind mask) {
            backend.synthesisGradient(mask, v, given, gradients, dv);
        }
    }

    /** Whatever the mask: a kernel of one tap would hide it. */
    @Test
    void aSizeThatIsNoNumberIsSeen() {
        for (DataType type : parameterTypes()) {
            for (MaskKind mask : MaskKind.values()) {
                Case c = new Case(type, type);
                double[] sizes = SIZES.clone();
                sizes[1] = Double.NaN;
                backend.write(c.v, sizes);
                backend.synthesis(mask, c.v, c.layers);
                c.backward(mask);
                for (int l = 0; l < LAYERS.length; l++) {
                    boolean broken = LAYERS[l][5] == 1;
                    for (Tensor t : List.of(
                            c.layers.get(l).weights(), c.gradients.get(l).source())) {
                        assertEquals(
                                broken,
                                Arrays.stream(values(t)).anyMatch(Double::isNaN),
                                type + " " + mask + ", layer " + l);
                    }
                }
                assertTrue(Double.isNaN(values(c.dv)[1]), type + " " + mask);
                assertTrue(Double.isFinite(values(c.dv)[0]), type + " " + mask);
            }
        }
    }

    private static double mask(MaskKind kind, int d, double v) {
        return switch (kind) {
            case RAMP -> Math.max(0, Math.min(1, (v + 1) / 2 - d));
            case SMOOTHSTEP -> {
                double t = Math.max(0, Math.min(1, (v / 2 - d + 1) / 2));
                yield t * t * (3 - 2 * t);
            }
            case SIGMOID -> Math.max(0, (1 / (1 + Math.exp(-(v / 2 - d) / 0.2)) - 0.01) / 0.99);
            case GAUSSIAN -> Math.max(0, (Math.exp(-Math.log(2) * 4 * d * d / (v * v)) - 0.05) / 0.95);
        };
    }

    private double[] formula(MaskKind kind, SynthesisLayer l) {
        double[] source = values(l.source());
        double[] features = values(l.features());
        int grid = l.grid();
        int cin = l.inputChannels();
        int columns = l.outputChannels() * cin;
        int width = features == null ? 0 : features.length / (grid * grid);
        double[] w = new double[columns * grid * grid];
        for (int n = 0; n < w.length; n++) {
            int i = n % cin;
            int p = n / cin % (grid * grid);
            int o = n / cin / (grid * grid);
            int row = p / grid - grid / 2;
            int column = p % grid - grid / 2;
            double sum = 0;
            for (int f = 0; f < width; f++) {
                sum += features[p * width + f] * source[f * columns + o * cin + i];
            }
            if (features == null) {
                int centre = l.kmax() / 2;
                sum = source[((o * l.kmax() + centre + row) * l.kmax() + centre + column) * cin + i];
            }
            w[n] = l.scale() * mask(kind, Math.max(Math.abs(row), Math.abs(column)), SIZES[l.sizeIndex()]) * sum;
        }
        return w;
    }

    /** Types of weights beside parameters of a type. */
    private Set<DataType> weightTypes(DataType type) {
        return type == DataType.F64 ? Set.of(DataType.F64) : Set.of(DataType.F32, DataType.BF16);
    }

    @Test
    void weightsAreTheFormula() {
        for (DataType type : parameterTypes()) {
            for (DataType weights : weightTypes(type)) {
                for (MaskKind kind : MaskKind.values()) {
                    Case c = new Case(type, weights);
                    backend.synthesis(kind, c.v, c.layers);
                    for (SynthesisLayer l : c.layers) {
                        assertClose(kind + " " + weights + " " + l, formula(kind, l), l.weights(), tolerance(weights));
                    }
                }
            }
        }
    }

    @Test
    void tapsBesideTheMaskAreZeroWhateverThePredictedKernelIs() {
        for (DataType type : parameterTypes()) {
            for (DataType weights : weightTypes(type)) {
                Case c = new Case(type, weights);
                for (SynthesisLayer l : c.layers) {
                    double[] source = values(l.source());
                    source[0] = Double.POSITIVE_INFINITY;
                    backend.write(l.source(), source);
                }
                backend.synthesis(MaskKind.RAMP, c.v, c.layers);
                for (SynthesisLayer l : c.layers) {
                    double[] w = values(l.weights());
                    for (int n = 0; n < w.length; n++) {
                        int p = n / l.inputChannels() % (l.grid() * l.grid());
                        int ring =
                                Math.max(Math.abs(p / l.grid() - l.grid() / 2), Math.abs(p % l.grid() - l.grid() / 2));
                        if (mask(MaskKind.RAMP, ring, SIZES[l.sizeIndex()]) == 0) {
                            assertEquals(0.0, w[n], weights + " " + l + " at " + n);
                        }
                    }
                }
            }
        }
    }

    @Test
    void scalesInATensorHoldAsTheyAreAtEachStep() {
        for (DataType type : parameterTypes()) {
            Case plain = new Case(type, type);
            Case with = new Case(type, type);
            // As tables have it, layers 0 and 6 share a size, and so a scale.
            List<SynthesisLayer> layers = plain.layers;
            Tensor scales = tensor(type, SIZES.length);
            for (int step = 1; step <= 4; step++) { // recorded at the second, repeated from the third on
                double[] now = new double[SIZES.length];
                for (int i = 0; i < now.length; i++) {
                    now[i] = 0.25 * step + i;
                }
                backend.write(scales, now);
                List<double[]> expected = new ArrayList<>();
                backend.synthesis(MaskKind.RAMP, plain.v, SynthesisLayer.scaled(layers, now));
                layers.forEach(l -> expected.add(values(l.weights())));
                backend.synthesisGradient(
                        MaskKind.RAMP, plain.v, SynthesisLayer.scaled(plain.given, now), plain.gradients, plain.dv);
                double[] dv = values(plain.dv);
                List<double[]> dsources =
                        plain.gradients.stream().map(l -> values(l.source())).toList();
                backend.step(List.of("scales", type), () -> {
                    backend.synthesis(MaskKind.RAMP, plain.v, scales, layers);
                    backend.synthesisGradient(MaskKind.RAMP, plain.v, scales, plain.given, with.gradients, with.dv);
                    return null;
                });
                for (int i = 0; i < expected.size(); i++) {
                    assertArrayEquals(expected.get(i), values(layers.get(i).weights()), "step " + step + " layer " + i);
                    assertArrayEquals(
                            dsources.get(i),
                            values(with.gradients.get(i).source()),
                            "step " + step + " source of layer " + i);
                }
                assertArrayEquals(dv, values(with.dv), "step " + step);
            }
        }
    }

    @Test
    void gradientsAgreeWithDifferences() {
        needsDouble();
        for (MaskKind kind : MaskKind.values()) {
            Case c = new Case(DataType.F64, DataType.F64);
            List<double[]> factors =
                    c.given.stream().map(l -> values(l.weights())).toList();
            DoubleSupplier loss = () -> {
                backend.synthesis(kind, c.v, c.layers);
                double sum = 0;
                for (int i = 0; i < factors.size(); i++) {
                    sum += weighted(factors.get(i), c.layers.get(i).weights());
                }
                return sum;
            };
            c.backward(kind);
            assertEquals(0, values(c.dv)[SIZES.length - 1], "a size that no layer uses");
            assertGradient(kind + " dv", loss, c.v, c.dv, 6);
            for (int i = 0; i < LAYERS.length; i++) {
                assertGradient(
                        kind + " source of layer " + i,
                        loss,
                        c.layers.get(i).source(),
                        c.gradients.get(i).source(),
                        8);
                if (LAYERS[i][4] > 0) {
                    assertGradient(
                            kind + " features of layer " + i,
                            loss,
                            c.layers.get(i).features(),
                            c.gradients.get(i).features(),
                            8);
                }
            }
        }
    }

    @Test
    void gradientsFollowDouble() {
        for (DataType weights : weightTypes(DataType.F32)) {
            for (MaskKind kind : MaskKind.values()) {
                Case c = new Case(DataType.F32, weights);
                try (DoubleReference exact = new DoubleReference(backend)) {
                    List<SynthesisLayer> given = c.given.stream().map(exact::of).toList();
                    List<SynthesisLayer> gradients =
                            c.gradients.stream().map(l -> gradient(exact, l)).toList();
                    exact.backend.synthesisGradient(kind, exact.of(c.v), given, gradients, exact.of(c.dv));
                    c.backward(kind);
                    exact.assertSame(kind + " dv", c.dv, 1e-4);
                    for (SynthesisLayer l : c.gradients) {
                        exact.assertSame(kind + " gradient of the source", l.source(), 1e-4);
                        if (l.features() != null) {
                            exact.assertSame(kind + " gradient of the features", l.features(), 1e-4);
                        }
                    }
                }
            }
        }
    }

    private static SynthesisLayer gradient(DoubleReference exact, SynthesisLayer l) {
        return DoubleReference.map(l, t -> t == null ? null : exact.of(t));
    }

    @Test
    void theSpareRingFeelsTheLossAtAnOddSize() {
        // at v = 3 ring 2 has mask 0 and slope 1/2: no weight there, but a gradient of the size
        Tensor v = of(DataType.F32, new double[] {3}, 1);
        Tensor table = drawn(DataType.F32, 2, 5, 5, 3);
        Tensor w = poisoned(DataType.F32, 2, 5, 5, 3);
        SynthesisLayer layer = new SynthesisLayer(2, 3, 5, 5, 1, 0, null, table, w);
        backend.synthesis(MaskKind.RAMP, v, List.of(layer));
        double[] made = values(w);
        double[] source = values(table);
        double[] outer = new double[made.length];
        double expected = 0;
        for (int i = 0; i < made.length; i++) {
            int p = i / 3 % 25;
            boolean inside = Math.abs(p / 5 - 2) < 2 && Math.abs(p % 5 - 2) < 2;
            assertEquals(inside ? source[i] : 0, made[i]);
            outer[i] = inside ? 0 : 1;
            expected += inside ? 0 : source[i] / 2;
        }
        Tensor dv = poisoned(DataType.F32, 1);
        SynthesisLayer given = new SynthesisLayer(2, 3, 5, 5, 1, 0, null, table, of(DataType.F32, outer, 2, 5, 5, 3));
        SynthesisLayer gradients = new SynthesisLayer(2, 3, 5, 5, 1, 0, null, like(table), null);
        backend.synthesisGradient(MaskKind.RAMP, v, List.of(given), List.of(gradients), dv);
        assertClose("dv", new double[] {expected}, dv, 1e-5);
    }

    @Test
    void twoRunsAreBitEqual() {
        for (DataType weights : weightTypes(DataType.F32)) {
            Case c = new Case(DataType.F32, weights);
            Supplier<List<double[]>> run = () -> {
                backend.synthesis(MaskKind.RAMP, c.v, c.layers);
                c.backward(MaskKind.RAMP);
                List<double[]> all = new ArrayList<>(List.of(values(c.dv)));
                c.layers.forEach(l -> all.add(values(l.weights())));
                c.gradients.forEach(l -> all.add(values(l.source())));
                c.gradients.stream().filter(l -> l.features() != null).forEach(l -> all.add(values(l.features())));
                return all;
            };
            assertArrayEquals(run.get().toArray(), run.get().toArray(), weights.toString());
        }
    }

    @Test
    void wrongOperandsAreRefused() {
        Tensor v = of(DataType.F32, new double[] {3, 3}, 2);
        Tensor features = tensor(DataType.F32, 9, 4);
        Tensor source = tensor(DataType.F32, 4, 6);
        Tensor w = tensor(DataType.F32, 2, 3, 3, 3);
        assertRefused(
                "has no size",
                () -> backend.synthesis(
                        MaskKind.RAMP, v, List.of(new SynthesisLayer(2, 3, 3, 5, 1, 2, features, source, w))));
        assertRefused(
                "weights is",
                () -> backend.synthesis(
                        MaskKind.RAMP, v, List.of(new SynthesisLayer(2, 3, 5, 5, 1, 0, features, source, w))));
        assertRefused(
                "source is",
                () -> backend.synthesis(
                        MaskKind.RAMP,
                        v,
                        List.of(new SynthesisLayer(2, 3, 3, 5, 1, 0, features, tensor(DataType.F32, 4, 5), w))));
        assertRefused(
                "features is",
                () -> backend.synthesis(
                        MaskKind.RAMP,
                        v,
                        List.of(new SynthesisLayer(2, 3, 3, 5, 1, 0, tensor(DataType.F32, 25, 4), source, w))));
        SynthesisLayer layer = new SynthesisLayer(2, 3, 3, 5, 1, 0, features, source, w);
        assertRefused(
                "dv is",
                () -> backend.synthesisGradient(
                        MaskKind.RAMP, v, List.of(layer), List.of(layer), tensor(DataType.F32, 3)));
    }

    @Test
    void supportGridsHoldTheRingsOfTheMask() {
        for (MaskKind kind : MaskKind.values()) {
            for (double v : new double[] {1, 1.5, 2.9, 3, 3.1, 6, 7, 12.4}) {
                int radius = 0;
                for (int d = 1; d <= 7; d++) {
                    radius = mask(kind, d, v) > 0 ? d : radius;
                }
                int grid = backend.supportGrid(kind, DataType.F32, v, 15, Support.MASK);
                assertEquals(2 * radius + 1, grid, kind + " at " + v);
                int signal = backend.supportGrid(kind, DataType.F32, v, 15, Support.SIGNAL);
                assertTrue(
                        signal >= grid && signal <= Math.min(15, grid + 2) && signal % 2 == 1,
                        kind + " at " + v + ": " + signal);
            }
        }
        assertEquals(
                5,
                backend.supportGrid(MaskKind.RAMP, DataType.F32, 3, 15, Support.SIGNAL),
                "the spare ring at an odd size");
        assertEquals(3, backend.supportGrid(MaskKind.RAMP, DataType.F32, 3, 3, Support.SIGNAL), "never above kmax");
        assertThrows(
                IllegalArgumentException.class,
                () -> backend.supportGrid(MaskKind.RAMP, DataType.F32, 3, 4, Support.MASK));
    }

    @Test
    void softTapsAreSquaresAtOddSizesAndLinesBetween() {
        double[] v = {1, 2, 3, 4.5, 15};
        double[] taps = new double[5];
        double[] slopes = new double[5];
        backend.softTaps(v, taps, slopes);
        assertArrayEquals(new double[] {1, 5, 9, 21, 225}, taps, 1e-12);
        assertArrayEquals(new double[] {4, 4, 8, 8, 32}, slopes, 1e-12);
        assertThrows(IllegalArgumentException.class, () -> backend.softTaps(v, taps, new double[1]));
    }

    @Test
    void scalesGiveHesVarianceOverTheSoftTaps() {
        double[] v = {1, 2, 3, 4.5, 15};
        double[] taps = new double[5];
        backend.softTaps(v, taps, new double[5]);
        int[] inputs = {1, 3, 16, 24, 7};
        double[] scales = backend.synthesisScales(v, inputs);
        for (int l = 0; l < 5; l++) {
            assertEquals(Math.sqrt(2 / (inputs[l] * taps[l])), scales[l], "layer " + l);
        }
        assertThrows(IllegalArgumentException.class, () -> backend.synthesisScales(v, new int[4]));
    }

    @Test
    void sizesAreRoundedToTheNearestOddHalvesUp() {
        double[] v = {1, 1.999, 2, 3, 3.999, 4, 14.9, 40, 0.2};
        int[] kmax = {15, 15, 15, 15, 15, 15, 15, 7, 5};
        assertArrayEquals(new int[] {1, 1, 3, 3, 3, 5, 15, 7, 1}, backend.kernelSizes(v, kmax));
        assertThrows(IllegalArgumentException.class, () -> backend.kernelSizes(v, new int[1]));
    }
}

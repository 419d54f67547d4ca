package org.effconv.contract;

import static org.junit.jupiter.api.Assertions.*;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.DoubleSupplier;
import java.util.function.Supplier;
import org.effconv.backend.CoordinateLayer;
import org.effconv.backend.SizeHead;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Tensor;
import org.junit.jupiter.api.Test;

/** The coordinate network of the kernel predictor, and the head of the size predictor. */
class PredictorContract extends BackendContract {
    /** Grid, kmax, hidden, features. */
    private static final int[][] NETWORKS = {{3, 5, 4, 5}, {1, 3, 1, 1}, {9, 9, 16, 32}, {7, 33, 17, 3}};

    private static final int[][] HEADS = {{1, 1}, {3, 5}, {7, 128}, {20, 65}}; // layers, width

    private CoordinateLayer network(DataType type, int[] s, boolean output) {
        int hidden = s[2];
        int features = s[3];
        Tensor[] t = new Tensor[6];
        int[][] shapes = {{hidden, 2}, {hidden}, {features, hidden}, {features}, {hidden}, {hidden}};
        for (int i = 0; i < 6; i++) {
            t[i] = poisoned(type, shapes[i]);
            if (!output) {
                backend.write(t[i], map(normal((int) t[i].count()), x -> 0.4 * x));
            }
        }
        return new CoordinateLayer(
                s[0],
                s[1],
                10,
                t[0],
                t[1],
                t[2],
                t[3],
                t[4],
                t[5],
                output ? null : poisoned(type, s[0] * s[0], features));
    }

    private List<CoordinateLayer> networks(DataType type, boolean output) {
        return Arrays.stream(NETWORKS).map(s -> network(type, s, output)).toList();
    }

    private double[] features(CoordinateLayer l) {
        double[] w1 = values(l.w1());
        double[] b1 = values(l.b1());
        double[] w2 = values(l.w2());
        double[] b2 = values(l.b2());
        double[] gamma = values(l.gamma());
        double[] beta = values(l.beta());
        double[] h = new double[l.grid() * l.grid() * b2.length];
        for (int p = 0; p < l.grid() * l.grid(); p++) {
            double x = 2.0 * (p % l.grid() - l.grid() / 2) / l.kmax();
            double y = 2.0 * (p / l.grid() - l.grid() / 2) / l.kmax();
            for (int f = 0; f < b2.length; f++) {
                double phase = b2[f];
                for (int j = 0; j < b1.length; j++) {
                    double s = Math.sin(l.omega() * (w1[2 * j] * x + w1[2 * j + 1] * y + b1[j]));
                    phase += w2[f * b1.length + j] * (s * (1 + gamma[j]) + beta[j]);
                }
                h[p * b2.length + f] = Math.sqrt(2) * Math.sin(phase);
            }
        }
        return h;
    }

    @Test
    void featuresAreTheFormula() {
        for (DataType type : parameterTypes()) {
            List<CoordinateLayer> layers = networks(type, false);
            backend.coordinateFeatures(layers);
            for (CoordinateLayer l : layers) {
                // sines of phases up to about 20, known to 1e-7 of that in fp32
                assertClose(type + " " + l, features(l), l.features(), 20 * tolerance(type));
            }
        }
        backend.coordinateFeatures(List.of());
    }

    private static Tensor[] parts(CoordinateLayer l) {
        return new Tensor[] {l.w1(), l.b1(), l.w2(), l.b2(), l.gamma(), l.beta()};
    }

    private List<CoordinateLayer> withFeatures(List<CoordinateLayer> layers, List<Tensor> features) {
        List<CoordinateLayer> changed = new ArrayList<>();
        for (int i = 0; i < layers.size(); i++) {
            CoordinateLayer l = layers.get(i);
            changed.add(new CoordinateLayer(
                    l.grid(),
                    l.kmax(),
                    l.omega(),
                    l.w1(),
                    l.b1(),
                    l.w2(),
                    l.b2(),
                    l.gamma(),
                    l.beta(),
                    features.get(i)));
        }
        return changed;
    }

    private List<Tensor> drawnLikeFeatures(List<CoordinateLayer> layers) {
        return layers.stream()
                .map(l -> drawn(l.w1().type(), l.features().shape().dims()))
                .toList();
    }

    @Test
    void featureGradientsAgreeWithDifferences() {
        needsDouble();
        List<CoordinateLayer> layers = networks(DataType.F64, false);
        List<CoordinateLayer> gradients = networks(DataType.F64, true);
        List<Tensor> dh = drawnLikeFeatures(layers);
        List<double[]> factors = dh.stream().map(this::values).toList();
        DoubleSupplier loss = () -> {
            backend.coordinateFeatures(layers);
            double sum = 0;
            for (int i = 0; i < factors.size(); i++) {
                sum += weighted(factors.get(i), layers.get(i).features());
            }
            return sum;
        };
        backend.coordinateFeaturesGradient(withFeatures(layers, dh), gradients);
        for (int i = 0; i < layers.size(); i++) {
            for (int part = 0; part < 6; part++) {
                assertGradient(
                        "layer " + i + " part " + part,
                        loss,
                        parts(layers.get(i))[part],
                        parts(gradients.get(i))[part],
                        6);
            }
        }
    }

    @Test
    void featureGradientsFollowDoubleAndRepeat() {
        List<CoordinateLayer> layers = networks(DataType.F32, false);
        List<CoordinateLayer> given = withFeatures(layers, drawnLikeFeatures(layers));
        List<CoordinateLayer> gradients = networks(DataType.F32, true);
        try (DoubleReference exact = new DoubleReference(backend)) {
            exact.backend.coordinateFeaturesGradient(
                    given.stream().map(exact::of).toList(),
                    gradients.stream().map(exact::of).toList());
            backend.coordinateFeaturesGradient(given, gradients);
            for (CoordinateLayer l : gradients) {
                for (Tensor t : parts(l)) {
                    exact.assertSame("gradient of a coordinate network", t, 2e-4);
                }
            }
        }
        List<double[]> first = gradients.stream()
                .flatMap(l -> Arrays.stream(parts(l)))
                .map(this::values)
                .toList();
        backend.coordinateFeaturesGradient(given, gradients);
        List<double[]> second = gradients.stream()
                .flatMap(l -> Arrays.stream(parts(l)))
                .map(this::values)
                .toList();
        assertArrayEquals(first.toArray(), second.toArray());
    }

    private SizeHead head(DataType type, int layers, int width, boolean output) {
        Tensor[] t = new Tensor[5];
        int[][] shapes = {{width}, {width}, {layers, width}, {layers}, {layers}};
        for (int i = 0; i < 5; i++) {
            t[i] = output ? poisoned(type, shapes[i]) : drawn(type, shapes[i]);
        }
        double[] kmin = new double[layers];
        double[] kmax = new double[layers];
        Arrays.setAll(kmin, l -> 1 + l % 2);
        Arrays.setAll(kmax, l -> 9 + 2 * (l % 4));
        return new SizeHead(t[0], t[1], t[2], t[3], t[4], kmin, kmax);
    }

    @Test
    void sizesAreTheFormula() {
        for (DataType type : parameterTypes()) {
            for (int[] s : HEADS) {
                int layers = s[0];
                int width = s[1];
                SizeHead head = head(type, layers, width, false);
                Tensor h = drawn(type, layers, width);
                Tensor u = poisoned(type, layers, width);
                Tensor v = poisoned(type, layers);
                backend.sizeHead(head, h, u, v);
                double[] x = values(h);
                double[] w = values(head.w());
                double[] activated = new double[x.length];
                double[] sizes = new double[layers];
                for (int l = 0; l < layers; l++) {
                    double[] row = Arrays.copyOfRange(x, l * width, (l + 1) * width);
                    double mean = Arrays.stream(row).sum() / width;
                    double variance =
                            Arrays.stream(row).map(e -> (e - mean) * (e - mean)).sum() / width;
                    double dot = 0;
                    double norm = 0;
                    for (int i = 0; i < width; i++) {
                        double normalised = (row[i] - mean) / Math.sqrt(variance + 1e-5);
                        activated[l * width + i] =
                                Math.max(0, values(head.gain())[i] * normalised + values(head.shift())[i]);
                        dot += w[l * width + i] * activated[l * width + i];
                        norm += w[l * width + i] * w[l * width + i];
                    }
                    double logit = values(head.g())[l] * dot / Math.sqrt(norm) + values(head.b())[l];
                    sizes[l] = head.kmin()[l] + (head.kmax()[l] - head.kmin()[l]) / (1 + Math.exp(-logit));
                }
                assertClose("u " + h, activated, u, tolerance(type));
                assertClose("v " + h, sizes, v, tolerance(type));
            }
        }
    }

    @Test
    void sizeGradientsAgreeWithDifferences() {
        needsDouble();
        for (int[] s : new int[][] {{3, 5}, {7, 128}}) {
            SizeHead head = head(DataType.F64, s[0], s[1], false);
            SizeHead dhead = head(DataType.F64, s[0], s[1], true);
            Tensor h = drawn(DataType.F64, s[0], s[1]);
            Tensor u = like(h);
            Tensor v = poisoned(DataType.F64, s[0]);
            Tensor dv = drawn(DataType.F64, s[0]);
            Tensor dh = like(h);
            double[] factors = values(dv);
            DoubleSupplier loss = () -> {
                backend.sizeHead(head, h, u, v);
                return weighted(factors, v);
            };
            backend.sizeHeadGradient(head, h, dv, dhead, dh);
            assertGradient("dh", loss, h, dh, 20);
            for (int i = 0; i < 5; i++) {
                assertGradient("part " + i, loss, parts(head)[i], parts(dhead)[i], 20);
            }
        }
    }

    private static Tensor[] parts(SizeHead h) {
        return new Tensor[] {h.gain(), h.shift(), h.w(), h.g(), h.b()};
    }

    @Test
    void sizeGradientsFollowDoubleAndRepeat() {
        for (int[] s : new int[][] {{3, 5}, {7, 128}, {20, 65}}) {
            SizeHead head = head(DataType.F32, s[0], s[1], false);
            SizeHead dhead = head(DataType.F32, s[0], s[1], true);
            Tensor h = drawn(DataType.F32, s[0], s[1]);
            Tensor dv = drawn(DataType.F32, s[0]);
            Tensor dh = like(h);
            Supplier<List<double[]>> run = () -> {
                backend.sizeHeadGradient(head, h, dv, dhead, dh);
                List<double[]> all = new ArrayList<>(List.of(values(dh)));
                Arrays.stream(parts(dhead)).forEach(t -> all.add(values(t)));
                return all;
            };
            try (DoubleReference exact = new DoubleReference(backend)) {
                exact.backend.sizeHeadGradient(
                        exact.of(head), exact.of(h), exact.of(dv), exact.of(dhead), exact.of(dh));
                List<double[]> first = run.get();
                exact.assertSame("dh", dh, 1e-4);
                for (Tensor t : parts(dhead)) {
                    exact.assertSame("gradient of the head", t, 1e-4);
                }
                assertArrayEquals(first.toArray(), run.get().toArray());
            }
        }
    }

    /** It makes the layer's size and every gradient that comes by it NaN, and no other layer's. */
    @Test
    void aHiddenStateThatIsNoNumberIsSeen() {
        for (DataType type : parameterTypes()) {
            SizeHead head = head(type, 3, 40, false);
            SizeHead dhead = head(type, 3, 40, true);
            double[] states = normal(3 * 40);
            states[47] = Double.NaN; // of layer 1
            Tensor h = of(type, states, 3, 40);
            Tensor u = like(h);
            Tensor v = poisoned(type, 3);
            Tensor dh = like(h);
            backend.sizeHead(head, h, u, v);
            backend.sizeHeadGradient(head, h, drawn(type, 3), dhead, dh);
            for (Tensor t : List.of(u, v, dh, dhead.w(), dhead.g(), dhead.b())) {
                double[] found = values(t);
                for (int i = 0; i < found.length; i++) {
                    assertEquals(
                            i / (found.length / 3) == 1, Double.isNaN(found[i]), type + " " + t + ", element " + i);
                }
            }
            assertTrue(Arrays.stream(values(dhead.gain())).allMatch(Double::isNaN));
            assertTrue(Arrays.stream(values(dhead.shift())).allMatch(Double::isNaN));
        }
    }

    @Test
    void wrongOperandsAreRefused() {
        CoordinateLayer l = network(DataType.F32, NETWORKS[0], false);
        Tensor wrong = tensor(DataType.F32, 2);
        assertRefused(
                "b1 is",
                () -> backend.coordinateFeatures(List.of(new CoordinateLayer(
                        l.grid(), l.kmax(), 10, l.w1(), wrong, l.w2(), l.b2(), l.gamma(), l.beta(), l.features()))));
        assertRefused(
                "features is",
                () -> backend.coordinateFeatures(List.of(new CoordinateLayer(
                        l.grid(), l.kmax(), 10, l.w1(), l.b1(), l.w2(), l.b2(), l.gamma(), l.beta(), wrong))));
        SizeHead head = head(DataType.F32, 3, 5, false);
        Tensor h = drawn(DataType.F32, 3, 5);
        Tensor v = tensor(DataType.F32, 3);
        assertRefused("v is", () -> backend.sizeHead(head, h, like(h), wrong));
        assertRefused("u is", () -> backend.sizeHead(head, h, v, v));
        assertRefused(
                "gain is", () -> backend.sizeHead(head, drawn(DataType.F32, 3, 6), tensor(DataType.F32, 3, 6), v));
        assertRefused("dh is", () -> backend.sizeHeadGradient(head, h, v, head, v));
    }
}

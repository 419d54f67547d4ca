package org.effconv.search;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.effconv.autodiff.Parameter;
import org.effconv.backend.MaskKind;
import org.effconv.nn.WeightSource.Progress;
import org.effconv.predict.SearchSettings;
import org.effconv.predict.SearchSettings.Kernels;
import org.effconv.predict.SearchSettings.Update;
import org.effconv.tensor.DataType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The whole search loss, class loss through a network with synthesised weights plus budget term, against differences.
 */
class SearchGradientTest {
    private static final Progress MOVING = new Progress(5, 10);

    static Stream<Arguments> predictors() {
        return Arrays.stream(MaskKind.values())
                .flatMap(mask -> Arrays.stream(Kernels.values()).map(kernels -> Arguments.of(mask, kernels)));
    }

    private static SearchSettings settings(MaskKind mask, Kernels kernels) {
        return SearchSettings.standard()
                .change()
                .mask(mask)
                .kernels(kernels)
                .update(Update.GRADIENT)
                .start(4.3)
                .spread(0.1)
                .price(0.7)
                .features(5)
                .hidden(6)
                .build();
    }

    @ParameterizedTest
    @MethodSource("predictors")
    void everyPredictorParameterAgreesWithCentralDifferences(MaskKind mask, Kernels kernels) {
        try (SmallSearch search = new SmallSearch(DataType.F64, "k5", settings(mask, kernels))) {
            search.weights.holdCondition(MOVING.step());
            moveOffZero(search);
            List<double[]> gradients = gradients(search);
            Random random = new Random(17);
            double floor =
                    1e-5 * gradients.stream().mapToDouble(g -> length(g)).max().orElse(0);
            int index = 0;
            for (Parameter p : search.weights.parameters()) {
                double[] gradient = gradients.get(index++);
                assertTrue(length(gradient) > 0, p + " gets no gradient");
                for (int draw = 0; draw < 3; draw++) {
                    double[] direction = direction(gradient.length, draw, random);
                    double expected = difference(search, p, direction);
                    double got = dot(gradient, direction);
                    assertEquals(
                            expected, got, 1e-5 * Math.max(Math.abs(expected), floor), p + " " + mask + " " + kernels);
                }
            }
        }
    }

    @ParameterizedTest
    @MethodSource("predictors")
    void singlePrecisionAgreesWithDouble(MaskKind mask, Kernels kernels) {
        try (SmallSearch exact = new SmallSearch(DataType.F64, "k5", settings(mask, kernels));
                SmallSearch single = new SmallSearch(DataType.F32, "k5", settings(mask, kernels))) {
            moveOffZero(exact);
            for (int i = 0; i < exact.weights.parameters().size(); i++) {
                single.backend.write(
                        single.weights.parameters().get(i).value(),
                        exact.backend.readDoubles(
                                exact.weights.parameters().get(i).value()));
            }
            for (int i = 0; i < exact.network.parameters().size(); i++) {
                single.backend.write(
                        single.network.parameters().get(i).value(),
                        exact.backend.readDoubles(
                                exact.network.parameters().get(i).value()));
            }
            List<double[]> expected = gradients(exact);
            List<double[]> got = gradients(single);
            for (int i = 0; i < expected.size(); i++) {
                double[] difference = new double[expected.get(i).length];
                for (int j = 0; j < difference.length; j++) {
                    difference[j] = got.get(i)[j] - expected.get(i)[j];
                }
                assertTrue(
                        length(difference) <= 1e-3 * length(expected.get(i)),
                        exact.weights.parameters().get(i) + ": off by " + length(difference) + " of "
                                + length(expected.get(i)));
            }
        }
    }

    @ParameterizedTest
    @MethodSource("predictors")
    void gradientOfTheSizesAgreesWithCentralDifferences(MaskKind mask, Kernels kernels) {
        SearchSettings settings =
                settings(mask, kernels).change().update(Update.STEADY).build();
        try (SmallSearch search = new SmallSearch(DataType.F64, "k5", settings)) {
            search.weights.holdCondition(MOVING.step());
            double[] gradient = sizeGradient(search);
            double h = 1e-6;
            for (int l = 0; l < 3; l++) {
                double[] v = search.weights.sizes();
                v[l] += h;
                search.weights.setSoftSizes(v);
                double above = search.loss(MOVING);
                v[l] -= 2 * h;
                search.weights.setSoftSizes(v);
                double below = search.loss(MOVING);
                search.weights.usePredictedSizes();
                search.loss(MOVING);
                double expected = (above - below) / (2 * h);
                assertEquals(expected, gradient[l], 1e-5 * Math.max(Math.abs(expected), 1e-3), "layer " + l);
            }
        }
    }

    /** Over draws of the kernels, the class loss pulls each size up at some and down at others, wherever it sits. */
    @ParameterizedTest
    @MethodSource("predictors")
    void classLossPullsSizesBothWaysAtEverySize(MaskKind mask, Kernels kernels) {
        List<String> oneSided = oneSidedSizes(mask, kernels, true);
        assertTrue(oneSided.isEmpty(), "one sign only at " + oneSided);
    }

    /**
     * The same check must fail on grids cropped at the support: there the class loss cannot grow a kernel of odd size.
     */
    @Test
    void withoutTheSpareRingTheCheckFails() {
        List<String> oneSided = oneSidedSizes(MaskKind.RAMP, Kernels.COORDINATE, false);
        assertFalse(oneSided.isEmpty(), "a grid without the spare ring passes the check that is there to catch it");
        assertTrue(oneSided.stream().allMatch(s -> Double.parseDouble(s.split(" ")[1]) % 2 == 1), oneSided.toString());
        assertTrue(oneSided.size() >= 3 * 4, "at odd sizes 1, 3, 5, 7 of each layer, but only at " + oneSided);
    }

    private static List<String> oneSidedSizes(MaskKind mask, Kernels kernels, boolean spareRing) {
        SearchSettings settings = settings(mask, kernels)
                .change()
                .update(Update.STEADY)
                .spread(0)
                .spareRing(spareRing)
                .build();
        List<String> oneSided = new ArrayList<>();
        try (SmallSearch search = new SmallSearch(DataType.F64, "k5", settings)) {
            for (double v : new double[] {1, 1.5, 2, 3, 3.7, 4, 5, 6, 6.2, 7, 8, 8.9}) {
                boolean[] up = new boolean[3];
                boolean[] down = new boolean[3];
                Random random = new Random(23);
                for (int draw = 0; draw < 16; draw++) {
                    redraw(search, random);
                    double[] gradient = sizeGradient(search, new double[] {v, v, v});
                    for (int l = 0; l < 3; l++) {
                        up[l] |= gradient[l] < 0;
                        down[l] |= gradient[l] > 0;
                    }
                }
                for (int l = 0; l < 3; l++) {
                    if (!up[l] || !down[l]) {
                        oneSided.add(l + " " + v);
                    }
                }
            }
        }
        return oneSided;
    }

    private static double[] sizeGradient(SmallSearch search) {
        SmallSearch.Run run = search.run(MOVING);
        run.tape().backward(run.loss());
        return search.weights.sizeGradient().orElse(null);
    }

    private static double[] sizeGradient(SmallSearch search, double[] v) {
        search.weights.setSoftSizes(v);
        double[] gradient = sizeGradient(search);
        search.weights.usePredictedSizes();
        return gradient;
    }

    private static void redraw(SmallSearch search, Random random) {
        for (Parameter p : search.weights.parameters()) {
            if (p.name().endsWith(".A") || p.name().endsWith(".table")) {
                search.backend.write(
                        p.value(), random.doubles(p.value().count(), -1, 1).toArray());
            }
        }
    }

    // Zero biases and modulation would leave some gradients at zero.
    private static void moveOffZero(SmallSearch search) {
        Random random = new Random(29);
        for (Parameter p : search.weights.parameters()) {
            double[] values = search.backend.readDoubles(p.value());
            for (int i = 0; i < values.length; i++) {
                values[i] += 0.05 * random.nextGaussian();
            }
            search.backend.write(p.value(), values);
        }
    }

    private static List<double[]> gradients(SmallSearch search) {
        SmallSearch.Run run = search.run(MOVING);
        run.tape().backward(run.loss());
        return search.weights.parameters().stream()
                .map(p -> search.backend.readDoubles(run.tape().gradient(p)))
                .toList();
    }

    private static double[] direction(int n, int draw, Random random) {
        double[] direction = new double[n];
        if (draw == 0) {
            direction[random.nextInt(n)] = 1;
        } else {
            Arrays.setAll(direction, i -> random.nextGaussian() / Math.sqrt(n));
        }
        return direction;
    }

    private static double difference(SmallSearch search, Parameter p, double[] direction) {
        double h = 2e-6;
        double[] values = search.backend.readDoubles(p.value());
        double[] moved = new double[values.length];
        Arrays.setAll(moved, i -> values[i] + h * direction[i]);
        search.backend.write(p.value(), moved);
        double above = search.loss(MOVING);
        Arrays.setAll(moved, i -> values[i] - h * direction[i]);
        search.backend.write(p.value(), moved);
        double below = search.loss(MOVING);
        search.backend.write(p.value(), values);
        return (above - below) / (2 * h);
    }

    private static double dot(double[] a, double[] b) {
        double sum = 0;
        for (int i = 0; i < a.length; i++) {
            sum += a[i] * b[i];
        }
        return sum;
    }

    private static double length(double[] a) {
        return Math.sqrt(dot(a, a));
    }
}

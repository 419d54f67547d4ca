package org.effconv.flexconv;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.effconv.autodiff.GradientCheck;
import org.effconv.autodiff.Ops;
import org.effconv.autodiff.Tape;
import org.effconv.backend.Backend;
import org.effconv.backend.cpu.CpuBackend;
import org.effconv.error.EffconvException.JobFailed;
import org.effconv.nn.Architecture;
import org.effconv.nn.Network;
import org.effconv.nn.NetworkPlan;
import org.effconv.nn.WeightSource.Progress;
import org.effconv.search.SmallSearch;
import org.effconv.tensor.Arena;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Continuous kernels against their definition, and their gradients against central differences in fp64. */
class ContinuousKernelsTest {
    @ParameterizedTest(name = "grid {0} of kmax {1}")
    @CsvSource({"1, 1", "1, 7", "3, 3", "5, 9", "7, 33"})
    void featuresAreThoseOfTheDefinition(int grid, int kmax) {
        Random random = new Random(2);
        double[] p = MagNet.initial(random);
        double[] mask = {0.1, 0.4, -0.2, 0.3};
        double[] features = MagNet.features(p, mask, new MagNet.Taps(grid, kmax));
        assertEquals(grid * grid * 33, features.length);
        for (int t = 0; t < grid * grid; t++) {
            double half = Math.max(1, kmax / 2);
            double[] x = {(t / grid - grid / 2) / half, (t % grid - grid / 2) / half};
            double[] z = naive(p, x);
            double m = Math.exp(-0.5 * (Math.pow((x[0] - 0.1) / 0.4, 2) + Math.pow((x[1] + 0.2) / 0.3, 2)));
            for (int h = 0; h < 32; h++) {
                assertEquals(m * z[h], features[t * 33 + h], 1e-12, "tap " + t + ", feature " + h);
            }
            assertEquals(m, features[t * 33 + 32], 1e-15);
        }
    }

    // Written from the formula, by the order of the packed parameters: mu, gamma, W, b, V, c.
    private static double[] naive(double[] p, double[] x) {
        double[] z = null;
        for (int i = 0; i < 4; i++) {
            double[] next = new double[32];
            for (int h = 0; h < 32; h++) {
                int at = (i * 32 + h) * 2;
                double g = Math.exp(-0.5
                                * (Math.pow(p[256 + at] * (x[0] - p[at]), 2)
                                        + Math.pow(p[256 + at + 1] * (x[1] - p[at + 1]), 2)))
                        * Math.sin(p[512 + at] * x[0] + p[512 + at + 1] * x[1] + p[768 + i * 32 + h]);
                double sum = 1;
                if (i > 0) {
                    sum = p[896 + 3072 + (i - 1) * 32 + h];
                    for (int j = 0; j < 32; j++) {
                        sum += p[896 + ((i - 1) * 32 + h) * 32 + j] * z[j];
                    }
                }
                next[h] = g * sum;
            }
            z = next;
        }
        return z;
    }

    @Test
    void theEffectiveSizeIsWhereTheMaskFallsToATenth() {
        double reach = Math.sqrt(-2 * Math.log(0.1)); // in sigmas
        assertEquals(5, MagNet.size(MagNet.initialMask(), 33)); // 0.075 * 2.146 * 16 = 2.6 rings
        assertEquals(1, MagNet.size(new double[] {0, 0.9 / (16 * reach), 0, 0.01}, 33));
        assertEquals(3, MagNet.size(new double[] {0, 1.1 / (16 * reach), 0, 0.01}, 33));
        assertEquals(3, MagNet.size(new double[] {0, 0.01, 0, 1.1 / (16 * reach)}, 33));
        assertEquals(33, MagNet.size(new double[] {0, 9, 0, 9}, 33));
        assertEquals(1, MagNet.size(new double[] {0, 9, 0, 9}, 1));
        assertEquals(
                7,
                MagNet.size(
                        new double[] {-0.15, 1 / (16 * reach), 0, 0.01}, 33)); // centre 2.4 rings away, reach 1 more
    }

    @ParameterizedTest
    @ValueSource(doubles = {Double.NaN, Double.POSITIVE_INFINITY})
    void aMaskThatIsNotFiniteHasNoSize(double broken) {
        try (Backend backend = CpuBackend.open(1)) {
            NetworkPlan plan =
                    NetworkPlan.of(Architecture.parse(SmallSearch.NETWORK, "test"), new NetworkPlan.Input(9, 7, 2, 3));
            for (int i = 0; i < 4; i++) {
                try (ContinuousKernels kernels = new ContinuousKernels(backend, DataType.F32, plan, 3)) {
                    double[] mask = {0, 0.2, 0, 0.2};
                    mask[i] = broken;
                    backend.write(kernels.parameters().get(4).value(), mask); // the second layer's
                    String message =
                            assertThrows(JobFailed.class, kernels::sizes).getMessage();
                    assertTrue(
                            message.startsWith("the mask of layer "
                                    + plan.sizedLayers().get(1).name() + " is " + broken),
                            message);
                }
            }
        }
    }

    @Test
    void gradientsAgreeWithCentralDifferences() {
        try (Backend backend = CpuBackend.open(1);
                GradientCheck check = new GradientCheck(backend, 4)) {
            NetworkPlan plan =
                    NetworkPlan.of(Architecture.parse(SmallSearch.NETWORK, "test"), new NetworkPlan.Input(9, 7, 2, 3));
            try (ContinuousKernels kernels = new ContinuousKernels(backend, DataType.F64, plan, 3);
                    Network network = new Network(backend, plan, DataType.F64, 5)) {
                // Wide and off the centre, so that grids are of several sizes and no border of theirs is near.
                double[][] masks = {{0.1, 0.33, -0.05, 0.21}, {-0.02, 0.4, 0.1, 0.25}, {0, 0.15, 0, 0.2}};
                List<org.effconv.autodiff.Parameter> parameters = kernels.parameters();
                for (int l = 0; l < 3; l++) {
                    backend.write(parameters.get(3 * l + 1).value(), masks[l]);
                }
                assertArrayEquals(new int[] {7, 7, 3}, kernels.sizes());
                Tensor images = check.normal(6, 9, 7, 2);
                Tensor labels = Tensor.allocate(backend.memory(), DataType.I32, Shape.of(6));
                backend.write(labels, new int[] {0, 1, 2, 2, 1, 0});
                check.samples(60)
                        .checkParameters(
                                "continuous kernels",
                                tape -> {
                                    kernels.begin(tape, new Progress(0, 1));
                                    return Ops.softmaxCrossEntropy(
                                                    tape,
                                                    network.forward(tape, tape.constant(images), kernels, 1),
                                                    labels,
                                                    0.1)
                                            .loss();
                                },
                                parameters);
                labels.close();
            }
        }
    }

    @Test
    void useHasTheKernelsOfTrainingAndTheyStartWithHesVariance() {
        try (Backend backend = CpuBackend.open(1);
                Arena arena = new Arena(backend.memory())) {
            NetworkPlan plan = SmallSearch.plan("cnn6", 32, 32, 3, 10);
            try (ContinuousKernels kernels = new ContinuousKernels(backend, DataType.F32, plan, 1)) {
                kernels.begin(new Tape(backend, arena, true), new Progress(0, 1));
                List<float[]> training = new java.util.ArrayList<>();
                for (int l = 0; l < 6; l++) {
                    training.add(backend.readFloats(kernels.weights(null, l).value()));
                }
                kernels.begin(new Tape(backend, arena, false), new Progress(1, 1));
                for (int l = 0; l < 6; l++) {
                    float[] w = backend.readFloats(kernels.weights(null, l).value());
                    assertArrayEquals(training.get(l), w);
                    double square = 0;
                    for (float x : w) {
                        square += x * x;
                    }
                    int outputs = plan.sizedLayers().get(l).outputChannels();
                    assertEquals(2, square / outputs, 0.5, "sum of squares of an output's weights in layer " + l);
                }
                // Per layer: 3968 + 96 of the network, 4 of the mask, 33 K C of the linear map.
                long owned = plan.sizedLayers().stream()
                        .mapToLong(l -> 4064 + 4 + 33 * l.parametersPerTap())
                        .sum();
                assertEquals(owned, kernels.ownedParameters());
                assertTrue(Arrays.stream(kernels.sizes()).allMatch(k -> k % 2 == 1), Arrays.toString(kernels.sizes()));
            }
        }
    }
}

package org.effconv.nn;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.effconv.autodiff.GradientCheck;
import org.effconv.autodiff.Ops;
import org.effconv.autodiff.Parameter;
import org.effconv.autodiff.Tape;
import org.effconv.autodiff.Variable;
import org.effconv.backend.Backend;
import org.effconv.backend.cpu.CpuBackend;
import org.effconv.nn.NetworkPlan.Input;
import org.effconv.tensor.Arena;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;
import org.effconv.train.TrainedWeights;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Whole networks of every family against central differences in fp64, and in fp32 against fp64, recycled memory
 * poisoned. ReLU's kink is avoided by construction: small weights, while biases and shifts of +6 and -6 put whole
 * channels on one side of it for good (normalised values of a few dozen numbers stay below 6).
 */
class NetworkGradientTest {
    private static final int BATCH = 3;

    private static Backend backend;

    @BeforeAll
    static void open() {
        System.setProperty("effconv.poison", "true");
        backend = CpuBackend.open(1);
    }

    @AfterAll
    static void close() {
        System.clearProperty("effconv.poison");
        backend.close();
    }

    /** A network and its weights with values away from kinks. */
    private static final class Model implements AutoCloseable {
        final Network network;
        final TrainedWeights weights;
        final Tensor images;
        final Tensor labels;

        Model(NetworkPlan plan, int[] sizes, DataType type) {
            network = new Network(backend, plan, type, 3);
            weights = new TrainedWeights(backend, plan, sizes, type, 3);
            for (Parameter p : parameters()) {
                backend.write(p.value(), awayFromKinks(p));
            }
            Input in = plan.input();
            images = Tensor.allocate(backend.memory(), type, Shape.of(BATCH, in.height(), in.width(), in.channels()));
            backend.write(images, Initialization.normal(5, "images", (int) images.count(), 1));
            labels = Tensor.allocate(backend.memory(), DataType.I32, Shape.of(BATCH));
            backend.write(labels, new int[] {1, 0, 2});
        }

        private static float[] awayFromKinks(Parameter p) {
            float[] values = backend.readFloats(p.value());
            boolean perChannel = p.value().shape().rank() == 1;
            for (int i = 0; i < values.length; i++) {
                if (p.name().endsWith(".scale")) {
                    values[i] = 0.6f + 0.05f * (i % 7);
                } else if (perChannel) {
                    values[i] = (i % 2 == 0 ? 6 : -6) + 0.01f * (i % 5);
                } else {
                    values[i] *= 0.1f;
                }
            }
            return values;
        }

        List<Parameter> parameters() {
            List<Parameter> all = new ArrayList<>(network.parameters());
            all.addAll(weights.parameters());
            return all;
        }

        Variable loss(Tape tape) {
            Variable logits = network.forward(tape, tape.constant(images), weights, 11);
            return Ops.softmaxCrossEntropy(tape, logits, labels, 0.1).loss();
        }

        @Override
        public void close() {
            network.close();
            weights.close();
            images.close();
            labels.close();
        }
    }

    @ParameterizedTest
    @CsvSource({ // the last stages keep a dozen values per channel: batch norm over fewer is no task for fp32
        "3, cnn6, 8, 7, 1, 5 3 1 3 5 3",
        "3, lenet, 8, 8, 3, 5 3",
        "3, planted1, 9, 9, 3, 9",
        "2, dwnet, 8, 7, 3, 3 5 3 7 3 1 3",
        "3, flexnet3, 3, 4, 3, 3 1 5 3 3 7 3",
        "1, resnet20, 8, 6, 3, 3 3 5 3 3 1 3 3 3 7 3 3 3 3 3 5 3 3 3"
    })
    void network(int samples, String name, int height, int width, int channels, String sizes) {
        NetworkPlan plan = Architecture.named(name).plan(new Input(height, width, channels, 3));
        int[] k = Arrays.stream(sizes.split(" ")).mapToInt(Integer::parseInt).toArray();
        try (Model exact = new Model(plan, k, DataType.F64);
                Model single = new Model(plan, k, DataType.F32);
                GradientCheck check = new GradientCheck(backend, 13).samples(samples)) {
            check.checkParameters(name, exact::loss, exact.parameters());
            compare(name, gradients(exact), gradients(single), exact.parameters());
        }
    }

    private static List<double[]> gradients(Model model) {
        try (Arena arena = new Arena(backend.memory())) {
            Tape tape = new Tape(backend, arena, true);
            tape.backward(model.loss(tape));
            return model.parameters().stream()
                    .map(p -> backend.readDoubles(tape.gradient(p)))
                    .toList();
        }
    }

    /** Relative to the tensor's norm; gradients that vanish (a bias before a batch norm) to the largest tensor's. */
    private static void compare(String name, List<double[]> exact, List<double[]> single, List<Parameter> parameters) {
        double largest =
                exact.stream().mapToDouble(NetworkGradientTest::norm).max().getAsDouble();
        for (int i = 0; i < exact.size(); i++) {
            double[] difference = exact.get(i).clone();
            for (int j = 0; j < difference.length; j++) {
                difference[j] -= single.get(i)[j];
            }
            double error = norm(difference);
            assertTrue(
                    error <= 1e-3 * (norm(exact.get(i)) + 1e-3 * largest),
                    name + ", " + parameters.get(i) + " in fp32: error " + error + " of " + norm(exact.get(i)));
        }
    }

    private static double norm(double[] v) {
        return Math.sqrt(Arrays.stream(v).map(x -> x * x).sum());
    }
}

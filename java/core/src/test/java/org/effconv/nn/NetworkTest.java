package org.effconv.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.effconv.autodiff.Ops;
import org.effconv.autodiff.Parameter;
import org.effconv.autodiff.Tape;
import org.effconv.autodiff.Variable;
import org.effconv.backend.Activation;
import org.effconv.backend.Backend;
import org.effconv.backend.Convolution;
import org.effconv.backend.Pooling;
import org.effconv.backend.cpu.CpuBackend;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.nn.NetworkPlan.Input;
import org.effconv.tensor.Arena;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;
import org.effconv.train.TrainedWeights;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class NetworkTest {
    private Backend backend;

    @BeforeEach
    void open() {
        backend = CpuBackend.open(1);
    }

    @AfterEach
    void close() {
        backend.close();
        assertEquals(0, backend.liveBytes());
    }

    static List<String> builtIns() {
        return Architecture.builtIns();
    }

    private static NetworkPlan plan(String name) {
        return Architecture.named(name).plan(new Input(8, 8, 3, 4));
    }

    private Tensor images(int n) {
        Tensor t = Tensor.allocate(backend.memory(), DataType.F32, Shape.of(n, 8, 8, 3));
        backend.write(t, Initialization.normal(1, "images", (int) t.count(), 1));
        return t;
    }

    private float[] logits(Network network, WeightSource weights, Arena arena, Tensor x, boolean training, long seed) {
        Tape tape = new Tape(backend, arena, training);
        Variable y = network.forward(tape, tape.constant(x), weights, seed);
        float[] values = backend.readFloats(y.value());
        arena.reset();
        return values;
    }

    @ParameterizedTest
    @MethodSource("builtIns")
    void everyBuiltInTrainsAndInfers(String name) {
        NetworkPlan plan = plan(name);
        try (Network network = new Network(backend, plan, DataType.F32, 1);
                TrainedWeights weights = new TrainedWeights(backend, plan, plan.defaultSizes(), DataType.F32, 1);
                Arena arena = new Arena(backend.memory());
                Tensor x = images(5)) {
            float[] trained = logits(network, weights, arena, x, true, 1);
            assertEquals(5 * 4, trained.length);
            for (float v : logits(network, weights, arena, x, false, 1)) {
                assertTrue(Float.isFinite(v));
            }
            long count = network.parameters().stream()
                            .mapToLong(p -> p.value().count())
                            .sum()
                    + weights.parameters().stream()
                            .mapToLong(p -> p.value().count())
                            .sum();
            assertEquals(plan.parameters(plan.defaultSizes()), count);
        }
    }

    @Test
    void aNetworkThatStartsFromAnotherComputesWhatThatDoes() {
        NetworkPlan plan = plan("resnet20");
        try (Network learned = new Network(backend, plan, DataType.F32, 1);
                Network other = new Network(backend, plan, DataType.F32, 2);
                TrainedWeights weights = new TrainedWeights(backend, plan, plan.defaultSizes(), DataType.F32, 1);
                Arena arena = new Arena(backend.memory());
                Tensor x = images(5)) {
            logits(learned, weights, arena, x, true, 1); // moves the running statistics
            float[] expected = logits(learned, weights, arena, x, false, 1);
            assertFalse(Arrays.equals(expected, logits(other, weights, arena, x, false, 1)));
            other.startFrom(backend, learned);
            assertArrayEquals(expected, logits(other, weights, arena, x, false, 1));
            learned.parameters().forEach(p -> backend.fill(p.value(), 0)); // a copy of its own
            assertArrayEquals(expected, logits(other, weights, arena, x, false, 1));
            try (Network another = new Network(backend, plan("cnn6"), DataType.F32, 1)) {
                String refusal = assertThrows(IllegalArgumentException.class, () -> another.startFrom(backend, learned))
                        .getMessage();
                assertTrue(
                        refusal.contains("cannot start from"),
                        refusal); // and not only in the first copy that does not fit
            }
        }
    }

    /**
     * The same operations written out, for blocks whose addition a batch norm takes and for one that adds by itself.
     */
    @Test
    void stepsAreWhatTheLayerListSays() {
        String json = "{\"name\": \"mine\", \"layers\": ["
                + "{\"type\": \"conv\", \"channels\": 4, \"bias\": true}, {\"type\": \"gelu\"},"
                + "{\"type\": \"residual\", \"activation\": \"relu\", \"body\": ["
                + "  {\"type\": \"conv\", \"channels\": \"same\", \"groups\": 2}, {\"type\": \"batchNorm\"}]},"
                + "{\"type\": \"pool\", \"kind\": \"average\", \"size\": 2},"
                + "{\"type\": \"residual\", \"activation\": \"relu\","
                + "  \"body\": [{\"type\": \"batchNorm\"}, {\"type\": \"relu\"}, {\"type\": \"conv\", \"channels\": 6, \"stride\": 2}],"
                + "  \"shortcut\": [{\"type\": \"conv\", \"channels\": 6, \"kernel\": 3, \"stride\": 2}]},"
                + "{\"type\": \"linear\", \"outputs\": \"classes\", \"bias\": false}]}";
        NetworkPlan plan = Architecture.parse(json, "mine.json").plan(new Input(8, 8, 3, 4));
        try (Network network = new Network(backend, plan, DataType.F32, 1);
                TrainedWeights weights = new TrainedWeights(backend, plan, new int[] {3, 5, 1}, DataType.F32, 1);
                Arena arena = new Arena(backend.memory());
                Tensor x = images(2)) {
            network.parameters().stream()
                    .filter(p -> p.name().equals("conv1.bias"))
                    .forEach(p -> backend.fill(p.value(), 0.3));
            float[] actual = logits(network, weights, arena, x, true, 1);
            Map<String, Parameter> p = new HashMap<>();
            network.parameters().forEach(q -> p.put(q.name(), q));
            weights.parameters().forEach(q -> p.put(q.name(), q));
            Tape t = new Tape(backend, arena, true);
            Function<String, Variable> leaf = name -> t.parameter(p.get(name));
            Variable a = Ops.activation(
                    t,
                    Activation.GELU,
                    Ops.convolution(
                            t, Convolution.PLAIN, t.constant(x), leaf.apply("conv1.weight"), leaf.apply("conv1.bias")));
            Variable b = Ops.convolution(t, new Convolution(1, 2), a, leaf.apply("residual1.conv1.weight"), null);
            Variable c =
                    Ops.add(t, a, norm(t, network, leaf, "residual1.batchNorm1", b, Activation.NONE), Activation.RELU);
            Variable d = Ops.pool(t, new Pooling(Pooling.Kind.AVERAGE, 2, 2, 0), c);
            Variable e = norm(t, network, leaf, "residual2.batchNorm1", d, Activation.RELU);
            Convolution strided = new Convolution(2, 1);
            Variable f = Ops.add(
                    t,
                    Ops.convolution(t, strided, e, leaf.apply("residual2.conv1.weight"), null),
                    Ops.convolution(t, strided, d, leaf.apply("residual2.shortcut.conv1.weight"), null),
                    Activation.RELU);
            Variable expected = Ops.linear(t, Ops.flatten(t, f), leaf.apply("linear1.weight"), null);
            assertArrayEquals(backend.readFloats(expected.value()), actual, 1e-5f);
        }
    }

    private static Variable norm(
            Tape tape, Network network, Function<String, Variable> leaf, String name, Variable x, Activation act) {
        Ops.BatchNormState state = new Ops.BatchNormState(
                1e-5,
                0.1,
                network.buffers().get(name + ".runningMean"),
                network.buffers().get(name + ".runningVariance"));
        return Ops.batchNorm(tape, x, leaf.apply(name + ".scale"), leaf.apply(name + ".shift"), null, act, state);
    }

    /**
     * The bound on the gradients is what fp32 itself gives when its weights are disturbed by bf16's rounding, 0.4 %:
     * that alone flips enough ReLUs of an untrained resnet20 to turn the gradient to a cosine of 0.94.
     */
    @ParameterizedTest
    @ValueSource(strings = {"cnn6", "lenet", "resnet20", "dwnet"})
    void inBf16NetworksFollowFp32(String name) {
        NetworkPlan plan = plan(name);
        List<double[]> single = logitsAndGradients(plan, DataType.F32);
        List<double[]> half = logitsAndGradients(plan, DataType.BF16);
        assertTrue(cosine(single.get(0), half.get(0)) > 0.995, "logits: " + cosine(single.get(0), half.get(0)));
        double[] all = single.stream().skip(1).flatMapToDouble(Arrays::stream).toArray();
        double[] allHalf = half.stream().skip(1).flatMapToDouble(Arrays::stream).toArray();
        assertTrue(cosine(all, allHalf) > 0.93, "gradients: " + cosine(all, allHalf));
    }

    private List<double[]> logitsAndGradients(NetworkPlan plan, DataType type) {
        try (Network network = new Network(backend, plan, type, 1);
                TrainedWeights weights = new TrainedWeights(backend, plan, plan.defaultSizes(), type, 1);
                Arena arena = new Arena(backend.memory());
                Tensor images = images(16);
                Tensor x = Tensor.allocate(backend.memory(), type, images.shape());
                Tensor labels = Tensor.allocate(backend.memory(), DataType.I32, Shape.of(16))) {
            backend.copy(images, x);
            backend.write(labels, new int[] {0, 1, 2, 3, 0, 1, 2, 3, 3, 2, 1, 0, 3, 2, 1, 0});
            Tape tape = new Tape(backend, arena, true);
            Variable logits = tape.keep(network.forward(tape, tape.constant(x), weights, 1));
            tape.backward(Ops.softmaxCrossEntropy(tape, logits, labels, 0).loss());
            List<double[]> values = new ArrayList<>(List.of(backend.readDoubles(logits.value())));
            for (Parameter p : network.parameters()) {
                values.add(backend.readDoubles(tape.gradient(p)));
            }
            for (Parameter p : weights.parameters()) {
                assertEquals(DataType.F32, tape.gradient(p).type());
                values.add(backend.readDoubles(tape.gradient(p)));
            }
            return values;
        }
    }

    private static double cosine(double[] a, double[] b) {
        double ab = 0;
        double aa = 0;
        double bb = 0;
        for (int i = 0; i < a.length; i++) {
            ab += a[i] * b[i];
            aa += a[i] * a[i];
            bb += b[i] * b[i];
        }
        return ab / Math.sqrt(aa * bb);
    }

    @Test
    void inferenceUsesRunningStatisticsAndLeavesThemAlone() {
        NetworkPlan plan = plan("planted1");
        try (Network network = new Network(backend, plan, DataType.F32, 1);
                TrainedWeights weights = new TrainedWeights(backend, plan, new int[] {3}, DataType.F32, 1);
                Arena arena = new Arena(backend.memory());
                Tensor x = images(64)) {
            Tensor mean = network.buffers().get("batchNorm1.runningMean");
            float[] ones = new float[16];
            Arrays.fill(ones, 1);
            assertArrayEquals(ones, backend.readFloats(network.buffers().get("batchNorm1.runningVariance")));
            float[] before = logits(network, weights, arena, x, false, 1);
            assertArrayEquals(new float[16], backend.readFloats(mean));
            float[] training = logits(network, weights, arena, x, true, 1);
            for (int i = 0; i < 200; i++) {
                logits(network, weights, arena, x, true, 1);
            }
            float[] running = backend.readFloats(mean);
            float[] after = logits(network, weights, arena, x, false, 1);
            assertArrayEquals(running, backend.readFloats(mean));
            assertFalse(Arrays.equals(before, after));
            assertArrayEquals(training, after, 2e-3f); // running variance is the unbiased one
        }
    }

    @Test
    void dropoutDependsOnTheStepSeedInTrainingOnly() {
        NetworkPlan plan = plan("flexnet3");
        try (Network network = new Network(backend, plan, DataType.F32, 1);
                TrainedWeights weights = new TrainedWeights(backend, plan, plan.uniformSizes(1), DataType.F32, 1);
                Arena arena = new Arena(backend.memory());
                Tensor x = images(2)) {
            float[] one = logits(network, weights, arena, x, true, 1);
            assertArrayEquals(one, logits(network, weights, arena, x, true, 1));
            assertFalse(Arrays.equals(one, logits(network, weights, arena, x, true, 2)));
            assertArrayEquals(
                    logits(network, weights, arena, x, false, 1), logits(network, weights, arena, x, false, 2));
        }
    }

    private static NetworkPlan small(String inner) {
        String json = "{\"name\": \"mine\", \"layers\": [{\"type\": \"conv\", \"channels\": 16}, " + inner
                + ", {\"type\": \"globalAveragePool\"}, {\"type\": \"linear\", \"outputs\": \"classes\", \"bias\": false}]}";
        return Architecture.parse(json, "mine.json").plan(new Input(8, 8, 3, 4));
    }

    private float[] logits(NetworkPlan plan, boolean training) {
        try (Network network = new Network(backend, plan, DataType.F32, 1);
                TrainedWeights weights = new TrainedWeights(backend, plan, plan.defaultSizes(), DataType.F32, 1);
                Arena arena = new Arena(backend.memory());
                Tensor x = images(2)) {
            return logits(network, weights, arena, x, training, 1);
        }
    }

    /** One mask applied twice would be the same elements, doubled. */
    @Test
    void twoDropoutsDrawTwoMasks() {
        String dropout = "{\"type\": \"dropout\", \"rate\": 0.5}";
        float[] once = logits(small(dropout), true);
        float[] twice = logits(small(dropout + ", " + dropout), true);
        assertFalse(Math.abs(twice[0] - 2 * once[0]) < 1e-4);
    }

    @Test
    void nestedBlocksReadTheirInputAsLongAsTheyNeedIt() {
        NetworkPlan plan = small("{\"type\": \"residual\", \"body\": [{\"type\": \"residual\", \"body\": ["
                + "{\"type\": \"conv\", \"channels\": \"same\"}]}]}");
        assertArrayEquals(logits(plan, true), logits(plan, false), 1e-6f);
    }

    @Test
    void startValuesDependOnSeedAndNameAlone() {
        float[] three = Initialization.normal(4, "stem.weight", 3, 1);
        assertArrayEquals(three, Arrays.copyOf(Initialization.normal(4, "stem.weight", 9, 1), 3));
        assertFalse(Arrays.equals(three, Initialization.normal(5, "stem.weight", 3, 1)));
        assertFalse(Arrays.equals(three, Initialization.normal(4, "conv.weight", 3, 1)));
        float[] many = Initialization.normal(4, "stem.weight", 40_001, 0.5);
        double sum = 0;
        double square = 0;
        for (float v : many) {
            sum += v;
            square += v * v;
        }
        assertEquals(0, sum / many.length, 0.01);
        assertEquals(0.25, square / many.length, 0.01);
    }

    @Test
    void weightsStartKaimingNormalOrWarm() {
        NetworkPlan plan = plan("planted3");
        try (TrainedWeights weights = new TrainedWeights(backend, plan, new int[] {5, 5, 5}, DataType.F32, 1)) {
            float[] values = backend.readFloats(weights.parameters().get(1).value()); // 16 -> 16 channels
            double square = 0;
            for (float v : values) {
                square += v * v;
            }
            assertEquals(2.0 / (25 * 16), square / values.length, 0.1 * 2.0 / (25 * 16));
            List<float[]> initial = List.of(values(48), values(16 * 16), values(16 * 16 * 9));
            try (TrainedWeights warm =
                    new TrainedWeights(backend, plan, new int[] {1, 1, 3}, DataType.F32, 1, initial)) {
                assertArrayEquals(
                        initial.get(2),
                        backend.readFloats(warm.parameters().get(2).value()));
            }
            assertThrows(
                    IllegalArgumentException.class,
                    () -> new TrainedWeights(backend, plan, new int[] {1, 3, 3}, DataType.F32, 1, initial));
            assertThrows(
                    InvalidInput.class, () -> new TrainedWeights(backend, plan, new int[] {1, 2, 3}, DataType.F32, 1));
        }
    }

    private static float[] values(int count) {
        float[] v = new float[count];
        for (int i = 0; i < count; i++) {
            v[i] = i;
        }
        return v;
    }

    @Test
    void memoryOfInferenceDoesNotGrowWithDepth() {
        long[] bytes = new long[2];
        for (int i = 0; i < 2; i++) {
            NetworkPlan plan = plan(i == 0 ? "resnet20" : "resnet56");
            try (Network network = new Network(backend, plan, DataType.F32, 1);
                    TrainedWeights weights = new TrainedWeights(backend, plan, plan.defaultSizes(), DataType.F32, 1);
                    Arena arena = new Arena(backend.memory());
                    Tensor x = images(4)) {
                logits(network, weights, arena, x, false, 1);
                bytes[i] = arena.bytes();
            }
        }
        assertEquals(bytes[0], bytes[1]);
    }

    @Test
    void parametersDecayAsTheirKindSays() {
        NetworkPlan plan = plan("flexnet3");
        try (Network network = new Network(backend, plan, DataType.F32, 1)) {
            for (Parameter p : network.parameters()) {
                assertEquals(p.name().endsWith(".weight"), p.decayed(), p.name());
            }
        }
    }

    @Test
    void anInputOfAnotherShapeOrTypeIsRefused() {
        NetworkPlan plan = plan("planted1");
        try (Network network = new Network(backend, plan, DataType.BF16, 1);
                TrainedWeights weights = new TrainedWeights(backend, plan, new int[] {3}, DataType.BF16, 1);
                Arena arena = new Arena(backend.memory());
                Tensor x = images(2)) {
            Tape tape = new Tape(backend, arena, false);
            assertThrows(IllegalArgumentException.class, () -> network.forward(tape, tape.constant(x), weights, 1));
        }
    }
}

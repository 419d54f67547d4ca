package org.effconv.autodiff;

import java.util.List;
import org.effconv.backend.Activation;
import org.effconv.backend.Backend;
import org.effconv.backend.Convolution;
import org.effconv.backend.Pooling;
import org.effconv.backend.cpu.CpuBackend;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Every operation against central differences in fp64, recycled memory poisoned. Kinks are avoided by construction: the
 * inputs of ReLU and maximum stand on a grid of spacing 0.05 that leaves out 0, three orders above the step; after
 * batch norm, shifts of +-8 put whole channels on one side (normalised values of n numbers stay below sqrt(n)).
 */
class OpsGradientTest {
    private static Backend backend;
    private GradientCheck check;

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

    @BeforeEach
    void newCheck() {
        check = new GradientCheck(backend, 7);
    }

    @AfterEach
    void closeCheck() {
        check.close();
    }

    @ParameterizedTest
    @CsvSource({ // N, H, W, C, K, k, stride, groups
        "2, 5, 4, 1, 3, 3, 1, 1", "1, 1, 1, 3, 2, 1, 1, 1", "1, 1, 1, 3, 2, 5, 1, 1", "2, 3, 2, 3, 4, 7, 1, 1",
        "1, 6, 7, 17, 5, 3, 2, 1", "2, 5, 5, 3, 3, 5, 2, 1", "1, 7, 6, 6, 4, 3, 1, 2", "2, 6, 5, 17, 17, 3, 1, 17",
        "1, 5, 5, 3, 3, 9, 2, 3", "1, 4, 4, 2, 6, 3, 1, 2", "1, 1, 9, 1, 1, 11, 1, 1", "1, 9, 9, 1, 2, 33, 1, 1",
        "3, 2, 2, 5, 1, 1, 2, 1"
    })
    void convolution(int n, int h, int w, int c, int k, int size, int stride, int groups) {
        Convolution convolution = new Convolution(stride, groups);
        check.check(
                convolution + " k=" + size,
                (tape, in) -> Ops.convolution(tape, convolution, in[0], in[1], in[2]),
                check.normal(n, h, w, c),
                check.normal(k, size, size, c / groups),
                check.normal(k));
    }

    @Test
    void convolutionWithoutBias() {
        check.check(
                "convolution without bias",
                (tape, in) -> Ops.convolution(tape, Convolution.PLAIN, in[0], in[1], null),
                check.normal(1, 3, 3, 2),
                check.normal(2, 3, 3, 2));
    }

    @ParameterizedTest
    @CsvSource({"1, 1, 1", "3, 17, 5", "2, 4, 1"})
    void linear(int n, int d, int o) {
        check.check(
                "linear",
                (tape, in) -> Ops.linear(tape, in[0], in[1], in[2]),
                check.normal(n, d),
                check.normal(o, d),
                check.normal(o));
        check.check(
                "linear without bias",
                (tape, in) -> Ops.linear(tape, in[0], in[1], null),
                check.normal(n, d),
                check.normal(o, d));
    }

    @ParameterizedTest
    @CsvSource({"2, 1, 1, 3", "3, 3, 2, 1", "2, 2, 3, 17"})
    void batchNorm(int n, int h, int w, int c) {
        Tensor x = check.normal(n, h, w, c);
        Tensor scale = check.normal(c);
        Tensor residual = check.kinkless(n, h, w, c);
        Tensor shift = check.of(alternating(c, 8), c);
        backend.fill(residual, 0.25);
        for (Activation act : new Activation[] {Activation.NONE, Activation.RELU}) {
            check.check(
                    "batchNorm " + act,
                    (tape, in) -> Ops.batchNorm(tape, in[0], in[1], in[2], null, act, state(in[1])),
                    x,
                    scale,
                    shift);
            check.check(
                    "batchNorm with residual " + act,
                    (tape, in) -> Ops.batchNorm(tape, in[0], in[1], in[2], in[3], act, state(in[1])),
                    x,
                    scale,
                    shift,
                    residual);
        }
    }

    private Ops.BatchNormState state(Variable scale) {
        Tensor mean = check.like(scale.value(), 0);
        return new Ops.BatchNormState(1e-5, 0.1, mean, check.like(scale.value(), 1));
    }

    private static double[] alternating(int count, double magnitude) {
        double[] values = new double[count];
        for (int i = 0; i < count; i++) {
            values[i] = i % 2 == 0 ? magnitude : -magnitude;
        }
        return values;
    }

    @ParameterizedTest
    @CsvSource({"1, 5", "4, 17", "3, 2"})
    void layerNorm(int rows, int d) {
        check.check(
                "layerNorm",
                (tape, in) -> Ops.layerNorm(tape, in[0], in[1], in[2], 1e-5),
                check.normal(rows, d),
                check.normal(d),
                check.normal(d));
    }

    @ParameterizedTest
    @EnumSource(Activation.class)
    void activation(Activation act) {
        check.check("activation " + act, (tape, in) -> Ops.activation(tape, act, in[0]), check.kinkless(2, 3, 3, 3));
    }

    @Test
    void add() {
        Tensor a = check.kinkless(2, 2, 3, 3);
        Tensor b = check.of(
                java.util.stream.DoubleStream.generate(() -> 0.03).limit(36).toArray(), 2, 2, 3, 3);
        for (Activation act : new Activation[] {Activation.NONE, Activation.RELU}) {
            check.check("add " + act, (tape, in) -> Ops.add(tape, in[0], in[1], act), a, b);
            check.check("x + x " + act, (tape, in) -> Ops.add(tape, in[0], in[0], act), a);
        }
    }

    @ParameterizedTest
    @CsvSource({"2, 2, 0", "3, 2, 1", "3, 1, 1", "2, 1, 0", "1, 2, 0", "3, 3, 2"})
    void pool(int size, int stride, int padding) {
        for (Pooling.Kind kind : Pooling.Kind.values()) {
            Pooling p = new Pooling(kind, size, stride, padding);
            check.check(p.toString(), (tape, in) -> Ops.pool(tape, p, in[0]), check.kinkless(2, 5, 4, 3));
            check.check(p.toString(), (tape, in) -> Ops.pool(tape, p, in[0]), check.kinkless(1, 3, 3, 1));
        }
    }

    @Test
    void globalAveragePoolAndFlatten() {
        check.check("globalAveragePool", (tape, in) -> Ops.globalAveragePool(tape, in[0]), check.normal(2, 3, 1, 17));
        check.check("flatten", (tape, in) -> Ops.flatten(tape, in[0]), check.normal(2, 3, 2, 3));
        check.check(
                "flatten of an inner value",
                (tape, in) -> Ops.scale(tape, Ops.flatten(tape, Ops.activation(tape, Activation.GELU, in[0])), 2),
                check.normal(2, 3, 2, 3));
    }

    @Test
    void dropoutKeepsTheSameElementsBothWays() {
        check.check("dropout", (tape, in) -> Ops.dropout(tape, in[0], 0.4, 99), check.normal(3, 5, 2, 3));
    }

    @ParameterizedTest
    @CsvSource({"1, 2, 0", "3, 10, 0.1", "4, 3, 0.5"})
    void softmaxCrossEntropy(int n, int classes, double smoothing) {
        Tensor labels = labels(n, classes);
        check.check(
                "softmaxCrossEntropy",
                (tape, in) ->
                        Ops.softmaxCrossEntropy(tape, in[0], labels, smoothing).loss(),
                check.normal(n, classes));
        check.check(
                "loss plus loss of a common input",
                (tape, in) -> {
                    Variable loss = Ops.softmaxCrossEntropy(tape, in[0], labels, smoothing)
                            .loss();
                    return Ops.sum(tape, loss, Ops.scale(tape, loss, 0.7));
                },
                check.normal(n, classes));
        labels.close();
    }

    /** The loss's gradient is the backward pass's own 1, to which a second path adds. */
    @Test
    void lossCountedTwice() {
        Tensor labels = labels(3, 4);
        Parameter logits = new Parameter("logits", check.normal(3, 4), true);
        check.checkParameters(
                "loss counted twice",
                tape -> {
                    Variable loss = Ops.softmaxCrossEntropy(tape, tape.parameter(logits), labels, 0.1)
                            .loss();
                    return Ops.sum(tape, loss, Ops.scale(tape, loss, 0.7));
                },
                List.of(logits));
        labels.close();
    }

    private static Tensor labels(int n, int classes) {
        Tensor labels = Tensor.allocate(backend.memory(), DataType.I32, Shape.of(n));
        int[] values = new int[n];
        for (int i = 0; i < n; i++) {
            values[i] = (i * 7 + 1) % classes;
        }
        backend.write(labels, values);
        return labels;
    }

    @ParameterizedTest
    @CsvSource({"1, 3, 2", "5, 4, 3", "7, 1, 1"})
    void gru(int length, int input, int hidden) {
        Tensor[] in = new Tensor[9];
        in[0] = check.normal(length, input);
        for (int direction = 0; direction < 2; direction++) {
            in[1 + 4 * direction] = check.normal(3 * hidden, input);
            in[2 + 4 * direction] = check.normal(3 * hidden, hidden);
            in[3 + 4 * direction] = check.normal(3 * hidden);
            in[4 + 4 * direction] = check.normal(3 * hidden);
        }
        check.check(
                "gru",
                (tape, v) -> Ops.gru(
                        tape,
                        v[0],
                        new Ops.GruWeights(v[1], v[2], v[3], v[4]),
                        new Ops.GruWeights(v[5], v[6], v[7], v[8])),
                in);
    }

    @Test
    void scaleAndSum() {
        check.check("scale", (tape, in) -> Ops.scale(tape, in[0], -2.5), check.normal(1));
        check.check(
                "sum", (tape, in) -> Ops.sum(tape, in[0], Ops.scale(tape, in[1], 3)), check.normal(1), check.normal(1));
    }

    /** A value with many consumers, an alias among them: gradients are added, moved and copied on every path. */
    @Test
    void sharedValues() {
        check.check(
                "shared",
                (tape, in) -> {
                    Variable x = Ops.activation(tape, Activation.GELU, in[0]);
                    Variable a = Ops.add(tape, x, in[0], Activation.NONE);
                    Variable b = Ops.add(tape, a, a, Activation.NONE);
                    Variable c = Ops.add(tape, b, Ops.scale(tape, x, 0.5), Activation.NONE);
                    Variable flat = Ops.flatten(tape, c);
                    Variable again = Ops.reshape(tape, flat, x.shape());
                    Variable d = Ops.add(tape, Ops.activation(tape, Activation.GELU, again), c, Activation.NONE);
                    return Ops.sum(tape, d, Ops.activation(tape, Activation.GELU, a));
                },
                check.normal(2, 2, 2, 3));
    }
}

package org.effconv.contract;

import static org.junit.jupiter.api.Assertions.*;

import java.util.Arrays;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Tensor;
import org.junit.jupiter.api.Test;

class SoftmaxCrossEntropyContract extends BackendContract {
    private final class Case {
        final Tensor logits, labels, loss, correct, dlogits;
        final double smoothing;

        Case(DataType type, int n, int classes, double spread, double smoothing) {
            this.smoothing = smoothing;
            logits = of(type, map(normal(n * classes), v -> spread * v), n, classes);
            labels = tensor(DataType.I32, n);
            backend.write(labels, random.ints(n, 0, classes).toArray());
            loss = poisoned(type.parameterType(), 1);
            correct = poisoned(DataType.I32, 1);
            dlogits = poisoned(type, n, classes);
        }

        double run() {
            backend.softmaxCrossEntropy(logits, labels, smoothing, loss, correct, dlogits);
            return values(loss)[0];
        }
    }

    @Test
    void lossGradientAndCountAreTheDefinition() {
        int[][] shapes = {{1, 1}, {1, 2}, {5, 10}, {128, 10}, {7, 17}, {65, 1000}};
        for (DataType type : activations()) {
            for (int[] shape : shapes) {
                for (double smoothing : new double[] {0, 0.1}) {
                    int n = shape[0];
                    int classes = shape[1];
                    Case c = new Case(type, n, classes, 3, smoothing);
                    double[] x = values(c.logits);
                    int[] labels = backend.readInts(c.labels);
                    double loss = 0;
                    int correct = 0;
                    double[] gradient = new double[x.length];
                    for (int row = 0; row < n; row++) {
                        double total = 0;
                        int largest = 0;
                        for (int i = 0; i < classes; i++) {
                            total += Math.exp(x[row * classes + i]);
                            largest = x[row * classes + i] > x[row * classes + largest] ? i : largest;
                        }
                        correct += largest == labels[row] ? 1 : 0;
                        for (int i = 0; i < classes; i++) {
                            double target = smoothing / classes + (i == labels[row] ? 1 - smoothing : 0);
                            double p = Math.exp(x[row * classes + i]) / total;
                            loss -= target * Math.log(p) / n;
                            gradient[row * classes + i] = (p - target) / n;
                        }
                    }
                    String what = type + " " + c.logits.shape() + " smoothing " + smoothing;
                    c.run();
                    assertClose("loss " + what, new double[] {loss}, c.loss, tolerance(c.loss.type()));
                    assertArrayEquals(new int[] {correct}, backend.readInts(c.correct), what);
                    assertClose(
                            "gradient " + what,
                            map(gradient, v -> v * n),
                            map(values(c.dlogits), v -> v * n),
                            tolerance(type));
                }
            }
        }
    }

    @Test
    void gradientAgreesWithDifferences() {
        needsDouble();
        Case c = new Case(DataType.F64, 5, 7, 2, 0.1);
        c.run();
        assertGradient("dlogits", c::run, c.logits, c.dlogits, 35);
    }

    @Test
    void largeLogitsDoNotOverflowAndNaNIsSeen() {
        Case c = new Case(DataType.F32, 1, 3, 1, 0);
        backend.write(c.logits, new float[] {3e38f, -3e38f, 0});
        backend.write(c.labels, new int[] {0});
        assertEquals(0, c.run());
        assertArrayEquals(new int[] {1}, backend.readInts(c.correct));
        for (int broken = 0; broken < 3; broken++) {
            for (int label = 0;
                    label < 3;
                    label++) { // none is the right one beside a NaN, the largest of the others neither
                float[] logits = {1, 2, 3};
                logits[broken] = Float.NaN;
                backend.write(c.logits, logits);
                backend.write(c.labels, new int[] {label});
                assertTrue(Double.isNaN(c.run()));
                assertArrayEquals(new int[] {0}, backend.readInts(c.correct), "NaN at " + broken + ", label " + label);
                assertTrue(Arrays.stream(values(c.dlogits)).allMatch(Double::isNaN));
            }
        }
    }

    @Test
    void theFirstOfEqualLogitsCounts() {
        Case c = new Case(DataType.F32, 2, 3, 1, 0);
        backend.write(c.logits, new float[] {1, 2, 2, 5, 5, 5});
        backend.write(c.labels, new int[] {1, 0});
        c.run();
        assertArrayEquals(new int[] {2}, backend.readInts(c.correct));
    }

    @Test
    void gradientMayBeLeftOut() {
        Case c = new Case(DataType.F32, 4, 3, 1, 0.2);
        double loss = c.run();
        backend.softmaxCrossEntropy(c.logits, c.labels, c.smoothing, c.loss, c.correct, null);
        assertEquals(loss, values(c.loss)[0]);
    }

    @Test
    void labelsOutOfRangeAreRefusedOrSeen() {
        Case c = new Case(DataType.F32, 2, 3, 1, 0);
        for (int[] labels : new int[][] {{0, 3}, {-1, 0}}) {
            backend.write(c.labels, labels);
            if (provider().refusesWrongLabels()) {
                assertRefused(
                        labels[0] < 0 ? "label -1 of row 0; expected 0..2" : "label 3 of row 1; expected 0..2", c::run);
            } else {
                assertTrue(Double.isNaN(c.run()), "an unknown label makes the loss NaN");
            }
        }
    }

    @Test
    void wrongOperandsAreRefused() {
        Case c = new Case(DataType.F32, 2, 3, 1, 0);
        assertRefused(
                "labels",
                () -> backend.softmaxCrossEntropy(c.logits, tensor(DataType.I32, 3), 0, c.loss, c.correct, c.dlogits));
        assertRefused(
                "loss is",
                () -> backend.softmaxCrossEntropy(c.logits, c.labels, 0, tensor(DataType.F32, 2), c.correct, null));
        assertRefused(
                "dlogits is", () -> backend.softmaxCrossEntropy(c.logits, c.labels, 0, c.loss, c.correct, c.loss));
        assertRefused(
                "smoothing 1.5", () -> backend.softmaxCrossEntropy(c.logits, c.labels, 1.5, c.loss, c.correct, null));
    }
}

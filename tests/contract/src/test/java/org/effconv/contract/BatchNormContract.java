package org.effconv.contract;

import static org.junit.jupiter.api.Assertions.*;

import java.util.Arrays;
import java.util.function.Supplier;
import org.effconv.backend.Activation;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Tensor;
import org.junit.jupiter.api.Test;

class BatchNormContract extends BackendContract {
    private static final double EPSILON = 1e-5;
    private static final double MOMENTUM = 0.1;
    private static final int[][] SHAPES = {
        {1, 1, 1, 1},
        {1, 1, 1, 17},
        {2, 3, 5, 3},
        {1, 7, 7, 1},
        {3, 8, 8, 17},
        {2, 16, 16, 64},
        {4, 33, 32, 16},
        {2, 5, 5, 1040}
    };

    /** The operands of one batch norm, forward and backward. */
    private final class Case {
        final int channels;
        final Tensor x, residual, scale, shift, runningMean, runningVariance, mean, invStd, y;
        final Tensor dy, dx, dscale, dshift, dresidual;
        final Activation act;

        Case(DataType type, int[] shape, boolean withResidual, Activation act, double offset) {
            channels = shape[3];
            this.act = act;
            DataType parameter = type.parameterType();
            int count = shape[0] * shape[1] * shape[2] * channels;
            x = of(type, map(normal(count), v -> offset + 1.5 * v), shape);
            residual = withResidual ? drawn(type, shape) : null;
            scale = drawn(parameter, channels);
            shift = drawn(parameter, channels);
            runningMean = drawn(parameter, channels);
            runningVariance = of(parameter, map(normal(channels), v -> v * v), channels);
            mean = poisoned(parameter, channels);
            invStd = poisoned(parameter, channels);
            y = poisoned(type, shape);
            dy = drawn(type, shape);
            dx = poisoned(type, shape);
            dscale = poisoned(parameter, channels);
            dshift = poisoned(parameter, channels);
            dresidual = withResidual ? poisoned(type, shape) : null;
        }

        void forward() {
            backend.batchNorm(
                    x, scale, shift, residual, act, EPSILON, MOMENTUM, runningMean, runningVariance, mean, invStd, y);
        }

        void backward() {
            backend.batchNormGradient(x, y, dy, scale, mean, invStd, act, dx, dscale, dshift, dresidual);
        }
    }

    private static double[] columnMeans(double[] values, int channels) {
        double[] means = new double[channels];
        for (int i = 0; i < values.length; i++) {
            means[i % channels] += values[i] / ((double) values.length / channels);
        }
        return means;
    }

    private static double[] columnVariances(double[] values, double[] means) {
        int channels = means.length;
        double[] squares = values.clone();
        for (int i = 0; i < values.length; i++) {
            squares[i] = (values[i] - means[i % channels]) * (values[i] - means[i % channels]);
        }
        return columnMeans(squares, channels);
    }

    private static double[] normalised(
            Case c, double[] x, double[] mean, double[] variance, double[] scale, double[] shift, double[] residual) {
        double[] y = new double[x.length];
        for (int i = 0; i < x.length; i++) {
            int k = i % c.channels;
            y[i] = scale[k] * (x[i] - mean[k]) / Math.sqrt(variance[k] + EPSILON)
                    + shift[k]
                    + (residual == null ? 0 : residual[i]);
            if (c.act == Activation.RELU) {
                y[i] = Math.max(0, y[i]);
            }
        }
        return y;
    }

    private void eachCase(java.util.function.BiConsumer<Case, String> body) {
        for (DataType type : activations()) {
            for (int[] shape : SHAPES) {
                for (Activation act : new Activation[] {Activation.NONE, Activation.RELU}) {
                    boolean residual = (act == Activation.RELU) == (shape[3] != 3);
                    body.accept(
                            new Case(type, shape, residual, act, 0.5),
                            type + " " + Arrays.toString(shape) + " " + act + " residual " + residual);
                }
            }
        }
    }

    @Test
    void forwardIsTheFormula() {
        eachCase((c, what) -> {
            double[] x = values(c.x);
            double[] oldMean = values(c.runningMean);
            double[] oldVariance = values(c.runningVariance);
            double tolerance = tolerance(c.x.type());
            double exact = tolerance(c.mean.type());
            backend.batchNormInference(
                    c.x, c.scale, c.shift, c.residual, c.act, EPSILON, c.runningMean, c.runningVariance, c.y);
            double[] inferred =
                    normalised(c, x, oldMean, oldVariance, values(c.scale), values(c.shift), values(c.residual));
            double widest = Arrays.stream(inferred).map(Math::abs).max().getAsDouble();
            assertClose("inference " + what, inferred, c.y, tolerance * Math.max(1, widest / 10));
            backend.fill(c.y, Double.NaN);
            c.forward();
            double[] mean = columnMeans(x, c.channels);
            double[] variance = columnVariances(x, mean);
            double rows = (double) x.length / c.channels;
            assertClose("mean " + what, mean, c.mean, exact);
            assertClose("invStd " + what, map(variance, v -> 1 / Math.sqrt(v + EPSILON)), c.invStd, exact);
            double[] expectedMean = new double[c.channels];
            double[] expectedVariance = new double[c.channels];
            for (int k = 0; k < c.channels; k++) {
                expectedMean[k] = (1 - MOMENTUM) * oldMean[k] + MOMENTUM * mean[k];
                expectedVariance[k] =
                        (1 - MOMENTUM) * oldVariance[k] + MOMENTUM * variance[k] * rows / Math.max(1, rows - 1);
            }
            assertClose("running mean " + what, expectedMean, c.runningMean, exact);
            assertClose("running variance " + what, expectedVariance, c.runningVariance, exact);
            assertClose(
                    "y " + what,
                    normalised(c, x, mean, variance, values(c.scale), values(c.shift), values(c.residual)),
                    c.y,
                    tolerance);
        });
    }

    @Test
    void gradientIsTheFormula() {
        eachCase((c, what) -> {
            c.forward();
            double[] x = values(c.x);
            double[] y = values(c.y);
            double[] scale = values(c.scale);
            double[] mean = columnMeans(x, c.channels);
            double[] variance = columnVariances(x, mean);
            double[] g = values(c.dy);
            double[] gx = new double[g.length];
            for (int i = 0; i < g.length; i++) {
                int k = i % c.channels;
                g[i] = c.act == Activation.RELU && y[i] <= 0 ? 0 : g[i];
                gx[i] = g[i] * (x[i] - mean[k]) / Math.sqrt(variance[k] + EPSILON);
            }
            double rows = (double) x.length / c.channels;
            double[] meanG = columnMeans(g, c.channels);
            double[] meanGx = columnMeans(gx, c.channels);
            double[] dx = new double[g.length];
            for (int i = 0; i < g.length; i++) {
                int k = i % c.channels;
                double inverse = 1 / Math.sqrt(variance[k] + EPSILON);
                dx[i] = scale[k] * inverse * (g[i] - meanG[k] - (x[i] - mean[k]) * inverse * meanGx[k]);
            }
            c.backward();
            // one row per channel: dx is 0 by cancellation, on the scale of invStd = 300
            double tolerance = tolerance(c.x.type()) * (rows == 1 ? 300 : 1);
            assertClose("dx " + what, dx, c.dx, tolerance);
            assertClose(
                    "dscale " + what, map(meanGx, v -> v * rows), c.dscale, tolerance(c.mean.type()) * Math.sqrt(rows));
            assertClose("dshift " + what, map(meanG, v -> v * rows), c.dshift, tolerance(c.mean.type()));
            if (c.dresidual != null) {
                assertClose("dresidual " + what, g, c.dresidual, 0);
            }
        });
    }

    /** Where the output is no number its gradient must not vanish, or a step that is broken would go on in part. */
    @Test
    void gradientOfAnOutputThatIsNoNumberIsLetThrough() {
        for (DataType type : activations()) {
            Case c = new Case(type, new int[] {2, 2, 2, 8}, true, Activation.RELU, 0);
            c.forward();
            double[] y = values(c.y);
            Arrays.fill(y, 1);
            y[3] = Double.NaN;
            y[4] = 0;
            backend.write(c.y, y);
            c.backward();
            double[] dy = values(c.dy);
            dy[4] = 0;
            assertArrayEquals(dy, values(c.dresidual));
        }
    }

    @Test
    void gradientInPlaceIsTheSame() {
        for (DataType type : activations()) {
            Case c = new Case(type, new int[] {4, 33, 32, 16}, true, Activation.RELU, 0);
            c.forward();
            c.backward();
            double[] apart = values(c.dx);
            backend.batchNormGradient(
                    c.x, c.y, c.dy, c.scale, c.mean, c.invStd, c.act, c.dy, c.dscale, c.dshift, c.dresidual);
            assertArrayEquals(apart, values(c.dy));
        }
    }

    @Test
    void gradientAgreesWithDifferences() {
        needsDouble();
        for (int[] shape : new int[][] {{2, 3, 5, 3}, {1, 7, 7, 1}, {3, 4, 4, 17}}) {
            for (Activation act : new Activation[] {Activation.NONE, Activation.RELU}) {
                Case c = new Case(DataType.F64, shape, true, act, 0.3);
                double[] factors = values(c.dy);
                java.util.function.DoubleSupplier loss = () -> {
                    c.forward();
                    return weighted(factors, c.y);
                };
                double unused = loss.getAsDouble();
                c.backward();
                String what = Arrays.toString(shape) + " " + act;
                assertGradient("dx " + what, loss, c.x, c.dx, 40);
                assertGradient("dscale " + what, loss, c.scale, c.dscale, 40);
                assertGradient("dshift " + what, loss, c.shift, c.dshift, 40);
                assertGradient("dresidual " + what, loss, c.residual, c.dresidual, 40);
            }
        }
    }

    @Test
    void statisticsSurviveALargeOffset() {
        Case c = new Case(DataType.F32, new int[] {8, 32, 32, 16}, false, Activation.NONE, 3000);
        double[] x = values(c.x);
        c.forward();
        double[] mean = columnMeans(x, c.channels);
        assertClose("mean", mean, c.mean, 1e-7);
        assertClose("invStd", map(columnVariances(x, mean), v -> 1 / Math.sqrt(v + EPSILON)), c.invStd, 1e-5);
    }

    @Test
    void twoRunsAreBitEqual() {
        for (DataType type : activations()) {
            Case c = new Case(type, new int[] {4, 31, 32, 17}, true, Activation.RELU, 1);
            Supplier<double[][]> run = () -> {
                c.forward();
                c.backward();
                return new double[][] {
                    values(c.y), values(c.mean), values(c.invStd), values(c.dx), values(c.dscale), values(c.dshift)
                };
            };
            double[][] first = run.get();
            for (int i = 0; i < 3; i++) {
                assertArrayEquals(first, run.get());
            }
        }
    }

    @Test
    void notANumberIsNotSwallowedByRelu() {
        Case c = new Case(DataType.F32, new int[] {1, 2, 2, 2}, false, Activation.RELU, 0);
        backend.write(c.x, new double[] {Double.NaN, 1, 2, 3, 4, 5, 6, 7});
        c.forward();
        assertTrue(Double.isNaN(values(c.y)[0]));
    }

    @Test
    void wrongOperandsAreRefused() {
        Case c = new Case(DataType.F32, new int[] {1, 2, 2, 2}, false, Activation.NONE, 0);
        Tensor wrong = tensor(DataType.F32, 3);
        assertRefused(
                "expected F32 [2]",
                () -> backend.batchNorm(
                        c.x,
                        wrong,
                        c.shift,
                        null,
                        c.act,
                        EPSILON,
                        MOMENTUM,
                        c.runningMean,
                        c.runningVariance,
                        c.mean,
                        c.invStd,
                        c.y));
        assertRefused(
                "GELU",
                () -> backend.batchNorm(
                        c.x,
                        c.scale,
                        c.shift,
                        null,
                        Activation.GELU,
                        EPSILON,
                        MOMENTUM,
                        c.runningMean,
                        c.runningVariance,
                        c.mean,
                        c.invStd,
                        c.y));
        assertRefused(
                "y is null",
                () -> backend.batchNormGradient(
                        c.x, null, c.dy, c.scale, c.mean, c.invStd, Activation.RELU, c.dx, c.dscale, c.dshift, null));
    }
}

package org.effconv.contract;

import static org.junit.jupiter.api.Assertions.*;

import java.util.function.DoubleSupplier;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Tensor;
import org.junit.jupiter.api.Test;

class LayerNormContract extends BackendContract {
    private static final double EPSILON = 1e-5;
    private static final int[][] SHAPES = {{1, 1}, {3, 2}, {2, 3, 17}, {5, 64}, {1, 257}, {400, 200}};

    private final class Case {
        final int width;
        final int rows;
        final Tensor x, scale, shift, mean, invStd, y, dy, dx, dscale, dshift;

        Case(DataType type, int... shape) {
            DataType parameter = type.parameterType();
            width = shape[shape.length - 1];
            x = drawn(type, shape);
            rows = (int) (x.count() / width);
            scale = drawn(parameter, width);
            shift = drawn(parameter, width);
            mean = poisoned(parameter, rows);
            invStd = poisoned(parameter, rows);
            y = poisoned(type, shape);
            dy = drawn(type, shape);
            dx = poisoned(type, shape);
            dscale = poisoned(parameter, width);
            dshift = poisoned(parameter, width);
        }

        void forward() {
            backend.layerNorm(x, scale, shift, EPSILON, mean, invStd, y);
        }

        void backward() {
            backend.layerNormGradient(x, dy, scale, mean, invStd, dx, dscale, dshift);
        }
    }

    @Test
    void bothDirectionsAreTheFormula() {
        for (DataType type : activations()) {
            for (int[] shape : SHAPES) {
                Case c = new Case(type, shape);
                c.forward();
                c.backward();
                double[] x = values(c.x);
                double[] g = values(c.dy);
                double[] scale = values(c.scale);
                double[] shift = values(c.shift);
                double[] y = new double[x.length];
                double[] dx = new double[x.length];
                double[] dscale = new double[c.width];
                double[] dshift = new double[c.width];
                for (int row = 0; row < c.rows; row++) {
                    double mean = 0;
                    double variance = 0;
                    double plain = 0;
                    double weighted = 0;
                    int from = row * c.width;
                    for (int i = 0; i < c.width; i++) {
                        mean += x[from + i] / c.width;
                    }
                    for (int i = 0; i < c.width; i++) {
                        variance += (x[from + i] - mean) * (x[from + i] - mean) / c.width;
                    }
                    double inverse = 1 / Math.sqrt(variance + EPSILON);
                    for (int i = 0; i < c.width; i++) {
                        double normalised = (x[from + i] - mean) * inverse;
                        y[from + i] = normalised * scale[i] + shift[i];
                        dscale[i] += g[from + i] * normalised;
                        dshift[i] += g[from + i];
                        plain += g[from + i] * scale[i] / c.width;
                        weighted += g[from + i] * scale[i] * normalised / c.width;
                    }
                    for (int i = 0; i < c.width; i++) {
                        dx[from + i] =
                                inverse * (g[from + i] * scale[i] - plain - (x[from + i] - mean) * inverse * weighted);
                    }
                }
                String what = type + " " + c.x.shape();
                assertClose("y " + what, y, c.y, tolerance(type));
                // width 2 normalises to +-1 whatever x is: dx is a difference of equals on the scale of invStd
                assertClose("dx " + what, dx, c.dx, tolerance(type) * (c.width <= 2 ? 300 : 10));
                assertClose("dscale " + what, dscale, c.dscale, 10 * tolerance(c.scale.type()));
                assertClose("dshift " + what, dshift, c.dshift, tolerance(c.scale.type()));
            }
        }
    }

    @Test
    void gradientAgreesWithDifferences() {
        needsDouble();
        for (int[] shape : new int[][] {{2, 3, 17}, {5, 64}, {3, 5}}) {
            Case c = new Case(DataType.F64, shape);
            double[] factors = values(c.dy);
            DoubleSupplier loss = () -> {
                c.forward();
                return weighted(factors, c.y);
            };
            double unused = loss.getAsDouble();
            c.backward();
            assertGradient("dx", loss, c.x, c.dx, 60);
            assertGradient("dscale", loss, c.scale, c.dscale, 60);
            assertGradient("dshift", loss, c.shift, c.dshift, 60);
        }
    }

    @Test
    void twoRunsAreBitEqual() {
        Case c = new Case(DataType.F32, 700, 257);
        c.forward();
        c.backward();
        double[][] first = {values(c.y), values(c.dx), values(c.dscale), values(c.dshift)};
        c.forward();
        c.backward();
        assertArrayEquals(first, new double[][] {values(c.y), values(c.dx), values(c.dscale), values(c.dshift)});
    }

    @Test
    void wrongOperandsAreRefused() {
        Case c = new Case(DataType.F32, 2, 4);
        Tensor short_ = tensor(DataType.F32, 3);
        assertRefused("scale is", () -> backend.layerNorm(c.x, short_, c.shift, EPSILON, c.mean, c.invStd, c.y));
        assertRefused(
                "mean and invStd", () -> backend.layerNorm(c.x, c.scale, c.shift, EPSILON, short_, c.invStd, c.y));
    }
}

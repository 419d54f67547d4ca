package org.effconv.backend.cuda;

import static org.junit.jupiter.api.Assertions.*;

import java.util.Random;
import org.effconv.backend.cuda.ConvolutionRequest.Pass;
import org.effconv.backend.cuda.LinearProduct.Operand;
import org.effconv.tensor.DataType;
import org.junit.jupiter.api.Test;

/** What a library that counts by columns makes of a linear layer. */
class LinearProductTest {
    private static ConvolutionRequest request(Pass pass, int n, int d, int o) {
        return new ConvolutionRequest(pass, DataType.F32, n, 1, 1, d, o, 1, 1, 1, false);
    }

    // Element (row, column) of an operand as cuBLAS documents it.
    private static double element(double[] memory, int leading, boolean transpose, int row, int column) {
        return transpose ? memory[column + row * leading] : memory[row + column * leading];
    }

    @Test
    void productsAreTheLayersPasses() {
        Random random = new Random(1);
        for (int[] s : new int[][] {{1, 1, 1}, {5, 3, 2}, {2, 7, 4}, {1, 6, 5}, {9, 1, 3}, {4, 5, 1}}) {
            int n = s[0];
            int d = s[1];
            int o = s[2];
            double[] x = random.doubles((long) n * d, -1, 1).toArray();
            double[] w = random.doubles((long) o * d, -1, 1).toArray();
            double[] y = random.doubles((long) n * o, -1, 1).toArray();
            for (Pass pass : Pass.values()) {
                double[][] now = {x.clone(), w.clone(), y.clone()};
                LinearProduct p = LinearProduct.of(request(pass, n, d, o));
                double[] c = now[p.c().ordinal()];
                assertEquals(c.length, p.m() * p.n(), "all of the result, and no more");
                for (int i = 0; i < p.m(); i++) {
                    for (int j = 0; j < p.n(); j++) {
                        double sum = 0;
                        for (int q = 0; q < p.k(); q++) {
                            sum += element(now[p.a().ordinal()], p.lda(), p.transposeA(), i, q)
                                    * element(now[p.b().ordinal()], p.ldb(), p.transposeB(), q, j);
                        }
                        c[i + j * p.ldc()] = sum;
                    }
                }
                assertArrayEquals(expected(pass, n, d, o, x, w, y), c, 1e-12, pass + " " + n + " " + d + " " + o);
            }
        }
    }

    private static double[] expected(Pass pass, int n, int d, int o, double[] x, double[] w, double[] y) {
        double[] result = new double[pass == Pass.FORWARD ? n * o : pass == Pass.DATA_GRADIENT ? n * d : o * d];
        for (int i = 0; i < n; i++) {
            for (int j = 0; j < o; j++) {
                for (int q = 0; q < d; q++) {
                    switch (pass) {
                        case FORWARD -> result[i * o + j] += x[i * d + q] * w[j * d + q];
                        case DATA_GRADIENT -> result[i * d + q] += y[i * o + j] * w[j * d + q];
                        case WEIGHT_GRADIENT -> result[j * d + q] += y[i * o + j] * x[i * d + q];
                    }
                }
            }
        }
        return result;
    }

    @Test
    void onlyProductsOfMatricesAreLinear() {
        assertTrue(request(Pass.FORWARD, 3, 4, 5).isLinear());
        assertFalse(new ConvolutionRequest(Pass.FORWARD, DataType.F32, 3, 2, 1, 4, 5, 1, 1, 1, false).isLinear());
        assertFalse(new ConvolutionRequest(Pass.FORWARD, DataType.F32, 3, 1, 1, 4, 5, 3, 1, 1, false).isLinear());
        assertFalse(new ConvolutionRequest(Pass.FORWARD, DataType.F32, 3, 1, 1, 4, 4, 1, 1, 2, false).isLinear());
        assertEquals(
                Operand.W,
                LinearProduct.of(request(Pass.WEIGHT_GRADIENT, 1, 1, 1)).c());
    }
}

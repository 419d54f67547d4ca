package org.effconv;

import java.util.Map;
import org.effconv.io.TensorData;

/** What PyTorch computes with tensors of its names and layouts, one image (C, H, W) at a time, in fp64. */
public final class ChannelsFirstReference {
    private final Map<String, TensorData> tensors;

    public ChannelsFirstReference(Map<String, TensorData> tensors) {
        this.tensors = tensors;
    }

    private float[] values(String name) {
        return tensors.get(name).floats();
    }

    public double[][][] convolution(double[][][] x, String layer, int stride, int groups) {
        int[] dims = tensors.get(layer + ".weight").shape().dims();
        float[] w = values(layer + ".weight");
        float[] bias = tensors.containsKey(layer + ".bias") ? values(layer + ".bias") : new float[dims[0]];
        int kernel = dims[3];
        int pad = kernel / 2;
        double[][][] y =
                new double[dims[0]][(x[0].length + stride - 1) / stride][(x[0][0].length + stride - 1) / stride];
        for (int o = 0; o < y.length; o++) {
            int firstChannel = o / (dims[0] / groups) * dims[1];
            for (int i = 0; i < y[o].length; i++) {
                for (int j = 0; j < y[o][i].length; j++) {
                    double sum = bias[o];
                    for (int c = 0; c < dims[1]; c++) {
                        for (int r = 0; r < kernel; r++) {
                            for (int s = 0; s < kernel; s++) {
                                sum += w[((o * dims[1] + c) * kernel + r) * kernel + s]
                                        * pixel(x[firstChannel + c], i * stride + r - pad, j * stride + s - pad);
                            }
                        }
                    }
                    y[o][i][j] = sum;
                }
            }
        }
        return y;
    }

    private static double pixel(double[][] plane, int i, int j) {
        return i < 0 || j < 0 || i >= plane.length || j >= plane[0].length ? 0 : plane[i][j];
    }

    public double[][][] batchNorm(double[][][] x, String layer) {
        double[][][] y = new double[x.length][x[0].length][x[0][0].length];
        for (int c = 0; c < x.length; c++) {
            double factor = values(layer + ".weight")[c] / Math.sqrt(values(layer + ".running_var")[c] + 1e-5);
            for (int i = 0; i < y[c].length; i++) {
                for (int j = 0; j < y[c][i].length; j++) {
                    y[c][i][j] =
                            (x[c][i][j] - values(layer + ".running_mean")[c]) * factor + values(layer + ".bias")[c];
                }
            }
        }
        return y;
    }

    public double[] linear(double[] x, String layer) {
        int outputs = tensors.get(layer + ".weight").shape().dim(0);
        double[] y = new double[outputs];
        for (int o = 0; o < outputs; o++) {
            y[o] = tensors.containsKey(layer + ".bias") ? values(layer + ".bias")[o] : 0;
            for (int d = 0; d < x.length; d++) {
                y[o] += values(layer + ".weight")[o * x.length + d] * x[d];
            }
        }
        return y;
    }

    public static double[] flatten(double[][][] x) {
        double[] flat = new double[x.length * x[0].length * x[0][0].length];
        int n = 0;
        for (double[][] plane : x) {
            for (double[] row : plane) {
                for (double v : row) {
                    flat[n++] = v;
                }
            }
        }
        return flat;
    }

    public static double[][][] largestOfTwoByTwo(double[][][] x) {
        double[][][] y = new double[x.length][x[0].length / 2][x[0][0].length / 2];
        for (int c = 0; c < y.length; c++) {
            for (int i = 0; i < y[c].length; i++) {
                for (int j = 0; j < y[c][i].length; j++) {
                    y[c][i][j] = Math.max(
                            Math.max(x[c][2 * i][2 * j], x[c][2 * i][2 * j + 1]),
                            Math.max(x[c][2 * i + 1][2 * j], x[c][2 * i + 1][2 * j + 1]));
                }
            }
        }
        return y;
    }

    public static double[][][] sum(double[][][] a, double[][][] b) {
        double[][][] y = new double[a.length][a[0].length][a[0][0].length];
        for (int c = 0; c < y.length; c++) {
            for (int i = 0; i < y[c].length; i++) {
                for (int j = 0; j < y[c][i].length; j++) {
                    y[c][i][j] = a[c][i][j] + b[c][i][j];
                }
            }
        }
        return y;
    }

    public static double[][][] relu(double[][][] x) {
        double[][][] y = new double[x.length][x[0].length][];
        for (int c = 0; c < y.length; c++) {
            for (int i = 0; i < y[c].length; i++) {
                y[c][i] = relu(x[c][i]);
            }
        }
        return y;
    }

    public static double[] relu(double[] x) {
        double[] y = x.clone();
        for (int i = 0; i < y.length; i++) {
            y[i] = Math.max(0, x[i]);
        }
        return y;
    }
}

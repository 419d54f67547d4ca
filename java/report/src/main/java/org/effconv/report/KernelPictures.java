package org.effconv.report;

import java.awt.image.BufferedImage;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;
import org.effconv.io.TensorData;
import org.effconv.nn.SizedLayer;
import org.effconv.train.ModelFile;

/** The learned kernels as mosaics of small pictures. */
final class KernelPictures {
    private static final int MOST = 16; // kernels of a layer
    private static final int COLUMNS = 8;
    private static final int TILE = 26; // CSS pixels of a kernel, about
    private static final int[] RAMP = {0x0B1E3B, 0x2A7FB8, 0xF6F2CF}; // from nothing to the largest

    private KernelPictures() {}

    /**
     * A layer's kernels.
     *
     * @param shown how many of {@code kernels} the mosaic has
     * @param average of all of them: how much weight lies where
     */
    record Layer(String name, int size, int kernels, int shown, boolean filters, Picture average, Picture mosaic) {}

    static List<Layer> of(ModelFile model) {
        List<Layer> layers = new ArrayList<>();
        List<SizedLayer> sized = model.plan().sizedLayers();
        for (int l = 0; l < sized.size(); l++) {
            SizedLayer layer = sized.get(l);
            TensorData weight = model.values().get(layer.name() + ".weight");
            if (weight != null) {
                layers.add(layer(layer.name(), weight, l == 0));
            }
        }
        return layers;
    }

    /** @param weight (K, k, k, C / groups) */
    private static Layer layer(String name, TensorData weight, boolean first) {
        int count = weight.shape().dim(0);
        int k = weight.shape().dim(1);
        int channels = weight.shape().dim(3);
        float[] w = weight.floats();
        double[][] norms = new double[count][k * k];
        double[] average = new double[k * k];
        double[] whole = new double[count];
        for (int i = 0; i < count; i++) {
            for (int p = 0; p < k * k; p++) {
                double sum = 0;
                for (int c = 0; c < channels; c++) {
                    double x = w[(i * k * k + p) * channels + c];
                    sum += x * x;
                }
                norms[i][p] = Math.sqrt(sum);
                average[p] += norms[i][p] / count;
                whole[i] += sum;
            }
        }
        int[] chosen = IntStream.range(0, count)
                .boxed()
                .sorted(Comparator.comparingDouble((Integer i) -> -whole[i]))
                .limit(MOST)
                .mapToInt(i -> i)
                .toArray();
        boolean filters = first && (channels == 1 || channels == 3);
        int[][] tiles = IntStream.of(chosen)
                .mapToObj(i -> filters ? signed(w, i * k * k * channels, k, channels) : ramp(norms[i]))
                .toArray(int[][]::new);
        return new Layer(
                name, k, count, chosen.length, filters, mosaic(new int[][] {ramp(average)}, k, 2), mosaic(tiles, k, 1));
    }

    // Weights of colours or grey: zero is mid-grey, the largest is black or white.
    private static int[] signed(float[] w, int from, int k, int channels) {
        double largest = 1e-12;
        for (int i = from; i < from + k * k * channels; i++) {
            largest = Math.max(largest, Math.abs(w[i]));
        }
        int[] pixels = new int[k * k];
        for (int p = 0; p < k * k; p++) {
            for (int c = 0; c < 3; c++) {
                double x = w[from + p * channels + Math.min(c, channels - 1)] / largest;
                pixels[p] = pixels[p] << 8 | (int) Math.round(127.5 + 127.5 * x);
            }
        }
        return pixels;
    }

    private static int[] ramp(double[] values) {
        double largest = Math.max(
                1e-12,
                IntStream.range(0, values.length)
                        .mapToDouble(i -> values[i])
                        .max()
                        .orElse(0));
        int[] pixels = new int[values.length];
        for (int p = 0; p < values.length; p++) {
            double at = values[p] / largest * (RAMP.length - 1);
            int below = (int) Math.min(RAMP.length - 2, Math.floor(at));
            for (int shift = 16; shift >= 0; shift -= 8) {
                double a = RAMP[below] >> shift & 0xff;
                double b = RAMP[below + 1] >> shift & 0xff;
                pixels[p] |= (int) Math.round(a + (at - below) * (b - a)) << shift;
            }
        }
        return pixels;
    }

    private static Picture mosaic(int[][] tiles, int k, int times) {
        int columns = Math.min(COLUMNS, tiles.length);
        int rows = (tiles.length + columns - 1) / columns;
        int scale = Math.max(1, TILE / k);
        int gap = 4;
        int side = k * scale;
        BufferedImage image =
                new BufferedImage(columns * (side + gap) - gap, rows * (side + gap) - gap, BufferedImage.TYPE_INT_ARGB);
        for (int t = 0; t < tiles.length; t++) {
            int x0 = t % columns * (side + gap);
            int y0 = t / columns * (side + gap);
            for (int p = 0; p < side * side; p++) {
                int pixel = tiles[t][p / side / scale * k + p % side / scale];
                image.setRGB(x0 + p % side, y0 + p / side, 0xff000000 | pixel);
            }
        }
        return Picture.of(image, times);
    }
}

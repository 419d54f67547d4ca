package org.effconv.data;

/**
 * Scaling of images along one axis: a target pixel is the mean of the source pixels around its middle, weighted by a
 * triangle as wide as two pixels of the coarser of both images, and over the pixels that there are. So images that
 * become smaller are averaged, and larger ones are interpolated linearly; this is what Pillow's BILINEAR and PyTorch's
 * antialiased resize do. Ours, since the JDK's bilinear scaling and TwelveMonkeys' leave source pixels out.
 */
final class Scaling {
    private final int[] first; // source pixel of the first weight, for each target pixel
    private final float[][] weights;

    /** From {@code from} pixels to {@code to}. */
    Scaling(int from, int to) {
        first = new int[to];
        weights = new float[to][];
        double scale = (double) from / to;
        double reach = Math.max(1, scale);
        for (int t = 0; t < to; t++) {
            double middle = (t + 0.5) * scale - 0.5; // in source pixels, whose middles are whole numbers
            first[t] = Math.max(0, (int) Math.ceil(middle - reach));
            int last = Math.min(from - 1, (int) Math.floor(middle + reach));
            double[] triangle = new double[last - first[t] + 1];
            double sum = 0;
            for (int i = 0; i < triangle.length; i++) {
                triangle[i] = Math.max(0, 1 - Math.abs(first[t] + i - middle) / reach);
                sum += triangle[i];
            }
            weights[t] = new float[triangle.length];
            for (int i = 0; i < triangle.length; i++) {
                weights[t][i] = (float) (triangle[i] / sum);
            }
        }
    }

    /**
     * Scales the rows of a square part of an image (H, W, C) and turns them to columns.
     *
     * @param source values; the part begins at {@code offset}
     * @param stride values from one row to the next
     * @param rows of the part
     * @return (target pixels, rows, C)
     */
    float[] rowsToColumns(float[] source, int offset, int stride, int rows, int channels) {
        float[] columns = new float[first.length * rows * channels];
        for (int t = 0; t < first.length; t++) {
            for (int y = 0; y < rows; y++) {
                int from = offset + y * stride + first[t] * channels;
                int to = (t * rows + y) * channels;
                for (int i = 0; i < weights[t].length; i++) {
                    for (int c = 0; c < channels; c++) {
                        columns[to + c] += weights[t][i] * source[from + i * channels + c];
                    }
                }
            }
        }
        return columns;
    }

    /**
     * Cuts the middle square out of an image and scales it.
     *
     * @param image (H, W, C), unsigned bytes
     * @param side of the result in pixels
     * @param target takes (side, side, C) from {@code offset} on, rounded to the nearest
     */
    static void square(byte[] image, int height, int width, int channels, int side, byte[] target, int offset) {
        int square = Math.min(height, width);
        int start = channels * ((height - square) / 2 * width + (width - square) / 2);
        float[] values = new float[image.length];
        for (int i = 0; i < image.length; i++) {
            values[i] = image[i] & 0xff;
        }
        Scaling scaling = new Scaling(square, side);
        float[] columns = scaling.rowsToColumns(values, start, width * channels, square, channels);
        float[] scaled = scaling.rowsToColumns(columns, 0, square * channels, side, channels);
        for (int i = 0; i < side * side * channels; i++) {
            target[offset + i] = (byte) Math.round(scaled[i]);
        }
    }
}

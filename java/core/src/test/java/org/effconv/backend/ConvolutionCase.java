package org.effconv.backend;

import static org.junit.jupiter.api.Assertions.assertNull;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Tensor;

/**
 * A convolution with random operands, and what a naive sum in double makes of them. Errors are bounded by the sum of
 * the products' magnitudes, which holds for any order of summation.
 */
public record ConvolutionCase(
        int n, int c, int k, int h, int w, int size, int stride, int groups, boolean bias, long seed) {
    private static final List<ConvolutionCase> AWKWARD = List.of(
            new ConvolutionCase(1, 1, 1, 1, 1, 1, 1, 1, true, 1),
            new ConvolutionCase(1, 1, 1, 1, 1, 33, 1, 1, false, 2),
            new ConvolutionCase(3, 17, 17, 1, 1, 3, 2, 1, true, 3),
            new ConvolutionCase(1, 1, 6, 28, 28, 5, 1, 1, true, 4),
            new ConvolutionCase(2, 3, 8, 5, 7, 33, 1, 1, false, 5),
            new ConvolutionCase(1, 4, 4, 9, 4, 33, 2, 1, false, 6),
            new ConvolutionCase(2, 16, 16, 12, 12, 15, 1, 1, false, 7),
            new ConvolutionCase(1, 32, 32, 16, 16, 7, 1, 32, true, 8),
            new ConvolutionCase(2, 17, 17, 11, 13, 15, 1, 17, false, 9),
            new ConvolutionCase(2, 32, 32, 9, 9, 5, 2, 32, false, 10),
            new ConvolutionCase(1, 48, 48, 10, 10, 31, 1, 48, true, 11),
            new ConvolutionCase(2, 32, 64, 7, 7, 3, 1, 4, true, 12),
            new ConvolutionCase(1, 8, 16, 7, 7, 3, 2, 8, true, 13),
            new ConvolutionCase(1, 17, 3, 40, 3, 17, 2, 1, true, 14),
            new ConvolutionCase(70, 3, 20, 6, 5, 7, 1, 1, true, 15), // several blocks of images, the last one not full
            new ConvolutionCase(64, 17, 16, 3, 5, 3, 2, 1, true, 16));

    /** Products of one pass. */
    public long work() {
        return (long) n * outputs()[1] * outputs()[2] * k * (c / groups) * size * size;
    }

    public Convolution convolution() {
        return new Convolution(stride, groups);
    }

    /** Shape of y. */
    public int[] outputs() {
        return new int[] {n, (h - 1) / stride + 1, (w - 1) / stride + 1, k};
    }

    /** Shape of w. */
    public int[] weights() {
        return new int[] {k, size, size, c / groups};
    }

    /** Awkward shapes and {@code drawn} random ones, none of them of more work than {@code mostWork} products. */
    public static List<ConvolutionCase> cases(int drawn, long mostWork) {
        List<ConvolutionCase> cases = new ArrayList<>(
                AWKWARD.stream().filter(a -> a.work() <= mostWork).toList());
        int[] channels = {1, 2, 3, 4, 6, 8, 12, 16, 17, 24, 32, 36, 48};
        Random r = new Random(20);
        int count = cases.size() + drawn;
        while (cases.size() < count) {
            int groups =
                    switch (r.nextInt(4)) {
                        case 0 -> -1;
                        case 1 -> 1 + r.nextInt(4);
                        default -> 1;
                    };
            int c = channels[r.nextInt(channels.length)];
            groups = groups < 0 ? c : groups;
            int k = groups == c ? c * (1 + r.nextInt(2)) : channels[r.nextInt(channels.length)];
            ConvolutionCase next = new ConvolutionCase(
                    1 + r.nextInt(4),
                    c,
                    k,
                    1 + r.nextInt(20),
                    1 + r.nextInt(20),
                    1 + 2 * r.nextInt(17),
                    1 + r.nextInt(2),
                    groups,
                    r.nextBoolean(),
                    r.nextLong());
            if (c % groups == 0 && k % groups == 0 && next.work() < mostWork) {
                cases.add(next);
            }
        }
        return cases;
    }

    /**
     * A sum of products beside the sum of their magnitudes, which bounds the rounding error of any order of summation.
     */
    public static final class Sums {
        private final double[] value;
        private final double[] magnitude;

        Sums(int count) {
            value = new double[count];
            magnitude = new double[count];
        }

        void add(int i, double product) {
            value[i] += product;
            magnitude[i] += Math.abs(product);
        }

        /** @param what for the message of a failure */
        public void check(Tensor t, double[] got, String what) {
            String difference = difference(t.type(), got);
            assertNull(difference, () -> what + " " + t + " " + difference);
        }

        /** The first element that is further from its sum than rounding explains; null without one. */
        public String difference(DataType type, double[] got) {
            for (int i = 0; i < got.length; i++) {
                double bound = 1e-6 * magnitude[i] + (type == DataType.BF16 ? Math.abs(value[i]) / 256 : 0) + 1e-30;
                if (!(Math.abs(got[i] - value[i]) <= bound)) {
                    return "element " + i + " of " + got.length + ": " + got[i] + ", expected " + value[i];
                }
            }
            return null;
        }
    }

    /** Output and gradients. */
    public static final class Reference {
        public final Sums y;
        public final Sums dx;
        public final Sums dw;
        public final Sums db;

        public Reference(ConvolutionCase g, double[] x, double[] w, double[] b, double[] dy) {
            int ho = (g.h - 1) / g.stride + 1;
            int wo = (g.w - 1) / g.stride + 1;
            int cg = g.c / g.groups;
            int kg = g.k / g.groups;
            y = new Sums(g.n * ho * wo * g.k);
            dx = new Sums(x.length);
            dw = new Sums(w.length);
            db = new Sums(g.k);
            for (int o = 0; o < y.value.length; o++) {
                int k = o % g.k;
                int column = o / g.k % wo;
                int row = o / g.k / wo % ho;
                int image = o / g.k / wo / ho;
                y.add(o, b[k]);
                db.add(k, dy[o]);
                for (int p = 0; p < g.size; p++) {
                    int h = row * g.stride + p - g.size / 2;
                    for (int q = 0; q < g.size && h >= 0 && h < g.h; q++) {
                        int v = column * g.stride + q - g.size / 2;
                        for (int c = 0; c < cg && v >= 0 && v < g.w; c++) {
                            int i = ((image * g.h + h) * g.w + v) * g.c + k / kg * cg + c;
                            int j = ((k * g.size + p) * g.size + q) * cg + c;
                            y.add(o, x[i] * w[j]);
                            dx.add(i, dy[o] * w[j]);
                            dw.add(j, dy[o] * x[i]);
                        }
                    }
                }
            }
        }
    }
}

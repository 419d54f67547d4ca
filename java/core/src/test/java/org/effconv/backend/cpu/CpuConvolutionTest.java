package org.effconv.backend.cpu;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.effconv.backend.Convolution;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;
import org.junit.jupiter.api.Test;

/** Convolutions against a naive sum in double over drawn and awkward shapes; outputs poisoned. */
class CpuConvolutionTest extends CpuTest {
    private static final int DRAWN = 200;
    private static final List<Case> AWKWARD = List.of(
            new Case(1, 1, 1, 1, 1, 1, 1, 1, true, 1),
            new Case(1, 1, 1, 1, 1, 33, 1, 1, false, 2),
            new Case(3, 17, 17, 1, 1, 3, 2, 1, true, 3),
            new Case(1, 1, 6, 28, 28, 5, 1, 1, true, 4),
            new Case(2, 3, 8, 5, 7, 33, 1, 1, false, 5),
            new Case(1, 4, 4, 9, 4, 33, 2, 1, false, 6),
            new Case(2, 16, 16, 12, 12, 15, 1, 1, false, 7),
            new Case(1, 32, 32, 16, 16, 7, 1, 32, true, 8),
            new Case(2, 17, 17, 11, 13, 15, 1, 17, false, 9),
            new Case(2, 32, 32, 9, 9, 5, 2, 32, false, 10),
            new Case(1, 48, 48, 10, 10, 31, 1, 48, true, 11),
            new Case(2, 32, 64, 7, 7, 3, 1, 4, true, 12),
            new Case(1, 8, 16, 7, 7, 3, 2, 8, true, 13),
            new Case(1, 17, 3, 40, 3, 17, 2, 1, true, 14),
            new Case(70, 3, 20, 6, 5, 7, 1, 1, true, 15), // several blocks of images, the last one not full
            new Case(64, 17, 16, 3, 5, 3, 2, 1, true, 16));

    @Test
    void fp32MatchesTheSum() {
        checkAll(1, DRAWN, DataType.F32);
    }

    @Test
    void bf16MatchesTheSum() {
        checkAll(1, DRAWN, DataType.BF16);
    }

    @Test
    void twoThreadsMatchTheSum() {
        checkAll(2, 30, DataType.F32);
    }

    private void checkAll(int threads, int drawn, DataType type) {
        try (CpuBackend one = CpuBackend.open(threads)) {
            for (Case c : cases(drawn)) {
                check(one, c, type);
            }
        }
    }

    private record Case(int n, int c, int k, int h, int w, int size, int stride, int groups, boolean bias, long seed) {
        long work() {
            long ho = (h - 1) / stride + 1;
            long wo = (w - 1) / stride + 1;
            return n * ho * wo * k * (c / groups) * size * size;
        }
    }

    private static List<Case> cases(int drawn) {
        List<Case> cases = new ArrayList<>(AWKWARD);
        int[] channels = {1, 2, 3, 4, 6, 8, 12, 16, 17, 24, 32, 36, 48};
        Random r = new Random(20);
        while (cases.size() < AWKWARD.size() + drawn) {
            int groups = switch (r.nextInt(4)) {
                case 0 -> -1;
                case 1 -> 1 + r.nextInt(4);
                default -> 1;
            };
            int c = channels[r.nextInt(channels.length)];
            groups = groups < 0 ? c : groups;
            int k = groups == c ? c * (1 + r.nextInt(2)) : channels[r.nextInt(channels.length)];
            Case next = new Case(
                    1 + r.nextInt(4), c, k, 1 + r.nextInt(20), 1 + r.nextInt(20), 1 + 2 * r.nextInt(17), 1 + r.nextInt(2), groups,
                    r.nextBoolean(), r.nextLong());
            if (c % groups == 0 && k % groups == 0 && next.work() < 1_500_000) {
                cases.add(next);
            }
        }
        return cases;
    }

    private void check(CpuBackend one, Case c, DataType type) {
        int[] outputs = {c.n, (c.h - 1) / c.stride + 1, (c.w - 1) / c.stride + 1, c.k};
        int[] weights = {c.k, c.size, c.size, c.c / c.groups};
        Random r = new Random(c.seed);
        Tensor x = drawn(r, type, type, c.n, c.h, c.w, c.c);
        Tensor w = drawn(r, DataType.F32, type, weights);
        Tensor b = c.bias ? drawn(r, DataType.F32, DataType.F32, c.k) : null;
        Tensor dy = drawn(r, type, type, outputs);
        Reference expected = new Reference(c, values(x), values(w), c.bias ? values(b) : new double[c.k], values(dy));
        Convolution what = new Convolution(c.stride, c.groups);

        Tensor y = poisoned(type, outputs);
        one.convolution(what, x, w, b, y);
        expected.y.check(y, values(y), c + " forward");
        Tensor dx = like(x);
        one.convolutionDataGradient(what, dy, w, dx);
        expected.dx.check(dx, values(dx), c + " data gradient");
        Tensor dw = like(w);
        Tensor db = c.bias ? like(b) : null;
        one.convolutionWeightGradient(what, x, dy, dw, db);
        expected.dw.check(dw, values(dw), c + " weight gradient");
        if (c.bias) {
            expected.db.check(db, values(db), c + " bias gradient");
        }
        if (c.groups == 1 && AmxWeightGradient.available()) {
            Tensor amx = like(w);
            Tensor amxBias = c.bias ? like(b) : null;
            AmxWeightGradient.run(one, what, x, dy, amx, amxBias);
            expected.dw.check(amx, values(amx), c + " weight gradient on the matrix unit");
            if (c.bias) {
                expected.db.check(amxBias, values(amxBias), c + " bias gradient on the matrix unit");
            }
        }
    }

    /** Values that {@code roundedTo} represents, so that a bf16 product differs from the sum in its own rounding alone. */
    private Tensor drawn(Random r, DataType type, DataType roundedTo, int... dims) {
        int count = (int) Shape.of(dims).count();
        return of(type, values(of(roundedTo, r.doubles(count, -1, 1).toArray(), dims)), dims);
    }

    /** A sum of products beside the sum of their magnitudes, which bounds the rounding error of any order of summation. */
    private static final class Sums {
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

        void check(Tensor t, double[] got, String what) {
            for (int i = 0; i < got.length; i++) {
                double bound = 1e-6 * magnitude[i] + (t.type() == DataType.BF16 ? Math.abs(value[i]) / 256 : 0) + 1e-30;
                double error = Math.abs(got[i] - value[i]);
                int index = i;
                assertTrue(error <= bound, () -> what + " " + t + " element " + index + ": " + got[index] + ", expected " + value[index]);
            }
        }
    }

    private static final class Reference {
        private final Sums y;
        private final Sums dx;
        private final Sums dw;
        private final Sums db;

        Reference(Case g, double[] x, double[] w, double[] b, double[] dy) {
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

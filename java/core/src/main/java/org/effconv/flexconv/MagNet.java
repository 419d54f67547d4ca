package org.effconv.flexconv;

import java.util.Random;

/**
 * The part of a continuous kernel that is small: features of a tap's position by a multiplicative anisotropic Gabor
 * network (MAGNet; Romero et al., FlexConv, arXiv 2110.08059) of {@value #FILTERS} filters, masked by a Gaussian of
 * learned mean and width. With x in [-1, 1]^2 the position,
 *
 * <pre>
 *   g_i(x) = exp(-1/2 sum_d (gamma_id (x_d - mu_id))^2) sin(W_i x + b_i)      per hidden channel, i = 0..3
 *   z_0 = g_0,  z_i = g_i * (V_i z_(i-1) + c_i)                               * per channel
 *   m(x) = exp(-1/2 sum_d ((x_d - mean_d) / sigma_d)^2)
 *   H(x) = m(x) (z_3, 1)                                                      {@value #FEATURES} features
 * </pre>
 *
 * A linear map of H gives the kernel's values. On the host, in fp64: a few thousand sines and exponentials a layer,
 * beside which the linear map, which is the backend's, is large. Stateless: parameters come and go as arrays.
 */
final class MagNet {
    static final int HIDDEN = 32;
    static final int FILTERS = 4; // three layers: one filter more than linear maps
    static final int FEATURES = HIDDEN + 1; // the last stands for the linear map's bias

    // Offsets in the packed parameters.
    private static final int MU = 0; // (FILTERS, HIDDEN, 2)
    private static final int GAMMA = MU + FILTERS * HIDDEN * 2; // (FILTERS, HIDDEN, 2)
    private static final int W = GAMMA + FILTERS * HIDDEN * 2; // (FILTERS, HIDDEN, 2)
    private static final int B = W + FILTERS * HIDDEN * 2; // (FILTERS, HIDDEN)
    private static final int V = B + FILTERS * HIDDEN; // (FILTERS - 1, HIDDEN, HIDDEN)
    private static final int C = V + (FILTERS - 1) * HIDDEN * HIDDEN; // (FILTERS - 1, HIDDEN)
    static final int PARAMETERS = C + (FILTERS - 1) * HIDDEN;

    /** Of the mask: mean and sigma of rows, then of columns. */
    static final int MASK_PARAMETERS = 4;

    private static final double SMALLEST_SIGMA = 0.01;
    private static final double CROP = 0.1; // taps whose mask is smaller along a whole border are left out
    private static final double FIRST_SIGMA = 0.075;
    private static final double SPREAD_OVER_SIGMA = 1.667; // where Gabor centres start, over where the mask ends
    private static final double INPUT_SCALE = 25.6;
    private static final double ALPHA =
            6; // of the Gamma distribution that gamma_i starts from: ALPHA / (i + 1), rate 1

    private MagNet() {}

    /** Start values of the network, as FlexConv has them. */
    static double[] initial(Random random) {
        double[] p = new double[PARAMETERS];
        double scale = INPUT_SCALE / Math.sqrt(FILTERS);
        for (int i = 0; i < FILTERS; i++) {
            for (int h = 0; h < HIDDEN; h++) {
                for (int d = 0; d < 2; d++) {
                    int at = (i * HIDDEN + h) * 2 + d;
                    p[MU + at] = FIRST_SIGMA * SPREAD_OVER_SIGMA * uniform(random, 1);
                    p[GAMMA + at] = gamma(random, ALPHA / (i + 1));
                    p[W + at] = scale * p[GAMMA + at] * uniform(random, Math.sqrt(0.5));
                }
                p[B + i * HIDDEN + h] = uniform(random, Math.PI);
            }
        }
        for (int at = V; at < C; at++) {
            p[at] = uniform(random, Math.sqrt(1.0 / HIDDEN));
        }
        return p;
    }

    static double[] initialMask() {
        return new double[] {0, FIRST_SIGMA, 0, FIRST_SIGMA};
    }

    private static double uniform(Random random, double bound) {
        return bound * (2 * random.nextDouble() - 1);
    }

    // Marsaglia and Tsang (2000), for shapes of 1 and more.
    private static double gamma(Random random, double shape) {
        double d = shape - 1.0 / 3;
        double c = 1 / Math.sqrt(9 * d);
        while (true) {
            double x = random.nextGaussian();
            double v = Math.pow(1 + c * x, 3);
            if (v > 0 && Math.log(1 - random.nextDouble()) < 0.5 * x * x + d - d * v + d * Math.log(v)) {
                return d * v;
            }
        }
    }

    /**
     * The kernel's effective size: the smallest odd square that holds every row and column on which the mask, in its
     * own direction, reaches {@value #CROP}; at most kmax.
     */
    static int size(double[] mask, int kmax) {
        int half = kmax / 2;
        int rings = 0;
        for (int d = 0; d < 2; d++) {
            double reach = Math.abs(mask[2 * d]) + sigma(mask, d) * Math.sqrt(-2 * Math.log(CROP));
            rings = Math.max(rings, (int) Math.min(half, Math.floor(reach * half)));
        }
        return 2 * rings + 1;
    }

    private static double sigma(double[] mask, int d) {
        return Math.max(SMALLEST_SIGMA, mask[2 * d + 1]);
    }

    /** What the forward pass leaves for the gradient. */
    static final class Taps {
        final int grid;
        final double[] x; // (taps, 2)
        final double[] gauss; // (FILTERS, taps, HIDDEN)
        final double[] phase; // (FILTERS, taps, HIDDEN)
        final double[] sum; // V z + c: (FILTERS, taps, HIDDEN); the first is not used
        final double[] z; // (FILTERS, taps, HIDDEN)
        final double[] m; // (taps)

        /** Row-major taps of the central grid x grid of kmax x kmax, which spans [-1, 1]^2. */
        Taps(int grid, int kmax) {
            this.grid = grid;
            int taps = grid * grid;
            x = new double[2 * taps];
            double half = Math.max(1, kmax / 2);
            for (int t = 0; t < taps; t++) {
                x[2 * t] = (t / grid - grid / 2) / half;
                x[2 * t + 1] = (t % grid - grid / 2) / half;
            }
            gauss = new double[FILTERS * taps * HIDDEN];
            phase = new double[FILTERS * taps * HIDDEN];
            sum = new double[FILTERS * taps * HIDDEN];
            z = new double[FILTERS * taps * HIDDEN];
            m = new double[taps];
        }

        private int at(int filter, int tap) {
            return (filter * grid * grid + tap) * HIDDEN;
        }
    }

    /** H (taps, FEATURES), row by row. */
    static double[] features(double[] p, double[] mask, Taps t) {
        int taps = t.grid * t.grid;
        double[] features = new double[taps * FEATURES];
        for (int tap = 0; tap < taps; tap++) {
            for (int i = 0; i < FILTERS; i++) {
                filter(p, t, i, tap);
            }
            double square = 0;
            for (int d = 0; d < 2; d++) {
                double u = (t.x[2 * tap + d] - mask[2 * d]) / sigma(mask, d);
                square += u * u;
            }
            t.m[tap] = Math.exp(-0.5 * square);
            int last = t.at(FILTERS - 1, tap);
            for (int h = 0; h < HIDDEN; h++) {
                features[tap * FEATURES + h] = t.m[tap] * t.z[last + h];
            }
            features[tap * FEATURES + HIDDEN] = t.m[tap];
        }
        return features;
    }

    private static void filter(double[] p, Taps t, int i, int tap) {
        int at = t.at(i, tap);
        int before = i == 0 ? 0 : t.at(i - 1, tap);
        for (int h = 0; h < HIDDEN; h++) {
            int q = (i * HIDDEN + h) * 2;
            double square = 0;
            double phase = p[B + i * HIDDEN + h];
            for (int d = 0; d < 2; d++) {
                double u = p[GAMMA + q + d] * (t.x[2 * tap + d] - p[MU + q + d]);
                square += u * u;
                phase += p[W + q + d] * t.x[2 * tap + d];
            }
            t.gauss[at + h] = Math.exp(-0.5 * square);
            t.phase[at + h] = phase;
            double sum = 1;
            if (i > 0) {
                sum = p[C + (i - 1) * HIDDEN + h];
                int row = V + ((i - 1) * HIDDEN + h) * HIDDEN;
                for (int j = 0; j < HIDDEN; j++) {
                    sum += p[row + j] * t.z[before + j];
                }
            }
            t.sum[at + h] = sum;
            t.z[at + h] = t.gauss[at + h] * Math.sin(phase) * sum;
        }
    }

    /** Adds the gradients by parameters and mask, given that by the features of the last forward pass. */
    static void gradient(double[] p, double[] mask, Taps t, double[] dfeatures, double[] dp, double[] dmask) {
        double[] dz = new double[HIDDEN];
        for (int tap = 0; tap < t.grid * t.grid; tap++) {
            int last = t.at(FILTERS - 1, tap);
            double dm = dfeatures[tap * FEATURES + HIDDEN];
            for (int h = 0; h < HIDDEN; h++) {
                double df = dfeatures[tap * FEATURES + h];
                dm += df * t.z[last + h];
                dz[h] = df * t.m[tap];
            }
            for (int d = 0; d < 2; d++) {
                double sigma = sigma(mask, d);
                double u = (t.x[2 * tap + d] - mask[2 * d]) / sigma;
                dmask[2 * d] += dm * t.m[tap] * u / sigma;
                dmask[2 * d + 1] += mask[2 * d + 1] > SMALLEST_SIGMA ? dm * t.m[tap] * u * u / sigma : 0;
            }
            for (int i = FILTERS - 1; i >= 0; i--) {
                dz = filterGradient(p, t, i, tap, dz, dp);
            }
        }
    }

    // dz: by the filter's output; returns that by the output of the filter before.
    private static double[] filterGradient(double[] p, Taps t, int i, int tap, double[] dz, double[] dp) {
        int at = t.at(i, tap);
        int before = i == 0 ? 0 : t.at(i - 1, tap);
        double[] dbefore = new double[HIDDEN];
        for (int h = 0; h < HIDDEN; h++) {
            double sin = Math.sin(t.phase[at + h]);
            double gauss = t.gauss[at + h];
            double dgauss = dz[h] * sin * t.sum[at + h];
            double dphase = dz[h] * gauss * Math.cos(t.phase[at + h]) * t.sum[at + h];
            int q = (i * HIDDEN + h) * 2;
            for (int d = 0; d < 2; d++) {
                double x = t.x[2 * tap + d];
                double away = x - p[MU + q + d];
                double gamma = p[GAMMA + q + d];
                dp[GAMMA + q + d] -= dgauss * gauss * gamma * away * away;
                dp[MU + q + d] += dgauss * gauss * gamma * gamma * away;
                dp[W + q + d] += dphase * x;
            }
            dp[B + i * HIDDEN + h] += dphase;
            if (i > 0) {
                double dsum = dz[h] * gauss * sin;
                dp[C + (i - 1) * HIDDEN + h] += dsum;
                int row = V + ((i - 1) * HIDDEN + h) * HIDDEN;
                for (int j = 0; j < HIDDEN; j++) {
                    dp[row + j] += dsum * t.z[before + j];
                    dbefore[j] += dsum * p[row + j];
                }
            }
        }
        return dbefore;
    }
}

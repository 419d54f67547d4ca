package org.effconv.benchmark;

import java.util.SplittableRandom;
import org.effconv.backend.Backend;
import org.effconv.benchmark.KernelCase.Pass;
import org.effconv.benchmark.KernelCase.Shape;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Tensor;

/** One pass of a convolution. Weights and their gradients are fp32, as everywhere above the backends. */
final class ConvolutionRun extends KernelRun {
    private static final int SAMPLES = 128;
    private static final int GRADIENT_SAMPLES = 24; // each is a sum over all pixels of the batch
    private static final int X = 0;
    private static final int Y = 250_007;
    private static final int W = 600_011;

    private final Backend backend;
    private final KernelCase test;
    private final Shape s;
    private final RandomValues values;
    private final Tensor first; // x, or dy
    private final Tensor second; // w, or dy
    private final Tensor out;

    ConvolutionRun(Backend backend, KernelCase test, RandomValues values) {
        this.backend = backend;
        this.test = test;
        this.values = values;
        s = test.shape();
        boolean weights = test.pass() == Pass.WEIGHT_GRADIENT;
        first = values.tensor(backend, test.type(), test.pass() == Pass.DATA_GRADIENT ? Y : X, s.images());
        second = weights
                ? values.tensor(backend, test.type(), Y, s.images())
                : values.tensor(backend, DataType.F32, W, s.weights());
        out = Tensor.allocate(
                backend.memory(),
                weights ? DataType.F32 : test.type(),
                org.effconv.tensor.Shape.of(weights ? s.weights() : s.images()));
        backend.fill(out, Double.NaN);
    }

    @Override
    void run() {
        switch (test.pass()) {
            case FORWARD -> backend.convolution(s.convolution(), first, second, null, out);
            case DATA_GRADIENT -> backend.convolutionDataGradient(s.convolution(), first, second, out);
            default -> backend.convolutionWeightGradient(s.convolution(), first, second, out, null);
        }
    }

    @Override
    double error() {
        SplittableRandom random = new SplittableRandom(2);
        ErrorNorm error = new ErrorNorm();
        boolean weights = test.pass() == Pass.WEIGHT_GRADIENT;
        for (int sample = 0; sample < (weights ? GRADIENT_SAMPLES : SAMPLES); sample++) {
            long index = random.nextLong(out.count());
            double got = backend.readDoubles(out.slice(index, org.effconv.tensor.Shape.of(1)))[0];
            error.add(got, weights ? weightGradient(index) : images(index));
        }
        return error.value();
    }

    private double pixel(int start, int n, int row, int column, int channel) {
        boolean inside = row >= 0 && row < s.extent() && column >= 0 && column < s.extent();
        return inside
                ? values.at((((long) n * s.extent() + row) * s.extent() + column) * s.channels() + channel, start)
                : 0;
    }

    private double weight(int o, int r, int t, int i) {
        return values.at((((long) o * s.kernel() + r) * s.kernel() + t) * s.channelsPerGroup() + i, W);
    }

    /**
     * An output or an input gradient: both are images of the same shape, sums over taps and the channels of a group.
     */
    private double images(long index) {
        int channel = (int) (index % s.channels());
        int column = (int) (index / s.channels() % s.extent());
        int row = (int) (index / s.channels() / s.extent() % s.extent());
        int n = (int) (index / s.channels() / s.extent() / s.extent());
        int perGroup = s.channelsPerGroup();
        int group = channel / perGroup * perGroup;
        int half = s.kernel() / 2;
        double sum = 0;
        for (int r = 0; r < s.kernel(); r++) {
            for (int t = 0; t < s.kernel(); t++) {
                for (int i = 0; i < perGroup; i++) {
                    sum += test.pass() == Pass.FORWARD
                            ? pixel(X, n, row + r - half, column + t - half, group + i) * weight(channel, r, t, i)
                            : pixel(Y, n, row + half - r, column + half - t, group + i)
                                    * weight(group + i, r, t, channel - group);
                }
            }
        }
        return sum;
    }

    private double weightGradient(long index) {
        int perGroup = s.channelsPerGroup();
        int i = (int) (index % perGroup);
        int t = (int) (index / perGroup % s.kernel());
        int r = (int) (index / perGroup / s.kernel() % s.kernel());
        int o = (int) (index / perGroup / s.kernel() / s.kernel());
        int half = s.kernel() / 2;
        double sum = 0;
        for (int n = 0; n < s.batch(); n++) {
            for (int row = 0; row < s.extent(); row++) {
                for (int column = 0; column < s.extent(); column++) {
                    sum += pixel(X, n, row + r - half, column + t - half, o / perGroup * perGroup + i)
                            * pixel(Y, n, row, column, o);
                }
            }
        }
        return sum;
    }

    @Override
    public void close() {
        first.close();
        second.close();
        out.close();
    }
}

package org.effconv.backend.cuda;

import java.util.Optional;
import java.util.function.Consumer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.ShortPointer;
import org.effconv.backend.bridge.HostPointer;
import org.effconv.backend.cuda.ConvolutionRequest.Pass;
import org.effconv.tensor.DataType;

/**
 * A convolution library on the host driver's memory: naive sums in double over descriptors' extents, padding and
 * strides, as cuDNN is told them. It writes over its whole workspace before it reads an operand, as a library may.
 */
final class HostLibrary implements ConvolutionLibrary {
    private static final long WORKSPACE = 1000;

    private final Consumer<Runnable> stream;
    private final Consumer<String> outsideCapture;
    private int runs;

    /**
     * @param stream does work in its order, or notes it down
     * @param outsideCapture complains if a capture is under way
     */
    HostLibrary(Consumer<Runnable> stream, Consumer<String> outsideCapture) {
        this.stream = stream;
        this.outsideCapture = outsideCapture;
    }

    /** Passes done so far. */
    int runs() {
        return runs;
    }

    @Override
    public String description() {
        return "the host's library";
    }

    @Override
    public Optional<Plan> plan(ConvolutionRequest request) {
        outsideCapture.accept("a plan");
        return Optional.of(new Plan() {
            @Override
            public long workspaceBytes() {
                return WORKSPACE;
            }

            @Override
            public void run(long x, long w, long bias, long y, long workspace) {
                stream.accept(() -> {
                    Pointer.memset(HostPointer.at(workspace, WORKSPACE), 0xff, WORKSPACE);
                    compute(request, x, w, bias, y);
                    runs++;
                });
            }

            @Override
            public void close() {}
        });
    }

    private static void compute(ConvolutionRequest r, long xAt, long wAt, long biasAt, long yAt) {
        int[] x = r.xExtents();
        int[] y = r.yExtents();
        DataType weightType = r.pass() == Pass.WEIGHT_GRADIENT ? DataType.F32 : r.type();
        double[] xs = r.pass() == Pass.DATA_GRADIENT ? new double[count(x)] : read(r.type(), xAt, count(x));
        double[] ws = r.pass() == Pass.WEIGHT_GRADIENT
                ? new double[count(r.wExtents())]
                : read(weightType, wAt, count(r.wExtents()));
        double[] ys = r.pass() == Pass.FORWARD ? new double[count(y)] : read(r.type(), yAt, count(y));
        double[] bias = biasAt == 0
                ? null
                : r.pass() == Pass.FORWARD ? read(DataType.F32, biasAt, r.outputs()) : new double[r.outputs()];
        for (int o = 0; o < ys.length; o++) {
            int k = o % y[1];
            if (bias != null && r.pass() == Pass.FORWARD) {
                ys[o] += bias[k];
            } else if (bias != null) {
                bias[k] += ys[o];
            }
            taps(r, o, k, xs, ws, ys);
        }
        switch (r.pass()) {
            case FORWARD -> write(r.type(), yAt, ys);
            case DATA_GRADIENT -> write(r.type(), xAt, xs);
            case WEIGHT_GRADIENT -> {
                write(DataType.F32, wAt, ws);
                if (bias != null) {
                    write(DataType.F32, biasAt, bias);
                }
            }
        }
    }

    private static void taps(ConvolutionRequest r, int o, int k, double[] xs, double[] ws, double[] ys) {
        int[] x = r.xExtents();
        int[] w = r.wExtents();
        int[] y = r.yExtents();
        int column = o / y[1] % y[3];
        int row = o / y[1] / y[3] % y[2];
        int image = o / y[1] / y[3] / y[2];
        int first = k / (r.outputs() / r.groups()) * w[1];
        for (int p = 0; p < w[2]; p++) {
            int h = row * r.stride() + p - r.padding();
            for (int q = 0; q < w[3] && h >= 0 && h < x[2]; q++) {
                int v = column * r.stride() + q - r.padding();
                for (int c = 0; c < w[1] && v >= 0 && v < x[3]; c++) {
                    int i = ((image * x[2] + h) * x[3] + v) * x[1] + first + c;
                    int j = ((k * w[2] + p) * w[3] + q) * w[1] + c;
                    switch (r.pass()) {
                        case FORWARD -> ys[o] += xs[i] * ws[j];
                        case DATA_GRADIENT -> xs[i] += ys[o] * ws[j];
                        case WEIGHT_GRADIENT -> ws[j] += ys[o] * xs[i];
                    }
                }
            }
        }
    }

    private static int count(int[] extents) {
        return Math.toIntExact(ConvolutionRequest.count(extents));
    }

    private static double[] read(DataType type, long address, int count) {
        double[] values = new double[count];
        if (type == DataType.F32) {
            FloatPointer from = new FloatPointer(HostPointer.at(address, 4L * count));
            for (int i = 0; i < count; i++) {
                values[i] = from.get(i);
            }
        } else {
            ShortPointer from = new ShortPointer(HostPointer.at(address, 2L * count));
            for (int i = 0; i < count; i++) {
                values[i] = Float.intBitsToFloat(from.get(i) << 16);
            }
        }
        return values;
    }

    private static void write(DataType type, long address, double[] values) {
        if (type == DataType.F32) {
            FloatPointer to = new FloatPointer(HostPointer.at(address, 4L * values.length));
            for (int i = 0; i < values.length; i++) {
                to.put(i, (float) values[i]);
            }
        } else {
            ShortPointer to = new ShortPointer(HostPointer.at(address, 2L * values.length));
            for (int i = 0; i < values.length; i++) {
                int bits = Float.floatToRawIntBits((float) values[i]);
                to.put(i, (short) ((bits + 0x7fff + (bits >>> 16 & 1)) >>> 16)); // to the nearest, ties to even
            }
        }
    }

    @Override
    public void close() {}
}

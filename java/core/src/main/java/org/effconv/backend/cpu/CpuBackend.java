package org.effconv.backend.cpu;

import static org.effconv.backend.bridge.NativeLibrary.*;

import java.nio.ByteBuffer;
import java.util.List;
import java.util.function.DoubleSupplier;
import java.util.function.IntSupplier;
import org.bytedeco.javacpp.BytePointer;
import org.effconv.backend.*;
import org.effconv.backend.bridge.HostMask;
import org.effconv.backend.bridge.HostPointer;
import org.effconv.backend.bridge.NativeLoader;
import org.effconv.backend.bridge.NativeStatus;
import org.effconv.tensor.Allocator;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;

/**
 * The processor: the project's own operations (native/effconv.h), and oneDNN for convolutions and linear layers. Used
 * by one thread at a time; it may pass from one thread to another between operations. Memory may be allocated and freed
 * from any thread. Results are the same bit for bit with the same number of threads.
 */
public final class CpuBackend implements Backend {
    private final int threads;
    private final CpuMemory memory = new CpuMemory();
    private final CpuConvolution convolution;
    private final CpuLinear linear;
    private final CpuSynthesis synthesis;
    private final OneThread user = new OneThread("CpuBackend");
    private OneDnn oneDnn; // null until the first operation needs it
    private volatile boolean closed;

    private CpuBackend(int threads) {
        this.threads = threads;
        convolution = new CpuConvolution(this);
        linear = new CpuLinear(this);
        synthesis = new CpuSynthesis();
    }

    /**
     * @param threads threads of each operation, at least 1
     * @throws org.effconv.error.EffconvException.MissingNative if the native library cannot be loaded or is of another
     *     version
     */
    public static CpuBackend open(int threads) {
        Operands.require(threads >= 1, "threads is " + threads + "; expected at least 1");
        NativeLoader.load();
        return new CpuBackend(threads);
    }

    @Override
    public String name() {
        return "cpu";
    }

    /** Threads of each operation. */
    public int threads() {
        return threads;
    }

    /** Instruction set the native operations run with, for people: "x86-64-v4". */
    public String instructionSet() {
        return ec_instruction_set().getString();
    }

    @Override
    public Allocator memory() {
        return memory;
    }

    @Override
    public long liveBytes() {
        return memory.liveBytes();
    }

    /** Whether this processor computes in bf16 (AVX-512 BF16 or AMX); elsewhere it would be emulated, slowly. */
    public static boolean bf16Supported() {
        return OneDnn.bf16Supported();
    }

    OneDnn oneDnn() {
        if (oneDnn == null) {
            oneDnn = new OneDnn(memory, OneDnn.OPERATIONS);
        }
        return oneDnn;
    }

    @Override
    public void trim() {
        use(() -> {
            if (oneDnn != null) {
                oneDnn.freeScratch();
            }
            ec_trim();
        });
    }

    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        if (oneDnn != null) {
            oneDnn.close();
        }
        ec_trim();
    }

    // ---- the way every operation takes ------------------------------------------------------------------------

    /** Runs native code under the rules of this backend and turns its status into an exception. */
    void call(IntSupplier nativeCall) {
        use(() -> NativeStatus.check(nativeCall.getAsInt()));
    }

    /**
     * Runs an operation under the rules of this backend: not closed, one thread at a time, its number of threads set.
     */
    void use(Runnable operation) {
        if (closed) {
            throw new IllegalStateException("use after close: CpuBackend");
        }
        user.run(() -> {
            ec_set_threads(threads); // OpenMP keeps this number per calling thread
            operation.run();
        });
    }

    private static int type(Tensor t) {
        return t.type().ordinal();
    }

    private static HostPointer at(Tensor t) {
        return HostPointer.of(t);
    }

    // ---- moving data ------------------------------------------------------------------------------------------

    @Override
    public void write(Tensor t, float[] values) {
        Operands.length(t, values.length);
        call(() -> ec_write_floats(type(t), values, values.length, at(t)));
    }

    @Override
    public void write(Tensor t, double[] values) {
        Operands.length(t, values.length);
        call(() -> ec_write_doubles(type(t), values, values.length, at(t)));
    }

    @Override
    public void write(Tensor t, int[] values) {
        Operands.length(t, values.length);
        call(() -> ec_write_ints(type(t), values, values.length, at(t)));
    }

    @Override
    public void write(Tensor t, ByteBuffer values) {
        Operands.require(t.type() == DataType.U8, "raw bytes go into a U8 tensor, not into " + t);
        Operands.require(values.remaining() >= t.count(), values.remaining() + " bytes for " + t);
        use(() -> {
            ByteBuffer source = values.duplicate();
            source.limit(source.position() + (int) t.count());
            new BytePointer(at(t)).capacity(t.count()).asByteBuffer().put(source);
        });
    }

    @Override
    public float[] readFloats(Tensor t) {
        float[] values = new float[Math.toIntExact(t.count())];
        call(() -> ec_read_floats(type(t), at(t), values.length, values));
        return values;
    }

    @Override
    public double[] readDoubles(Tensor t) {
        double[] values = new double[Math.toIntExact(t.count())];
        call(() -> ec_read_doubles(type(t), at(t), values.length, values));
        return values;
    }

    @Override
    public int[] readInts(Tensor t) {
        int[] values = new int[Math.toIntExact(t.count())];
        call(() -> ec_read_ints(type(t), at(t), values.length, values));
        return values;
    }

    @Override
    public void fill(Tensor t, double value) {
        call(() -> ec_fill(type(t), value, t.count(), at(t)));
    }

    @Override
    public void copy(Tensor from, Tensor to) {
        Operands.sameCount(from, "from", to, "to");
        call(() -> ec_copy(type(from), at(from), type(to), at(to), from.count()));
    }

    @Override
    public void accumulate(Tensor from, double factor, Tensor to) {
        Operands.sameCount(from, "from", to, "to");
        call(() -> ec_accumulate(type(from), at(from), factor, type(to), at(to), from.count()));
    }

    @Override
    public void augment(Tensor images, Tensor draws, float[] mean, float[] std, Tensor y) {
        Operands.augment(images, draws, mean, std, y);
        Shape s = images.shape();
        call(() ->
                ec_augment(type(y), s.dim(0), s.dim(1), s.dim(2), s.dim(3), at(images), at(draws), mean, std, at(y)));
    }

    // ---- convolution and linear -------------------------------------------------------------------------------

    @Override
    public void convolution(Convolution c, Tensor x, Tensor w, Tensor bias, Tensor y) {
        Operands.convolution(c, x, w, bias, y);
        use(() -> convolution.convolution(c, x, w, bias, y));
    }

    @Override
    public void convolutionDataGradient(Convolution c, Tensor dy, Tensor w, Tensor dx) {
        Operands.convolution(c, dx, w, null, dy);
        use(() -> convolution.convolutionDataGradient(c, dy, w, dx));
    }

    @Override
    public void convolutionWeightGradient(Convolution c, Tensor x, Tensor dy, Tensor dw, Tensor dbias) {
        Operands.convolution(c, x, dw, dbias, dy);
        use(() -> convolution.convolutionWeightGradient(c, x, dy, dw, dbias));
    }

    @Override
    public void linear(Tensor x, Tensor w, Tensor bias, Tensor y) {
        Operands.linear(x, w, bias, y);
        use(() -> linear.linear(x, w, bias, y));
    }

    @Override
    public void linearDataGradient(Tensor dy, Tensor w, Tensor dx) {
        Operands.linear(dx, w, null, dy);
        use(() -> linear.linearDataGradient(dy, w, dx));
    }

    @Override
    public void linearWeightGradient(Tensor x, Tensor dy, Tensor dw, Tensor dbias) {
        Operands.linear(x, dw, dbias, dy);
        use(() -> linear.linearWeightGradient(x, dy, dw, dbias));
    }

    // ---- normalisation ----------------------------------------------------------------------------------------

    private static long rows(Tensor x) {
        return x.count() / x.shape().dim(-1);
    }

    @Override
    public void batchNorm(
            Tensor x,
            Tensor scale,
            Tensor shift,
            Tensor residual,
            Activation act,
            double epsilon,
            double momentum,
            Tensor runningMean,
            Tensor runningVariance,
            Tensor mean,
            Tensor invStd,
            Tensor y) {
        Operands.batchNorm(x, residual, act, y, scale, shift, runningMean, runningVariance, mean, invStd);
        call(() -> ec_batch_norm(
                type(x),
                act.ordinal(),
                rows(x),
                x.shape().dim(3),
                at(x),
                at(scale),
                at(shift),
                at(residual),
                epsilon,
                momentum,
                at(runningMean),
                at(runningVariance),
                at(mean),
                at(invStd),
                at(y)));
    }

    @Override
    public void batchNormGradient(
            Tensor x,
            Tensor y,
            Tensor dy,
            Tensor scale,
            Tensor mean,
            Tensor invStd,
            Activation act,
            Tensor dx,
            Tensor dscale,
            Tensor dshift,
            Tensor dresidual) {
        Operands.batchNormGradient(x, y, dy, act, dx, dresidual, scale, mean, invStd, dscale, dshift);
        call(() -> ec_batch_norm_gradient(
                type(x),
                act.ordinal(),
                rows(x),
                x.shape().dim(3),
                at(x),
                at(y),
                at(dy),
                at(scale),
                at(mean),
                at(invStd),
                at(dx),
                at(dscale),
                at(dshift),
                at(dresidual)));
    }

    @Override
    public void batchNormInference(
            Tensor x,
            Tensor scale,
            Tensor shift,
            Tensor residual,
            Activation act,
            double epsilon,
            Tensor runningMean,
            Tensor runningVariance,
            Tensor y) {
        Operands.batchNorm(x, residual, act, y, scale, shift, runningMean, runningVariance);
        call(() -> ec_batch_norm_inference(
                type(x),
                act.ordinal(),
                rows(x),
                x.shape().dim(3),
                at(x),
                at(scale),
                at(shift),
                at(residual),
                epsilon,
                at(runningMean),
                at(runningVariance),
                at(y)));
    }

    @Override
    public void layerNorm(Tensor x, Tensor scale, Tensor shift, double epsilon, Tensor mean, Tensor invStd, Tensor y) {
        int rows = Operands.layerNorm(x, scale, mean, invStd, shift);
        Operands.like(y, "y", x);
        call(() -> ec_layer_norm(
                type(x), rows, x.shape().dim(-1), at(x), at(scale), at(shift), epsilon, at(mean), at(invStd), at(y)));
    }

    @Override
    public void layerNormGradient(
            Tensor x, Tensor dy, Tensor scale, Tensor mean, Tensor invStd, Tensor dx, Tensor dscale, Tensor dshift) {
        int rows = Operands.layerNorm(x, scale, mean, invStd, dscale, dshift);
        Operands.elementwise(x, dy, dx);
        call(() -> ec_layer_norm_gradient(
                type(x),
                rows,
                x.shape().dim(-1),
                at(x),
                at(dy),
                at(scale),
                at(mean),
                at(invStd),
                at(dx),
                at(dscale),
                at(dshift)));
    }

    // ---- elementwise and pooling ------------------------------------------------------------------------------

    @Override
    public void activation(Activation a, Tensor x, Tensor y) {
        Operands.elementwise(x, y);
        call(() -> ec_activate(type(x), a.ordinal(), x.count(), at(x), at(y)));
    }

    @Override
    public void activationGradient(Activation a, Tensor x, Tensor dy, Tensor dx) {
        Operands.elementwise(x, dy, dx);
        call(() -> ec_activate_gradient(type(x), a.ordinal(), x.count(), at(x), at(dy), at(dx)));
    }

    @Override
    public void add(Tensor a, Tensor b, Activation act, Tensor y) {
        Operands.add(a, b, act, y);
        call(() -> ec_add(type(a), act.ordinal(), a.count(), at(a), at(b), at(y)));
    }

    @Override
    public void pool(Pooling p, Tensor x, Tensor y) {
        Operands.pool(p, x, y);
        Shape s = x.shape();
        call(() -> ec_pool(
                type(x),
                p.kind().ordinal(),
                p.size(),
                p.stride(),
                p.padding(),
                s.dim(0),
                s.dim(1),
                s.dim(2),
                s.dim(3),
                at(x),
                at(y)));
    }

    @Override
    public void poolGradient(Pooling p, Tensor x, Tensor dy, Tensor dx) {
        Operands.pool(p, x, dy);
        Operands.like(dx, "dx", x);
        Shape s = x.shape();
        call(() -> ec_pool_gradient(
                type(x),
                p.kind().ordinal(),
                p.size(),
                p.stride(),
                p.padding(),
                s.dim(0),
                s.dim(1),
                s.dim(2),
                s.dim(3),
                at(x),
                at(dy),
                at(dx)));
    }

    @Override
    public void globalAveragePool(Tensor x, Tensor y) {
        Operands.globalAveragePool(x, y);
        Shape s = x.shape();
        call(() -> ec_global_average_pool(type(x), s.dim(0), (long) s.dim(1) * s.dim(2), s.dim(3), at(x), at(y)));
    }

    @Override
    public void globalAveragePoolGradient(Tensor dy, Tensor dx) {
        Operands.globalAveragePool(dx, dy);
        Shape s = dx.shape();
        call(() -> ec_global_average_pool_gradient(
                type(dx), s.dim(0), (long) s.dim(1) * s.dim(2), s.dim(3), at(dy), at(dx)));
    }

    @Override
    public void dropout(Tensor x, double rate, long seed, Tensor y) {
        Operands.dropout(x, rate, y);
        call(() -> ec_dropout(type(x), x.count(), at(x), rate, seed, at(y)));
    }

    // ---- loss, recurrent, optimiser ---------------------------------------------------------------------------

    @Override
    public void softmaxCrossEntropy(
            Tensor logits, Tensor labels, double smoothing, Tensor loss, Tensor correct, Tensor dlogits) {
        Operands.softmaxCrossEntropy(logits, labels, smoothing, loss, correct, dlogits);
        call(() -> ec_softmax_cross_entropy(
                type(logits),
                logits.shape().dim(0),
                logits.shape().dim(1),
                at(logits),
                at(labels),
                smoothing,
                at(loss),
                at(correct),
                at(dlogits)));
    }

    @Override
    public void gru(Tensor x, GruDirection forward, GruDirection reverse, Tensor h, Tensor tape) {
        int hidden = Operands.gru(x, forward, reverse, h, tape);
        call(() -> ec_gru(
                type(x),
                x.shape().dim(0),
                x.shape().dim(1),
                hidden,
                at(x),
                GruDirection.addresses(forward, reverse),
                at(h),
                at(tape)));
    }

    @Override
    public void gruGradient(
            Tensor x,
            Tensor h,
            Tensor tape,
            Tensor dh,
            GruDirection forward,
            GruDirection reverse,
            GruDirection dforward,
            GruDirection dreverse,
            Tensor dx) {
        int hidden = Operands.gru(x, forward, reverse, h, tape);
        Operands.gru(x, dforward, dreverse, dh, tape);
        Operands.likeOrNull(dx, "dx", x);
        call(() -> ec_gru_gradient(
                type(x),
                x.shape().dim(0),
                x.shape().dim(1),
                hidden,
                at(x),
                GruDirection.addresses(forward, reverse),
                at(h),
                at(tape),
                at(dh),
                GruDirection.addresses(dforward, dreverse),
                at(dx)));
    }

    @Override
    public DoubleSupplier update(OptimizerRule rule, long step, List<OptimizerSlot> slots) {
        DataType type = slots.isEmpty() ? DataType.F32 : slots.get(0).value().type();
        OptimizerTable t = OptimizerTable.of(rule, type, slots);
        double[] norm = new double[1];
        call(() -> ec_optimizer_step(
                type.ordinal(),
                rule.kind().ordinal(),
                rule.beta1(),
                rule.beta2(),
                rule.epsilon(),
                rule.nesterov() ? 1 : 0,
                rule.clipNorm(),
                step,
                slots.size(),
                t.addresses(),
                t.counts(),
                t.rates(),
                t.decays(),
                norm));
        return () -> norm[0];
    }

    // ---- the method -------------------------------------------------------------------------------------------

    @Override
    public void synthesis(MaskKind mask, Tensor v, List<SynthesisLayer> layers) {
        use(() -> synthesis.synthesis(mask, v, layers));
    }

    @Override
    public void synthesisGradient(
            MaskKind mask, Tensor v, List<SynthesisLayer> layers, List<SynthesisLayer> dlayers, Tensor dv) {
        use(() -> synthesis.synthesisGradient(mask, v, layers, dlayers, dv));
    }

    @Override
    public void coordinateFeatures(List<CoordinateLayer> layers) {
        use(() -> synthesis.coordinateFeatures(layers));
    }

    @Override
    public void coordinateFeaturesGradient(List<CoordinateLayer> layers, List<CoordinateLayer> dlayers) {
        use(() -> synthesis.coordinateFeaturesGradient(layers, dlayers));
    }

    @Override
    public void sizeHead(SizeHead head, Tensor h, Tensor u, Tensor v) {
        use(() -> synthesis.sizeHead(head, h, u, v));
    }

    @Override
    public void sizeHeadGradient(SizeHead head, Tensor h, Tensor dv, SizeHead dhead, Tensor dh) {
        use(() -> synthesis.sizeHeadGradient(head, h, dv, dhead, dh));
    }

    @Override
    public int supportGrid(MaskKind mask, DataType type, double v, int kmax, Support support) {
        return HostMask.supportGrid(mask, type, v, kmax, support);
    }

    @Override
    public void softTaps(double[] v, double[] taps, double[] slopes) {
        HostMask.softTaps(v, taps, slopes);
    }
}

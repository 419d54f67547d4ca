package org.effconv.backend.cuda;

import static org.effconv.backend.bridge.NativeLibrary.*;

import java.nio.ByteBuffer;
import java.util.List;
import java.util.Optional;
import java.util.function.DoubleSupplier;
import java.util.function.IntSupplier;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import org.effconv.backend.*;
import org.effconv.backend.bridge.HostMask;
import org.effconv.backend.cuda.ConvolutionRequest.Pass;
import org.effconv.tensor.Allocator;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;

/**
 * One NVIDIA card: the project's own kernels, launched in the order of one stream. Computes in F32 and BF16; F64 is
 * refused. Operations return when they are launched, not when they are done; reading waits. Used by one thread at a
 * time; it may pass from one thread to another between operations. Memory may be allocated and freed from any thread.
 * Two runs give the same bits.
 */
public final class CudaBackend implements Backend {
    private final CudaSession session;

    private CudaBackend(CudaSession session) {
        this.session = session;
    }

    /**
     * Opens a card.
     *
     * @throws org.effconv.error.EffconvException what {@link CudaProbe#problem} finds: driver, card, native library or
     *     device code are missing or do not fit, with the way out
     */
    public static CudaBackend open(CudaOptions options) {
        CudaProbe.ofThisMachine().problem(options).ifPresent(problem -> {
            throw problem.exception("cuda:" + options.ordinal());
        });
        return over(JCudaDriver.open(options.ordinal()), options);
    }

    /** A backend over any driver, which it owns from here on, even if this fails. */
    static CudaBackend over(Driver driver, CudaOptions options) {
        return over(driver, options, new ConvolutionTable(options.conv()));
    }

    /** @param table who computes convolutions, in place of what the options choose */
    static CudaBackend over(Driver driver, CudaOptions options, ConvolutionTable table) {
        return new CudaBackend(CudaSession.open(driver, options, table));
    }

    @Override
    public String name() {
        return session.driver().name();
    }

    /** For people: the card, its compute capability, the driver. */
    public String description() {
        return session.driver().description();
    }

    @Override
    public Allocator memory() {
        return session.memory();
    }

    @Override
    public long liveBytes() {
        return session.memory().liveBytes();
    }

    /** Most bytes of device memory that were held at a time. */
    public long peakBytes() {
        return session.memory().peakBytes();
    }

    /**
     * Convolution and linear passes that a library beside our kernels was given; 0 where there is none. Tells who
     * computed.
     */
    public long libraryPasses() {
        return session.products().libraryPasses();
    }

    /** Steps held as recordings now. */
    int recordedSteps() {
        return session.recordedSteps();
    }

    /**
     * By events of the stream, one before and one after the work. Where the card is still busy with what came before,
     * the time the host takes to put the work into the stream is not in it; where it waits for the host, it is.
     */
    @Override
    public double seconds(Runnable work) {
        return session.seconds(work);
    }

    @Override
    public void trim() {
        session.trim();
    }

    /** Gives everything back. Tensors that are still open lose their memory; closing them afterwards is harmless. */
    @Override
    public void close() {
        session.close();
    }

    private void launch(IntSupplier plan) {
        session.launch(plan);
    }

    private void use(Runnable operation) {
        session.use(operation);
    }

    private <T> T get(Supplier<T> operation) {
        return session.get(operation);
    }

    private CudaData data() {
        return session.data();
    }

    private CudaMethod method() {
        return session.method();
    }

    private ec_plan plan() {
        return session.launcher().plan();
    }

    private int type(Tensor t) {
        return served(t).type().ordinal();
    }

    private Tensor served(Tensor t) {
        if (t.type() == DataType.F64) {
            throw new IllegalArgumentException(
                    t + " on " + name() + ": a card computes in F32 or BF16; F64 is for the CPU");
        }
        return t;
    }

    static long at(Tensor t) {
        return t == null ? 0 : t.address();
    }

    // ---- moving data ------------------------------------------------------------------------------------------

    @Override
    public void write(Tensor t, float[] values) {
        Operands.length(t, values.length);
        use(() -> data().write(served(t), values));
    }

    @Override
    public void write(Tensor t, double[] values) {
        Operands.length(t, values.length);
        use(() -> data().write(served(t), values));
    }

    @Override
    public void write(Tensor t, int[] values) {
        Operands.length(t, values.length);
        use(() -> data().write(served(t), values));
    }

    @Override
    public void write(Tensor t, ByteBuffer values) {
        Operands.require(t.type() == DataType.U8, "raw bytes go into a U8 tensor, not into " + t);
        Operands.require(values.remaining() >= t.count(), values.remaining() + " bytes for " + t);
        use(() -> data().write(t, values));
    }

    @Override
    public float[] readFloats(Tensor t) {
        return get(() -> data().readFloats(served(t)));
    }

    @Override
    public double[] readDoubles(Tensor t) {
        return get(() -> data().readDoubles(served(t)));
    }

    @Override
    public int[] readInts(Tensor t) {
        return get(() -> data().readInts(served(t)));
    }

    @Override
    public boolean readsLate() {
        return true;
    }

    @Override
    public Supplier<double[]> readLater(Tensor t) {
        Supplier<double[]> later = get(() -> data().readLater(served(t)));
        return () -> get(later);
    }

    @Override
    public void fill(Tensor t, double value) {
        use(() -> data().fill(served(t), value));
    }

    @Override
    public void copy(Tensor from, Tensor to) {
        Operands.sameCount(from, "from", to, "to");
        if (from.type() == to.type()) {
            use(() -> data().copySame(served(from), to));
        } else if (from.count() > 0) {
            launch(() -> ec_plan_copy(plan(), type(from), at(from), type(to), at(to), from.count()));
        }
    }

    @Override
    public void accumulate(Tensor from, double factor, Tensor to) {
        Operands.sameCount(from, "from", to, "to");
        if (from.count() > 0) {
            launch(() -> ec_plan_accumulate(plan(), type(from), at(from), factor, type(to), at(to), from.count()));
        }
    }

    @Override
    public void augment(Tensor images, Tensor draws, float[] mean, float[] std, Tensor y) {
        Operands.augment(images, draws, mean, std, y);
        images(images, null, draws, mean, std, y);
    }

    /** @param numbers of the images to take; null: all */
    void images(Tensor images, Tensor numbers, Tensor draws, float[] mean, float[] std, Tensor y) {
        Shape s = images.shape();
        launch(() -> ec_plan_augment(
                plan(),
                type(y),
                s.dim(0),
                y.shape().dim(0),
                s.dim(1),
                s.dim(2),
                s.dim(3),
                at(images),
                at(numbers),
                at(draws),
                mean,
                std,
                at(y)));
    }

    @Override
    public Optional<DatasetMemory> datasetMemory() {
        return Optional.of(new CudaImages(this, () -> get(session.memory()::room)));
    }

    // ---- convolution and linear -------------------------------------------------------------------------------

    @Override
    public void convolution(Convolution c, Tensor x, Tensor w, Tensor bias, Tensor y) {
        Operands.convolution(c, x, w, bias, y);
        use(() -> session.products().convolution(Pass.FORWARD, c, served(x), w, bias, y));
    }

    @Override
    public void convolutionDataGradient(Convolution c, Tensor dy, Tensor w, Tensor dx) {
        Operands.convolution(c, dx, w, null, dy);
        use(() -> session.products().convolution(Pass.DATA_GRADIENT, c, served(dx), w, null, dy));
    }

    @Override
    public void convolutionWeightGradient(Convolution c, Tensor x, Tensor dy, Tensor dw, Tensor dbias) {
        Operands.convolution(c, x, dw, dbias, dy);
        use(() -> session.products().convolution(Pass.WEIGHT_GRADIENT, c, served(x), dw, dbias, dy));
    }

    @Override
    public void linear(Tensor x, Tensor w, Tensor bias, Tensor y) {
        Operands.linear(x, w, bias, y);
        use(() -> session.products().linear(Pass.FORWARD, served(x), w, bias, y));
    }

    @Override
    public void linearDataGradient(Tensor dy, Tensor w, Tensor dx) {
        Operands.linear(dx, w, null, dy);
        use(() -> session.products().linear(Pass.DATA_GRADIENT, served(dx), w, null, dy));
    }

    @Override
    public void linearWeightGradient(Tensor x, Tensor dy, Tensor dw, Tensor dbias) {
        Operands.linear(x, dw, dbias, dy);
        use(() -> session.products().linear(Pass.WEIGHT_GRADIENT, served(x), dw, dbias, dy));
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
        launch(() -> ec_plan_batch_norm(
                plan(),
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
        launch(() -> ec_plan_batch_norm_gradient(
                plan(),
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
        launch(() -> ec_plan_batch_norm_inference(
                plan(),
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
        launch(() -> ec_plan_layer_norm(
                plan(),
                type(x),
                rows,
                x.shape().dim(-1),
                at(x),
                at(scale),
                at(shift),
                epsilon,
                at(mean),
                at(invStd),
                at(y)));
    }

    @Override
    public void layerNormGradient(
            Tensor x, Tensor dy, Tensor scale, Tensor mean, Tensor invStd, Tensor dx, Tensor dscale, Tensor dshift) {
        int rows = Operands.layerNorm(x, scale, mean, invStd, dscale, dshift);
        Operands.elementwise(x, dy, dx);
        launch(() -> ec_plan_layer_norm_gradient(
                plan(),
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
        launch(() -> ec_plan_activate(plan(), type(x), a.ordinal(), x.count(), at(x), at(y)));
    }

    @Override
    public void activationGradient(Activation a, Tensor x, Tensor dy, Tensor dx) {
        Operands.elementwise(x, dy, dx);
        launch(() -> ec_plan_activate_gradient(plan(), type(x), a.ordinal(), x.count(), at(x), at(dy), at(dx)));
    }

    @Override
    public void add(Tensor a, Tensor b, Activation act, Tensor y) {
        Operands.add(a, b, act, y);
        launch(() -> ec_plan_add(plan(), type(a), act.ordinal(), a.count(), at(a), at(b), at(y)));
    }

    @Override
    public void pool(Pooling p, Tensor x, Tensor y) {
        Operands.pool(p, x, y);
        Shape s = x.shape();
        launch(() -> ec_plan_pool(
                plan(),
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
        launch(() -> ec_plan_pool_gradient(
                plan(),
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
        launch(() ->
                ec_plan_global_average_pool(plan(), type(x), s.dim(0), s.dim(1), s.dim(2), s.dim(3), at(x), at(y)));
    }

    @Override
    public void globalAveragePoolGradient(Tensor dy, Tensor dx) {
        Operands.globalAveragePool(dx, dy);
        Shape s = dx.shape();
        launch(() -> ec_plan_global_average_pool_gradient(
                plan(), type(dx), s.dim(0), s.dim(1), s.dim(2), s.dim(3), at(dy), at(dx)));
    }

    @Override
    public void dropout(Tensor x, double rate, long seed, Tensor y) {
        Operands.dropout(x, rate, y);
        launch(() -> ec_plan_dropout(plan(), type(x), x.count(), at(x), rate, seed, 0, at(y)));
    }

    @Override
    public void dropout(Tensor x, double rate, LongSupplier seed, Tensor y) {
        Operands.dropout(x, rate, y);
        launch(() -> ec_plan_dropout(
                plan(),
                type(x),
                x.count(),
                at(x),
                rate,
                seed.getAsLong(),
                session.launcher().value(seed),
                at(y)));
    }

    // ---- loss, recurrent, optimiser ---------------------------------------------------------------------------

    @Override
    public void softmaxCrossEntropy(
            Tensor logits, Tensor labels, double smoothing, Tensor loss, Tensor correct, Tensor dlogits) {
        Operands.softmaxCrossEntropy(logits, labels, smoothing, loss, correct, dlogits);
        launch(() -> ec_plan_softmax_cross_entropy(
                plan(),
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
        use(() -> method().gru(served(x), forward, reverse, h, tape));
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
        use(() -> method().gruGradient(served(x), h, tape, dh, forward, reverse, dforward, dreverse, dx));
    }

    @Override
    public DoubleSupplier update(OptimizerRule rule, long step, List<OptimizerSlot> slots) {
        Supplier<double[]> later = get(() -> method().update(rule, step, slots));
        return () -> get(later)[0];
    }

    @Override
    public Supplier<DoubleSupplier> update(
            OptimizerRule rule, Supplier<OptimizerRates> now, List<OptimizerSlot> slots) {
        Supplier<Supplier<double[]>> norm = get(() -> method().update(rule, now, slots));
        return () -> {
            Supplier<double[]> later = get(norm);
            return () -> get(later)[0];
        };
    }

    @Override
    public void accumulateNormalised(List<Tensor> from, DoubleSupplier factor, List<Tensor> to) {
        use(() -> method().accumulateNormalised(from, factor, to));
    }

    @Override
    public double sumOfSquares(List<Tensor> tensors) {
        return get(() -> method().sumOfSquares(tensors));
    }

    // ---- steps ------------------------------------------------------------------------------------------------

    @Override
    public <T> T step(Object key, Supplier<T> body) {
        return session.step(key, body);
    }

    // ---- the method -------------------------------------------------------------------------------------------

    @Override
    public void synthesis(MaskKind mask, Tensor v, List<SynthesisLayer> layers) {
        synthesis(mask, v, null, layers);
    }

    @Override
    public void synthesis(MaskKind mask, Tensor v, Tensor scales, List<SynthesisLayer> layers) {
        use(() -> method().synthesis(mask, served(v), scales, layers));
    }

    @Override
    public void synthesisGradient(
            MaskKind mask, Tensor v, List<SynthesisLayer> layers, List<SynthesisLayer> dlayers, Tensor dv) {
        synthesisGradient(mask, v, null, layers, dlayers, dv);
    }

    @Override
    public void synthesisGradient(
            MaskKind mask,
            Tensor v,
            Tensor scales,
            List<SynthesisLayer> layers,
            List<SynthesisLayer> dlayers,
            Tensor dv) {
        use(() -> method().synthesisGradient(mask, served(v), scales, layers, dlayers, dv));
    }

    @Override
    public void coordinateFeatures(List<CoordinateLayer> layers) {
        use(() -> method().coordinateFeatures(layers));
    }

    @Override
    public void coordinateFeaturesGradient(List<CoordinateLayer> layers, List<CoordinateLayer> dlayers) {
        use(() -> method().coordinateFeaturesGradient(layers, dlayers));
    }

    @Override
    public void sizeHead(SizeHead head, Tensor h, Tensor u, Tensor v) {
        use(() -> method().sizeHead(head, served(h), u, v));
    }

    @Override
    public void sizeHeadGradient(SizeHead head, Tensor h, Tensor dv, SizeHead dhead, Tensor dh) {
        use(() -> method().sizeHeadGradient(head, served(h), dv, dhead, dh));
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

package org.effconv.backend;

import java.nio.ByteBuffer;
import java.util.List;
import java.util.function.DoubleSupplier;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Tensor;

/**
 * The way that every operation of every backend takes: its operands are checked, then it runs under the rules of the
 * device. A backend brings the rules and {@link Operations} that trust their operands. An operation added to
 * {@link Backend} does not compile until it has its place, and its check, here.
 */
public abstract class CheckedBackend implements Backend {
    /** The operations themselves; what they are given has been checked. */
    protected abstract Operations operations();

    /**
     * Runs an operation under the rules of the device; operations may be made of others.
     *
     * @throws IllegalStateException if the backend is closed, or another thread is in it
     */
    protected abstract <T> T get(Supplier<T> operation);

    private void run(Runnable operation) {
        get(() -> {
            operation.run();
            return null;
        });
    }

    private DataOperations data() {
        return operations().data();
    }

    private NetworkOperations network() {
        return operations().network();
    }

    private MethodOperations method() {
        return operations().method();
    }

    // ---- moving data ------------------------------------------------------------------------------------------

    @Override
    public final void write(Tensor t, float[] values) {
        Operands.length(t, values.length);
        run(() -> data().write(t, values));
    }

    @Override
    public final void write(Tensor t, double[] values) {
        Operands.length(t, values.length);
        run(() -> data().write(t, values));
    }

    @Override
    public final void write(Tensor t, int[] values) {
        Operands.length(t, values.length);
        run(() -> data().write(t, values));
    }

    @Override
    public final void write(Tensor t, ByteBuffer values) {
        Operands.bytes(t, values);
        run(() -> data().write(t, values));
    }

    @Override
    public final float[] readFloats(Tensor t) {
        return get(() -> data().readFloats(t));
    }

    @Override
    public final double[] readDoubles(Tensor t) {
        return get(() -> data().readDoubles(t));
    }

    @Override
    public final int[] readInts(Tensor t) {
        return get(() -> data().readInts(t));
    }

    @Override
    public final Supplier<double[]> readLater(Tensor t) {
        Supplier<double[]> later = get(() -> data().readLater(t));
        return () -> get(later);
    }

    @Override
    public final void fill(Tensor t, double value) {
        run(() -> data().fill(t, value));
    }

    @Override
    public final void copy(Tensor from, Tensor to) {
        Operands.sameCount(from, "from", to, "to");
        run(() -> data().copy(from, to));
    }

    @Override
    public final void accumulate(Tensor from, double factor, Tensor to) {
        Operands.sameCount(from, "from", to, "to");
        run(() -> data().accumulate(from, factor, to));
    }

    @Override
    public final void augment(Tensor images, Tensor draws, float[] mean, float[] std, Tensor y) {
        Operands.augment(images, draws, mean, std, y);
        run(() -> data().augment(images, draws, mean, std, y));
    }

    // ---- convolution and linear -------------------------------------------------------------------------------

    @Override
    public final void convolution(Convolution c, Tensor x, Tensor w, Tensor bias, Tensor y) {
        Operands.convolution(c, x, w, bias, y);
        run(() -> operations().convolutions().convolution(c, x, w, bias, y));
    }

    @Override
    public final void convolutionDataGradient(Convolution c, Tensor dy, Tensor w, Tensor dx) {
        Operands.convolution(c, dx, w, null, dy);
        run(() -> operations().convolutions().convolutionDataGradient(c, dy, w, dx));
    }

    @Override
    public final void convolutionWeightGradient(Convolution c, Tensor x, Tensor dy, Tensor dw, Tensor dbias) {
        Operands.convolution(c, x, dw, dbias, dy);
        run(() -> operations().convolutions().convolutionWeightGradient(c, x, dy, dw, dbias));
    }

    @Override
    public final void linear(Tensor x, Tensor w, Tensor bias, Tensor y) {
        Operands.linear(x, w, bias, y);
        run(() -> operations().linear().linear(x, w, bias, y));
    }

    @Override
    public final void linearDataGradient(Tensor dy, Tensor w, Tensor dx) {
        Operands.linear(dx, w, null, dy);
        run(() -> operations().linear().linearDataGradient(dy, w, dx));
    }

    @Override
    public final void linearWeightGradient(Tensor x, Tensor dy, Tensor dw, Tensor dbias) {
        Operands.linear(x, dw, dbias, dy);
        run(() -> operations().linear().linearWeightGradient(x, dy, dw, dbias));
    }

    // ---- normalisation ----------------------------------------------------------------------------------------

    @Override
    public final void batchNorm(
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
        run(() -> network()
                .batchNorm(
                        x,
                        scale,
                        shift,
                        residual,
                        act,
                        epsilon,
                        momentum,
                        runningMean,
                        runningVariance,
                        mean,
                        invStd,
                        y));
    }

    @Override
    public final void batchNormGradient(
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
        run(() -> network().batchNormGradient(x, y, dy, scale, mean, invStd, act, dx, dscale, dshift, dresidual));
    }

    @Override
    public final void batchNormInference(
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
        run(() ->
                network().batchNormInference(x, scale, shift, residual, act, epsilon, runningMean, runningVariance, y));
    }

    @Override
    public final void layerNorm(
            Tensor x, Tensor scale, Tensor shift, double epsilon, Tensor mean, Tensor invStd, Tensor y) {
        Operands.layerNorm(x, scale, mean, invStd, shift);
        Operands.like(y, "y", x);
        run(() -> network().layerNorm(x, scale, shift, epsilon, mean, invStd, y));
    }

    @Override
    public final void layerNormGradient(
            Tensor x, Tensor dy, Tensor scale, Tensor mean, Tensor invStd, Tensor dx, Tensor dscale, Tensor dshift) {
        Operands.layerNorm(x, scale, mean, invStd, dscale, dshift);
        Operands.elementwise(x, dy, dx);
        run(() -> network().layerNormGradient(x, dy, scale, mean, invStd, dx, dscale, dshift));
    }

    // ---- elementwise, pooling, loss ---------------------------------------------------------------------------

    @Override
    public final void activation(Activation a, Tensor x, Tensor y) {
        Operands.elementwise(x, y);
        run(() -> network().activation(a, x, y));
    }

    @Override
    public final void activationGradient(Activation a, Tensor x, Tensor dy, Tensor dx) {
        Operands.elementwise(x, dy, dx);
        run(() -> network().activationGradient(a, x, dy, dx));
    }

    @Override
    public final void add(Tensor a, Tensor b, Activation act, Tensor y) {
        Operands.add(a, b, act, y);
        run(() -> network().add(a, b, act, y));
    }

    @Override
    public final void pool(Pooling p, Tensor x, Tensor y) {
        Operands.pool(p, x, y);
        run(() -> network().pool(p, x, y));
    }

    @Override
    public final void poolGradient(Pooling p, Tensor x, Tensor dy, Tensor dx) {
        Operands.pool(p, x, dy);
        Operands.like(dx, "dx", x);
        run(() -> network().poolGradient(p, x, dy, dx));
    }

    @Override
    public final void globalAveragePool(Tensor x, Tensor y) {
        Operands.globalAveragePool(x, y);
        run(() -> network().globalAveragePool(x, y));
    }

    @Override
    public final void globalAveragePoolGradient(Tensor dy, Tensor dx) {
        Operands.globalAveragePool(dx, dy);
        run(() -> network().globalAveragePoolGradient(dy, dx));
    }

    @Override
    public final void dropout(Tensor x, double rate, long seed, Tensor y) {
        Operands.dropout(x, rate, y);
        run(() -> network().dropout(x, rate, seed, y));
    }

    @Override
    public final void dropout(Tensor x, double rate, LongSupplier seed, Tensor y) {
        Operands.dropout(x, rate, y);
        run(() -> network().dropout(x, rate, seed, y));
    }

    @Override
    public final void softmaxCrossEntropy(
            Tensor logits, Tensor labels, double smoothing, Tensor loss, Tensor correct, Tensor dlogits) {
        Operands.softmaxCrossEntropy(logits, labels, smoothing, loss, correct, dlogits);
        run(() -> network().softmaxCrossEntropy(logits, labels, smoothing, loss, correct, dlogits));
    }

    // ---- optimiser --------------------------------------------------------------------------------------------

    @Override
    public final DoubleSupplier update(OptimizerRule rule, long step, List<OptimizerSlot> slots) {
        Operands.optimizer(rule, slots);
        return later(get(() -> operations().optimizer().update(rule, step, slots)));
    }

    @Override
    public final Supplier<DoubleSupplier> update(
            OptimizerRule rule, Supplier<OptimizerRates> now, List<OptimizerSlot> slots) {
        Operands.optimizer(rule, slots);
        Supplier<DoubleSupplier> norm = get(() -> operations().optimizer().update(rule, now, slots));
        return () -> later(get(norm));
    }

    private DoubleSupplier later(DoubleSupplier norm) {
        return () -> get(norm::getAsDouble);
    }

    @Override
    public final void accumulateNormalised(List<Tensor> from, DoubleSupplier factor, List<Tensor> to) {
        Operands.sameCounts(from, to);
        run(() -> operations().optimizer().accumulateNormalised(from, factor, to));
    }

    @Override
    public final double sumOfSquares(List<Tensor> tensors) {
        return get(() -> operations().optimizer().sumOfSquares(tensors));
    }

    // ---- the method -------------------------------------------------------------------------------------------

    @Override
    public final void gru(Tensor x, GruDirection forward, GruDirection reverse, Tensor h, Tensor gates) {
        Operands.gru(x, forward, reverse, h, gates);
        run(() -> method().gru(x, forward, reverse, h, gates));
    }

    @Override
    public final void gruGradient(
            Tensor x,
            Tensor h,
            Tensor gates,
            Tensor dh,
            GruDirection forward,
            GruDirection reverse,
            GruDirection dforward,
            GruDirection dreverse,
            Tensor dx) {
        Operands.gru(x, forward, reverse, h, gates);
        Operands.gru(x, dforward, dreverse, dh, gates);
        Operands.likeOrNull(dx, "dx", x);
        run(() -> method().gruGradient(x, h, gates, dh, forward, reverse, dforward, dreverse, dx));
    }

    @Override
    public final void synthesis(MaskKind mask, Tensor v, Tensor scales, List<SynthesisLayer> layers) {
        MethodOperands.synthesis(v, scales, layers);
        run(() -> method().synthesis(mask, v, scales, layers));
    }

    @Override
    public final void synthesisGradient(
            MaskKind mask,
            Tensor v,
            Tensor scales,
            List<SynthesisLayer> layers,
            List<SynthesisLayer> dlayers,
            Tensor dv) {
        MethodOperands.synthesisGradient(v, scales, layers, dlayers, dv);
        run(() -> method().synthesisGradient(mask, v, scales, layers, dlayers, dv));
    }

    @Override
    public final void coordinateFeatures(List<CoordinateLayer> layers) {
        MethodOperands.coordinateFeatures(layers);
        run(() -> method().coordinateFeatures(layers));
    }

    @Override
    public final void coordinateFeaturesGradient(List<CoordinateLayer> layers, List<CoordinateLayer> dlayers) {
        MethodOperands.coordinateFeaturesGradient(layers, dlayers);
        run(() -> method().coordinateFeaturesGradient(layers, dlayers));
    }

    @Override
    public final void sizeHead(SizeHead head, Tensor h, Tensor u, Tensor v) {
        MethodOperands.sizeHead(head, h, u, v);
        run(() -> method().sizeHead(head, h, u, v));
    }

    @Override
    public final void sizeHeadGradient(SizeHead head, Tensor h, Tensor dv, SizeHead dhead, Tensor dh) {
        MethodOperands.sizeHeadGradient(head, h, dv, dhead, dh);
        run(() -> method().sizeHeadGradient(head, h, dv, dhead, dh));
    }

    // ---- arithmetic on the host -------------------------------------------------------------------------------

    @Override
    public final int supportGrid(MaskKind mask, DataType type, double v, int kmax, Support support) {
        return operations().mask().supportGrid(mask, type, v, kmax, support);
    }

    @Override
    public final void softTaps(double[] v, double[] taps, double[] slopes) {
        Operands.sameLength("soft taps", v.length, taps.length);
        Operands.sameLength("soft taps", v.length, slopes.length);
        operations().mask().softTaps(v, taps, slopes);
    }

    @Override
    public final double[] synthesisScales(double[] v, int[] inputs) {
        Operands.sameLength("synthesis scales", v.length, inputs.length);
        return operations().mask().synthesisScales(v, inputs);
    }

    @Override
    public final int[] kernelSizes(double[] v, int[] kmax) {
        Operands.sameLength("kernel sizes", v.length, kmax.length);
        return operations().mask().kernelSizes(v, kmax);
    }
}

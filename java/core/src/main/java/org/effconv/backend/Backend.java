package org.effconv.backend;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.function.DoubleSupplier;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import org.effconv.tensor.Allocator;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Tensor;

/**
 * The tensor operations of one device. Activations are (N, H, W, C) in the activation type (F32, BF16; F64 to verify
 * gradients); parameters, statistics and losses are in its {@link DataType#parameterType()}, "P" below. Operations
 * overwrite their outputs and never allocate tensors; shapes and types are checked and refused with
 * {@link IllegalArgumentException}. An output may not overlap an input unless its comment says so. A backend belongs to
 * one thread at a time.
 */
public interface Backend extends AutoCloseable {
    /** For people and assertions: "cpu", "cuda:0". */
    String name();

    Allocator memory();

    /** Bytes that tensors and workspaces of this backend hold now. */
    long liveBytes();

    /**
     * Gives memory that was freed here and kept for reuse back to the system, which others may need now; jobs do so
     * when they end. Changes no result, costs the next operations some time, and may wait for the device. What cannot
     * be given back is kept, which is no failure.
     */
    default void trim() {}

    @Override
    void close();

    /**
     * Seconds that {@code work} takes on this device, by the device's own clock where it has one; returns when the work
     * is done, also where operations otherwise only begin.
     */
    default double seconds(Runnable work) {
        long start = System.nanoTime();
        work.run();
        return (System.nanoTime() - start) / 1e9;
    }

    // ---- moving data; values are converted to and from the tensor's type --------------------------------------

    void write(Tensor t, float[] values);

    void write(Tensor t, double[] values);

    void write(Tensor t, int[] values);

    /** Raw bytes into a U8 tensor, from the buffer's position on, which is not moved. */
    void write(Tensor t, ByteBuffer values);

    float[] readFloats(Tensor t);

    double[] readDoubles(Tensor t);

    int[] readInts(Tensor t);

    /**
     * Whether reading a value makes work that is under way wait, so that a loop had better use it a step late, by
     * {@link #readLater}.
     */
    default boolean readsLate() {
        return false;
    }

    /**
     * The values of a few elements (at most 4096 bytes) as they are now, for later: a device hands them over while it
     * works on, and asking for them waits for them alone. Each has to be asked for.
     */
    default Supplier<double[]> readLater(Tensor t) {
        double[] values = t.type() == DataType.I32
                ? Arrays.stream(readInts(t)).asDoubleStream().toArray()
                : readDoubles(t);
        return values::clone;
    }

    void fill(Tensor t, double value);

    /** Copies with conversion of the type; equal counts. */
    void copy(Tensor from, Tensor to);

    /** to += factor * from; equal counts, types may differ. */
    void accumulate(Tensor from, double factor, Tensor to);

    // ---- input ------------------------------------------------------------------------------------------------

    /**
     * Crops, flips and normalises a batch.
     *
     * @param images U8 (N, H, W, C)
     * @param draws I32 (N, 3): dy, dx (the crop's offset in pixels, outside is the channel's mean, i.e. 0 after
     *     normalising), flip (0 or 1)
     * @param mean per channel, of values in 0..1
     * @param std per channel
     * @param y (N, H, W, C): y[n,h,w,c] = (u(h + dy, w' + dx) / 255 - mean) / std, w' = W - 1 - w if flipped
     */
    void augment(Tensor images, Tensor draws, float[] mean, float[] std, Tensor y);

    /** Empty for a device that reads the host's memory as it is. */
    default Optional<DatasetMemory> datasetMemory() {
        return Optional.empty();
    }

    // ---- convolution ------------------------------------------------------------------------------------------

    /** y (N, Ho, Wo, K) = x (N, H, W, C) * w (K, k, k, C / groups) in P, + bias (K) in P unless null; k odd, 1..33. */
    void convolution(Convolution c, Tensor x, Tensor w, Tensor bias, Tensor y);

    void convolutionDataGradient(Convolution c, Tensor dy, Tensor w, Tensor dx);

    /** dw (K, k, k, C / groups) in P; dbias (K) in P or null. */
    void convolutionWeightGradient(Convolution c, Tensor x, Tensor dy, Tensor dw, Tensor dbias);

    // ---- linear -----------------------------------------------------------------------------------------------

    /** y (N, O) = x (N, D) w^T + bias; w (O, D) and bias (O) in P, bias may be null. */
    void linear(Tensor x, Tensor w, Tensor bias, Tensor y);

    void linearDataGradient(Tensor dy, Tensor w, Tensor dx);

    void linearWeightGradient(Tensor x, Tensor dy, Tensor dw, Tensor dbias);

    // ---- normalisation ----------------------------------------------------------------------------------------

    /**
     * y = act(scale * (x - mean) * invStd + shift + residual) over (N, H, W) per channel, with batch statistics.
     * Running statistics become (1 - momentum) * running + momentum * batch (unbiased variance).
     *
     * @param residual same shape as x, or null
     * @param act NONE or RELU
     * @param mean out, (C) in P
     * @param invStd out, (C) in P
     */
    void batchNorm(
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
            Tensor y);

    /**
     * @param y the forward output; masks ReLU; may be null for NONE
     * @param dx gradient of x; may be the same tensor as dy
     * @param dresidual gradient of the residual, or null
     */
    void batchNormGradient(
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
            Tensor dresidual);

    /** The same with running statistics, for inference. */
    void batchNormInference(
            Tensor x,
            Tensor scale,
            Tensor shift,
            Tensor residual,
            Activation act,
            double epsilon,
            Tensor runningMean,
            Tensor runningVariance,
            Tensor y);

    /** Over the last dimension D of x (..., D); scale, shift (D); mean, invStd out, one per row, in P. */
    void layerNorm(Tensor x, Tensor scale, Tensor shift, double epsilon, Tensor mean, Tensor invStd, Tensor y);

    void layerNormGradient(
            Tensor x, Tensor dy, Tensor scale, Tensor mean, Tensor invStd, Tensor dx, Tensor dscale, Tensor dshift);

    // ---- elementwise and pooling ------------------------------------------------------------------------------

    /** y may be x. */
    void activation(Activation a, Tensor x, Tensor y);

    /** x is the forward input; dx may be dy. */
    void activationGradient(Activation a, Tensor x, Tensor dy, Tensor dx);

    /** y = act(a + b), act NONE or RELU. */
    void add(Tensor a, Tensor b, Activation act, Tensor y);

    void pool(Pooling p, Tensor x, Tensor y);

    /** A tie of the maximum goes to the first pixel in row-major order. */
    void poolGradient(Pooling p, Tensor x, Tensor dy, Tensor dx);

    /** (N, H, W, C) to (N, C). */
    void globalAveragePool(Tensor x, Tensor y);

    void globalAveragePoolGradient(Tensor dy, Tensor dx);

    /**
     * y = x * keep / (1 - rate), keep drawn from a counter-based generator (seed, element index): the gradient is the
     * same call on dy with the same seed. y may be x.
     */
    void dropout(Tensor x, double rate, long seed, Tensor y);

    /**
     * The same with a seed that may differ each time a recorded {@link #step} is repeated; it is asked for once each
     * time.
     */
    default void dropout(Tensor x, double rate, LongSupplier seed, Tensor y) {
        dropout(x, rate, seed.getAsLong(), y);
    }

    // ---- loss -------------------------------------------------------------------------------------------------

    /**
     * Mean softmax cross entropy over the batch with label smoothing e: target = (1 - e) onehot + e / classes.
     *
     * @param logits (N, classes)
     * @param labels I32 (N)
     * @param loss (1) in P
     * @param correct I32 (1): rows whose first largest logit is the label
     * @param dlogits gradient of the mean loss, or null
     */
    void softmaxCrossEntropy(
            Tensor logits, Tensor labels, double smoothing, Tensor loss, Tensor correct, Tensor dlogits);

    // ---- recurrent --------------------------------------------------------------------------------------------

    /**
     * Bidirectional GRU over a sequence, everything in P; initial states are zero.
     *
     * @param x (L, input)
     * @param h out, (L, 2 hidden): forward states, then those of the reverse direction
     * @param tape out, (L, 2, 4 hidden): gates r, z, n and Un h + cn of every step, for the gradient
     */
    void gru(Tensor x, GruDirection forward, GruDirection reverse, Tensor h, Tensor tape);

    /** The gradient tensors of the weights are overwritten; dx may be null. */
    void gruGradient(
            Tensor x,
            Tensor h,
            Tensor tape,
            Tensor dh,
            GruDirection forward,
            GruDirection reverse,
            GruDirection dforward,
            GruDirection dreverse,
            Tensor dx);

    // ---- optimiser --------------------------------------------------------------------------------------------

    /**
     * One update of all parameters in one call.
     *
     * @param step 1 for the first update; AdamW's bias correction
     * @return the global gradient norm before clipping; asking for it may wait for the device
     */
    DoubleSupplier update(OptimizerRule rule, long step, List<OptimizerSlot> slots);

    /**
     * The same with a count and rates that may differ each time a recorded {@link #step} is repeated.
     *
     * @param now asked for each time; the rates stand in place of those of the slots
     * @return asked after each step, starts reading that step's norm, and gives what waits for it
     */
    default Supplier<DoubleSupplier> update(
            OptimizerRule rule, Supplier<OptimizerRates> now, List<OptimizerSlot> slots) {
        OptimizerRates rates = now.get();
        DoubleSupplier norm = update(rule, rates.step(), rates.in(slots));
        return () -> norm;
    }

    /** {@link #update}, and waits for the norm. */
    default double optimizerStep(OptimizerRule rule, long step, List<OptimizerSlot> slots) {
        return update(rule, step, slots).getAsDouble();
    }

    /**
     * to += factor / |from|^2 * from, |from| over all tensors together, in P.
     *
     * @param factor asked for each time a recorded {@link #step} is repeated
     */
    default void accumulateNormalised(List<Tensor> from, DoubleSupplier factor, List<Tensor> to) {
        double by = factor.getAsDouble() / sumOfSquares(from);
        for (int i = 0; i < from.size(); i++) {
            accumulate(from.get(i), by, to.get(i));
        }
    }

    /** Sum of the squares of all elements of floating tensors; waits for the device. */
    default double sumOfSquares(List<Tensor> tensors) {
        double sum = 0;
        for (Tensor t : tensors) {
            for (double x : readDoubles(t)) {
                sum += x * x;
            }
        }
        return sum;
    }

    // ---- steps ------------------------------------------------------------------------------------------------

    /**
     * Runs one step of a loop. A device may record what {@code body} asks of it and, when an equal key comes again,
     * repeat the recording in place of calling {@code body}. So a body under an equal key has to ask for the same
     * operations, with the same numbers, on memory that lives as long as the loop; it must neither write to the device
     * nor read from it. What changes from step to step stands in tensors that are written before, or comes from a
     * supplier ({@link #dropout}, {@link #update}, {@link #accumulateNormalised}).
     *
     * @param key equal keys, equal steps; null for a step that is never repeated
     * @return what {@code body} returned when it was called last under an equal key
     */
    default <T> T step(Object key, Supplier<T> body) {
        return body.get();
    }

    // ---- the method -------------------------------------------------------------------------------------------

    /**
     * Weights of all layers from sizes v (L) in P; one call for all layers (docs/design/method.md, "Masks" and
     * "Kernels").
     */
    void synthesis(MaskKind mask, Tensor v, List<SynthesisLayer> layers);

    /**
     * @param layers with {@code weights} holding the gradient of w
     * @param dlayers gradients, layer by layer: {@code features} (or null) and {@code source} are overwritten
     * @param dv (L) in P, overwritten; 0 for sizes no layer uses
     */
    void synthesisGradient(
            MaskKind mask, Tensor v, List<SynthesisLayer> layers, List<SynthesisLayer> dlayers, Tensor dv);

    /**
     * {@link #synthesis(MaskKind, Tensor, List)} with scales that a recorded {@link #step} takes as they are each time
     * it is repeated.
     *
     * @param scales in P, one per size, in place of those of the layers
     */
    default void synthesis(MaskKind mask, Tensor v, Tensor scales, List<SynthesisLayer> layers) {
        synthesis(mask, v, SynthesisLayer.scaled(layers, readDoubles(scales)));
    }

    /** The gradient under the same scales. */
    default void synthesisGradient(
            MaskKind mask,
            Tensor v,
            Tensor scales,
            List<SynthesisLayer> layers,
            List<SynthesisLayer> dlayers,
            Tensor dv) {
        synthesisGradient(mask, v, SynthesisLayer.scaled(layers, readDoubles(scales)), dlayers, dv);
    }

    /** Features of every tap, all layers in one call. */
    void coordinateFeatures(List<CoordinateLayer> layers);

    /**
     * @param layers with {@code features} holding the gradient of H
     * @param dlayers gradients, layer by layer: all tensors but {@code features} are overwritten
     */
    void coordinateFeaturesGradient(List<CoordinateLayer> layers, List<CoordinateLayer> dlayers);

    /** h (L, D) to u (L, D) and the soft sizes v (L), in P. */
    void sizeHead(SizeHead head, Tensor h, Tensor u, Tensor v);

    /** @param dhead gradients, overwritten; no gradient flows back through u */
    void sizeHeadGradient(SizeHead head, Tensor h, Tensor dv, SizeHead dhead, Tensor dh);

    /**
     * Extent of the smallest odd grid that holds the rings of size v, in the arithmetic that {@link #synthesis} uses
     * for sizes of this type; at most kmax.
     */
    int supportGrid(MaskKind mask, DataType type, double v, int kmax, Support support);

    /** Soft tap counts of sizes v and their derivatives (right ones at odd v), on the host; arrays of one length. */
    void softTaps(double[] v, double[] taps, double[] slopes);
}

package org.effconv.backend.cpu;

import java.util.List;
import org.bytedeco.dnnl.convolution_backward_data;
import org.bytedeco.dnnl.convolution_backward_weights;
import org.bytedeco.dnnl.convolution_forward;
import org.bytedeco.dnnl.global.dnnl;
import org.bytedeco.dnnl.memory;
import org.effconv.backend.Convolution;
import org.effconv.backend.bridge.NativeLibrary;
import org.effconv.backend.cpu.OneDnnOperation.Pass;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Tensor;

/**
 * Convolutions through oneDNN. Activations stay NHWC; oneDNN chooses the layout of the weights, which are reordered
 * (and rounded to bf16) at every call. With weights in a plain layout oneDNN falls back to its GEMM or reference code,
 * up to a thousand times slower, whereas no shape gains from a blocked layout of the activations: 32 images of 24
 * channels, 32 x 32, k = 3, 7, 11, 15 in f32 run at 150 to 180 GFLOP/s forward in NHWC and at 60 to 120 in oneDNN's own
 * choice.
 */
final class OneDnnConvolution {
    private final OneDnn dnn;

    OneDnnConvolution(OneDnn dnn) {
        this.dnn = dnn;
    }

    void convolution(Convolution c, Tensor x, Tensor w, Tensor bias, Tensor y) {
        operation(Geometry.of(Pass.FORWARD, c, x, w, bias)).forward(x, w, bias, y);
    }

    void convolutionDataGradient(Convolution c, Tensor dy, Tensor w, Tensor dx) {
        operation(Geometry.of(Pass.DATA_GRADIENT, c, dx, w, null)).dataGradient(dy, w, dx);
    }

    void convolutionWeightGradient(Convolution c, Tensor x, Tensor dy, Tensor dw, Tensor dbias) {
        for (Geometry part : Geometry.of(Pass.WEIGHT_GRADIENT, c, x, dw, dbias).parts()) {
            operation(part).weightGradient(x, dy, dw, part.bias ? dbias : null);
        }
    }

    private OneDnnOperation operation(Geometry g) {
        return dnn.operation(g, () -> switch (g.pass) {
            case FORWARD -> forward(g);
            case DATA_GRADIENT -> dataGradient(g);
            case WEIGHT_GRADIENT -> weightGradient(g);
        });
    }

    private OneDnnOperation forward(Geometry g) {
        var pd = forwardDescription(g);
        return new OneDnnOperation(dnn, g.pass, pd, new convolution_forward(pd), pd.weights_desc(), g.layout());
    }

    private OneDnnOperation dataGradient(Geometry g) {
        var pd = new convolution_backward_data.primitive_desc(
                dnn.engine(),
                dnnl.algorithm.convolution_direct,
                g.input(),
                g.weights(g.type),
                g.output(),
                g.strides(),
                g.paddingBefore(),
                g.paddingAfter(),
                forwardDescription(g),
                dnn.attributes(),
                false);
        return new OneDnnOperation(dnn, g.pass, pd, new convolution_backward_data(pd), pd.weights_desc(), g.layout());
    }

    private OneDnnOperation weightGradient(Geometry g) {
        var hint = forwardDescription(g);
        var pd = g.bias
                ? new convolution_backward_weights.primitive_desc(
                        dnn.engine(),
                        dnnl.algorithm.convolution_direct,
                        g.input(),
                        g.weights(DataType.F32),
                        g.biasVector(),
                        g.output(),
                        g.strides(),
                        g.paddingBefore(),
                        g.paddingAfter(),
                        hint,
                        dnn.attributes(),
                        false)
                : new convolution_backward_weights.primitive_desc(
                        dnn.engine(),
                        dnnl.algorithm.convolution_direct,
                        g.input(),
                        g.weights(DataType.F32),
                        g.output(),
                        g.strides(),
                        g.paddingBefore(),
                        g.paddingAfter(),
                        hint,
                        dnn.attributes(),
                        false);
        return new OneDnnOperation(
                dnn, g.pass, pd, new convolution_backward_weights(pd), pd.diff_weights_desc(), g.layout());
    }

    private convolution_forward.primitive_desc forwardDescription(Geometry g) {
        return g.bias
                ? new convolution_forward.primitive_desc(
                        dnn.engine(),
                        dnnl.prop_kind.forward_training,
                        dnnl.algorithm.convolution_direct,
                        g.input(),
                        g.weights(g.type),
                        g.biasVector(),
                        g.output(),
                        g.strides(),
                        g.paddingBefore(),
                        g.paddingAfter(),
                        dnn.attributes(),
                        false)
                : new convolution_forward.primitive_desc(
                        dnn.engine(),
                        dnnl.prop_kind.forward_training,
                        dnnl.algorithm.convolution_direct,
                        g.input(),
                        g.weights(g.type),
                        g.output(),
                        g.strides(),
                        g.paddingBefore(),
                        g.paddingAfter(),
                        dnn.attributes(),
                        false);
    }

    /**
     * Everything a oneDNN convolution depends on; {@code threads}, because oneDNN splits the work when it builds one.
     *
     * @param first first column of the kernel
     * @param columns how many of them, {@code size} for a whole one
     */
    private record Geometry(
            Pass pass,
            DataType type,
            int n,
            int h,
            int w,
            int inputs,
            int outputs,
            int size,
            int stride,
            int groups,
            boolean bias,
            int threads,
            int first,
            int columns) {
        // Of kernels that oneDNN 3.11 has fast code for weight gradients of. With more it multiplies matrices: at k =
        // 15, 32 images of 32
        // channels, 32 x 32, dense 338 ms in bf16 and 366 ms in f32, in eight groups 282 and 280; by halves 75, 115, 40
        // and 58 (AMD EPYC
        // with AVX-512, one thread, 2026-11-27).
        private static final int MOST_COLUMNS = 14;

        /** {@code weights} and {@code bias} stand for their gradients as well. */
        static Geometry of(Pass pass, Convolution c, Tensor x, Tensor weights, Tensor bias) {
            int[] in = x.shape().dims();
            return new Geometry(
                    pass,
                    x.type(),
                    in[0],
                    in[1],
                    in[2],
                    in[3],
                    weights.shape().dim(0),
                    weights.shape().dim(1),
                    c.stride(),
                    c.groups(),
                    bias != null,
                    NativeLibrary.ec_threads(),
                    0,
                    weights.shape().dim(1));
        }

        /**
         * A gradient of weights as oneDNN computes it fastest: whole, or its left and its right half, both with the
         * middle column. Then neither half has more padding on a side than its columns less one, with which oneDNN's
         * fast code would not be taken.
         */
        List<Geometry> parts() {
            int half = size / 2 + 1;
            boolean whole =
                    size <= MOST_COLUMNS || half > MOST_COLUMNS || w <= 2; // narrower images have nothing to gain
            return whole ? List.of(this) : List.of(columns(0, half, bias), columns(size / 2, half, false));
        }

        private Geometry columns(int from, int count, boolean withBias) {
            return new Geometry(
                    pass, type, n, h, w, inputs, outputs, size, stride, groups, withBias, threads, from, count);
        }

        OneDnnOperation.Layout layout() {
            return new OneDnnOperation.Layout(input(), ourWeights(), bias ? biasVector() : null, output());
        }

        memory.desc input() {
            return OneDnn.description(type, memory.format_tag.nhwc, n, inputs, h, w);
        }

        memory.desc output() {
            return OneDnn.description(type, memory.format_tag.nhwc, n, outputs, outputExtent(h), outputExtent(w));
        }

        memory.desc biasVector() {
            return OneDnn.description(DataType.F32, memory.format_tag.a, outputs);
        }

        /** Weights in whatever layout oneDNN likes. */
        memory.desc weights(DataType t) {
            return weights(t, memory.format_tag.any, memory.format_tag.any, columns);
        }

        memory.desc ourWeights() {
            memory.desc whole = weights(DataType.F32, memory.format_tag.ohwi, memory.format_tag.gohwi, size);
            if (columns == size) {
                return whole;
            }
            long[] dims = groups == 1
                    ? new long[] {outputs, inputs, size, columns}
                    : new long[] {groups, outputs / groups, inputs / groups, size, columns};
            long[] offsets = new long[dims.length];
            offsets[dims.length - 1] = first;
            return whole.submemory_desc(dims, offsets, false);
        }

        private memory.desc weights(DataType t, memory.format_tag dense, memory.format_tag grouped, int width) {
            return groups == 1
                    ? OneDnn.description(t, dense, outputs, inputs, size, width)
                    : OneDnn.description(t, grouped, groups, outputs / groups, inputs / groups, size, width);
        }

        /**
         * A stride along an extent with one output has no effect, and oneDNN 3.11's AMX code is wrong with it: forward
         * and weight gradient of stride 2 and output width 1.
         */
        long[] strides() {
            return new long[] {stride(h), stride(w)};
        }

        private int stride(int extent) {
            return extent == 1 || extent == 2 && size > 1 ? 1 : stride;
        }

        long[] paddingBefore() {
            return new long[] {size / 2, size / 2 - first};
        }

        /**
         * Below and to the right a stride leaves out up to stride - 1 rows: what oneDNN's output formula needs there.
         * Where that would be less than nothing (the left half of a kernel), the formula's rounding gives the same
         * output with nothing.
         */
        long[] paddingAfter() {
            return new long[] {paddingAfter(h, size, size / 2), paddingAfter(w, columns, size / 2 - first)};
        }

        private long paddingAfter(int extent, int taps, int before) {
            return Math.max(0, (outputExtent(extent) - 1) * stride(extent) + taps - extent - before);
        }

        private int outputExtent(int extent) {
            return (extent - 1) / stride + 1;
        }
    }
}

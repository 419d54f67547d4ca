package org.effconv.backend.cpu;

import org.bytedeco.dnnl.convolution_backward_data;
import org.bytedeco.dnnl.convolution_backward_weights;
import org.bytedeco.dnnl.convolution_forward;
import org.bytedeco.dnnl.global.dnnl;
import org.bytedeco.dnnl.memory;
import org.effconv.backend.Convolution;
import org.effconv.backend.cpu.OneDnnOperation.Pass;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Tensor;

/**
 * Convolutions through oneDNN. Activations stay NHWC; oneDNN chooses the layout of the weights, which are reordered (and
 * rounded to bf16) at every call. With weights in a plain layout oneDNN falls back to its GEMM or reference code, up to a
 * thousand times slower, whereas no shape gains from a blocked layout of the activations: 32 images of 24 channels,
 * 32 x 32, k = 3, 7, 11, 15 in f32 run at 150 to 180 GFLOP/s forward in NHWC and at 60 to 120 in oneDNN's own choice.
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
        operation(Geometry.of(Pass.WEIGHT_GRADIENT, c, x, dw, dbias)).weightGradient(x, dy, dw, dbias);
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
                dnn.engine(), dnnl.algorithm.convolution_direct, g.input(), g.weights(g.type), g.output(),
                g.strides(), g.paddingBefore(), g.paddingAfter(), forwardDescription(g), dnn.attributes(), false);
        return new OneDnnOperation(dnn, g.pass, pd, new convolution_backward_data(pd), pd.weights_desc(), g.layout());
    }

    private OneDnnOperation weightGradient(Geometry g) {
        var hint = forwardDescription(g);
        var pd = g.bias
                ? new convolution_backward_weights.primitive_desc(
                        dnn.engine(), dnnl.algorithm.convolution_direct, g.input(), g.weights(DataType.F32), g.biasVector(), g.output(),
                        g.strides(), g.paddingBefore(), g.paddingAfter(), hint, dnn.attributes(), false)
                : new convolution_backward_weights.primitive_desc(
                        dnn.engine(), dnnl.algorithm.convolution_direct, g.input(), g.weights(DataType.F32), g.output(),
                        g.strides(), g.paddingBefore(), g.paddingAfter(), hint, dnn.attributes(), false);
        return new OneDnnOperation(dnn, g.pass, pd, new convolution_backward_weights(pd), pd.diff_weights_desc(), g.layout());
    }

    private convolution_forward.primitive_desc forwardDescription(Geometry g) {
        return g.bias
                ? new convolution_forward.primitive_desc(
                        dnn.engine(), dnnl.prop_kind.forward_training, dnnl.algorithm.convolution_direct, g.input(), g.weights(g.type),
                        g.biasVector(), g.output(), g.strides(), g.paddingBefore(), g.paddingAfter(), dnn.attributes(), false)
                : new convolution_forward.primitive_desc(
                        dnn.engine(), dnnl.prop_kind.forward_training, dnnl.algorithm.convolution_direct, g.input(), g.weights(g.type),
                        g.output(), g.strides(), g.paddingBefore(), g.paddingAfter(), dnn.attributes(), false);
    }

    /** Everything a oneDNN convolution depends on; {@code threads}, because oneDNN splits the work when it builds one. */
    private record Geometry(
            Pass pass, DataType type, int n, int h, int w, int inputs, int outputs, int size, int stride, int groups, boolean bias,
            int threads) {

        /** {@code weights} and {@code bias} stand for their gradients as well. */
        static Geometry of(Pass pass, Convolution c, Tensor x, Tensor weights, Tensor bias) {
            int[] in = x.shape().dims();
            return new Geometry(
                    pass, x.type(), in[0], in[1], in[2], in[3], weights.shape().dim(0), weights.shape().dim(1), c.stride(), c.groups(), bias != null,
                    NativeLibrary.ec_threads());
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
            return weights(t, memory.format_tag.any, memory.format_tag.any);
        }

        memory.desc ourWeights() {
            return weights(DataType.F32, memory.format_tag.ohwi, memory.format_tag.gohwi);
        }

        private memory.desc weights(DataType t, memory.format_tag dense, memory.format_tag grouped) {
            return groups == 1
                    ? OneDnn.description(t, dense, outputs, inputs, size, size)
                    : OneDnn.description(t, grouped, groups, outputs / groups, inputs / groups, size, size);
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
            return new long[] {size / 2, size / 2};
        }

        /** Below and to the right a stride leaves out up to stride - 1 rows: what oneDNN's output formula needs there. */
        long[] paddingAfter() {
            return new long[] {paddingAfter(h), paddingAfter(w)};
        }

        private long paddingAfter(int extent) {
            return (outputExtent(extent) - 1) * stride(extent) + size - extent - size / 2;
        }

        private int outputExtent(int extent) {
            return (extent - 1) / stride + 1;
        }
    }
}

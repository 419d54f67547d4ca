package org.effconv.backend.cpu;

import org.bytedeco.dnnl.global.dnnl;
import org.bytedeco.dnnl.inner_product_backward_data;
import org.bytedeco.dnnl.inner_product_backward_weights;
import org.bytedeco.dnnl.inner_product_forward;
import org.bytedeco.dnnl.memory;
import org.effconv.backend.bridge.NativeLibrary;
import org.effconv.backend.cpu.OneDnnOperation.Pass;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Tensor;

/** Linear layers through oneDNN's inner product, whose weight gradient yields the bias gradient in the same pass. */
final class OneDnnLinear {
    private final OneDnn dnn;

    OneDnnLinear(OneDnn dnn) {
        this.dnn = dnn;
    }

    void linear(Tensor x, Tensor w, Tensor bias, Tensor y) {
        operation(Geometry.of(Pass.FORWARD, x, w, bias)).forward(x, w, bias, y);
    }

    void linearDataGradient(Tensor dy, Tensor w, Tensor dx) {
        operation(Geometry.of(Pass.DATA_GRADIENT, dx, w, null)).dataGradient(dy, w, dx);
    }

    void linearWeightGradient(Tensor x, Tensor dy, Tensor dw, Tensor dbias) {
        operation(Geometry.of(Pass.WEIGHT_GRADIENT, x, dw, dbias)).weightGradient(x, dy, dw, dbias);
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
        return new OneDnnOperation(dnn, g.pass, pd, new inner_product_forward(pd), pd.weights_desc(), g.layout());
    }

    private OneDnnOperation dataGradient(Geometry g) {
        var pd = new inner_product_backward_data.primitive_desc(
                dnn.engine(), g.input(), g.weights(g.type), g.output(), forwardDescription(g), dnn.attributes(), false);
        return new OneDnnOperation(dnn, g.pass, pd, new inner_product_backward_data(pd), pd.weights_desc(), g.layout());
    }

    private OneDnnOperation weightGradient(Geometry g) {
        var hint = forwardDescription(g);
        var pd = g.bias
                ? new inner_product_backward_weights.primitive_desc(
                        dnn.engine(),
                        g.input(),
                        g.weights(DataType.F32),
                        g.biasVector(),
                        g.output(),
                        hint,
                        dnn.attributes(),
                        false)
                : new inner_product_backward_weights.primitive_desc(
                        dnn.engine(), g.input(), g.weights(DataType.F32), g.output(), hint, dnn.attributes(), false);
        return new OneDnnOperation(
                dnn, g.pass, pd, new inner_product_backward_weights(pd), pd.diff_weights_desc(), g.layout());
    }

    private inner_product_forward.primitive_desc forwardDescription(Geometry g) {
        return g.bias
                ? new inner_product_forward.primitive_desc(
                        dnn.engine(),
                        dnnl.prop_kind.forward_training,
                        g.input(),
                        g.weights(g.type),
                        g.biasVector(),
                        g.output(),
                        dnn.attributes(),
                        false)
                : new inner_product_forward.primitive_desc(
                        dnn.engine(),
                        dnnl.prop_kind.forward_training,
                        g.input(),
                        g.weights(g.type),
                        g.output(),
                        dnn.attributes(),
                        false);
    }

    private record Geometry(Pass pass, DataType type, int n, int inputs, int outputs, boolean bias, int threads) {
        /** {@code weights} and {@code bias} stand for their gradients as well. */
        static Geometry of(Pass pass, Tensor x, Tensor weights, Tensor bias) {
            return new Geometry(
                    pass,
                    x.type(),
                    x.shape().dim(0),
                    x.shape().dim(1),
                    weights.shape().dim(0),
                    bias != null,
                    NativeLibrary.ec_threads());
        }

        OneDnnOperation.Layout layout() {
            return new OneDnnOperation.Layout(input(), ourWeights(), bias ? biasVector() : null, output());
        }

        memory.desc input() {
            return OneDnn.description(type, memory.format_tag.ab, n, inputs);
        }

        memory.desc output() {
            return OneDnn.description(type, memory.format_tag.ab, n, outputs);
        }

        memory.desc biasVector() {
            return OneDnn.description(DataType.F32, memory.format_tag.a, outputs);
        }

        memory.desc weights(DataType t) {
            return OneDnn.description(t, memory.format_tag.any, outputs, inputs);
        }

        memory.desc ourWeights() {
            return OneDnn.description(DataType.F32, memory.format_tag.ab, outputs, inputs);
        }
    }
}

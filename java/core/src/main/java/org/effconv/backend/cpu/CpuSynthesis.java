package org.effconv.backend.cpu;

import static org.effconv.backend.cpu.NativeLibrary.*;
import static org.effconv.backend.cpu.NativeStatus.check;

import java.util.List;
import org.bytedeco.javacpp.DoublePointer;
import org.effconv.backend.CoordinateLayer;
import org.effconv.backend.MaskKind;
import org.effconv.backend.SizeHead;
import org.effconv.backend.Support;
import org.effconv.backend.SynthesisLayer;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;

/** The method's operations on a CPU: checks shapes and types, then one native call for all layers. */
final class CpuSynthesis {
    void synthesis(MaskKind mask, Tensor v, List<SynthesisLayer> layers) {
        try (ec_synthesis_layer table = describe(v, layers, null)) {
            check(ec_synthesis(mask.ordinal(), v.type().ordinal(), HostPointer.of(v), table, layers.size()));
        }
    }

    void synthesisGradient(MaskKind mask, Tensor v, List<SynthesisLayer> layers, List<SynthesisLayer> dlayers, Tensor dv) {
        expect(dv, "dv", v.type(), v.shape());
        try (ec_synthesis_layer table = describe(v, layers, dlayers)) {
            check(ec_synthesis_gradient(
                    mask.ordinal(), v.type().ordinal(), HostPointer.of(v), (int) v.count(), table, layers.size(), HostPointer.of(dv)));
        }
    }

    void coordinateFeatures(List<CoordinateLayer> layers) {
        if (layers.isEmpty()) {
            return;
        }
        try (ec_coordinate_layer table = describe(layers, null)) {
            check(ec_coordinate_features(layers.get(0).w1().type().ordinal(), table, layers.size()));
        }
    }

    void coordinateFeaturesGradient(List<CoordinateLayer> layers, List<CoordinateLayer> dlayers) {
        if (layers.isEmpty()) {
            return;
        }
        try (ec_coordinate_layer table = describe(layers, dlayers)) {
            check(ec_coordinate_features_gradient(layers.get(0).w1().type().ordinal(), table, layers.size()));
        }
    }

    void sizeHead(SizeHead head, Tensor h, Tensor u, Tensor v) {
        expect(u, "u", h.type(), h.shape());
        expect(v, "v", h.type(), Shape.of(h.shape().dim(0)));
        try (DoublePointer kmin = new DoublePointer(head.kmin());
                DoublePointer kmax = new DoublePointer(head.kmax());
                ec_size_head table = describe(head, null, h, kmin, kmax)) {
            check(ec_size_head_forward(h.type().ordinal(), table, HostPointer.of(h), HostPointer.of(u), HostPointer.of(v)));
        }
    }

    void sizeHeadGradient(SizeHead head, Tensor h, Tensor dv, SizeHead dhead, Tensor dh) {
        expect(dh, "dh", h.type(), h.shape());
        expect(dv, "dv", h.type(), Shape.of(h.shape().dim(0)));
        try (DoublePointer kmin = new DoublePointer(head.kmin());
                DoublePointer kmax = new DoublePointer(head.kmax());
                ec_size_head table = describe(head, dhead, h, kmin, kmax)) {
            check(ec_size_head_gradient(h.type().ordinal(), table, HostPointer.of(h), HostPointer.of(dv), HostPointer.of(dh)));
        }
    }

    int supportGrid(MaskKind mask, DataType type, double v, int kmax, Support support) {
        int grid = ec_support_grid(mask.ordinal(), type.ordinal(), v, kmax, support.ordinal());
        if (grid == 0) {
            throw new IllegalArgumentException(ec_last_error().getString() + ": v = " + v + ", kmax = " + kmax);
        }
        return grid;
    }

    void softTaps(double[] v, double[] taps, double[] slopes) {
        if (taps.length != v.length || slopes.length != v.length) {
            throw new IllegalArgumentException("soft taps: arrays of different lengths");
        }
        check(ec_soft_taps(v, v.length, taps, slopes));
    }

    // The table's own deallocator frees it; tensors are referred to by address only.
    private static ec_synthesis_layer describe(Tensor v, List<SynthesisLayer> layers, List<SynthesisLayer> dlayers) {
        ec_synthesis_layer table = new ec_synthesis_layer(Math.max(1, layers.size()));
        for (int l = 0; l < layers.size(); l++) {
            SynthesisLayer layer = layers.get(l);
            int k = layer.outputChannels(), c = layer.inputChannels(), grid = layer.grid(), kmax = layer.kmax();
            Tensor features = layer.features();
            int h = features == null ? 0 : features.shape().dim(1);
            if (layer.sizeIndex() < 0 || layer.sizeIndex() >= v.count()) {
                throw new IllegalArgumentException("synthesis: layer " + l + " has no size in " + v);
            }
            expect(layer.weights(), "weights", layer.weights().type(), Shape.of(k, grid, grid, c));
            Shape source = features == null ? Shape.of(k, kmax, kmax, c) : Shape.of(h, k * c);
            expect(layer.source(), "source", v.type(), source);
            table.position(l)
                    .output_channels(k)
                    .input_channels(c)
                    .grid(grid)
                    .kmax(kmax)
                    .features(h)
                    .size_index(layer.sizeIndex())
                    .weight_type(layer.weights().type().ordinal())
                    .scale(layer.scale())
                    .source(HostPointer.of(layer.source()))
                    .weights(HostPointer.of(layer.weights()));
            if (features != null) {
                expect(features, "features", v.type(), Shape.of(grid * grid, h));
            }
            table.feature_rows(HostPointer.of(features));
            if (dlayers != null) {
                SynthesisLayer d = dlayers.get(l);
                expect(d.source(), "gradient of the source", v.type(), source);
                if (features != null) {
                    expect(d.features(), "gradient of the features", v.type(), features.shape());
                }
                table.source_gradient(HostPointer.of(d.source())).feature_gradient(HostPointer.of(d.features()));
            }
        }
        return table.position(0);
    }

    private static ec_coordinate_layer describe(List<CoordinateLayer> layers, List<CoordinateLayer> dlayers) {
        ec_coordinate_layer table = new ec_coordinate_layer(layers.size());
        for (int l = 0; l < layers.size(); l++) {
            CoordinateLayer layer = layers.get(l);
            expectNetwork(layer, layer);
            table.position(l)
                    .grid(layer.grid())
                    .kmax(layer.kmax())
                    .hidden(layer.w2().shape().dim(1))
                    .features(layer.w2().shape().dim(0))
                    .omega(layer.omega())
                    .w1(HostPointer.of(layer.w1()))
                    .b1(HostPointer.of(layer.b1()))
                    .w2(HostPointer.of(layer.w2()))
                    .b2(HostPointer.of(layer.b2()))
                    .gamma(HostPointer.of(layer.gamma()))
                    .beta(HostPointer.of(layer.beta()))
                    .feature_rows(HostPointer.of(layer.features()));
            if (dlayers != null) {
                CoordinateLayer d = dlayers.get(l);
                expectNetwork(layer, d);
                table.dw1(HostPointer.of(d.w1()))
                        .db1(HostPointer.of(d.b1()))
                        .dw2(HostPointer.of(d.w2()))
                        .db2(HostPointer.of(d.b2()))
                        .dgamma(HostPointer.of(d.gamma()))
                        .dbeta(HostPointer.of(d.beta()));
            }
        }
        return table.position(0);
    }

    private static void expectNetwork(CoordinateLayer shapes, CoordinateLayer given) {
        DataType type = shapes.w1().type();
        int features = shapes.w2().shape().dim(0);
        int hidden = shapes.w2().shape().dim(1);
        expect(given.w1(), "w1", type, Shape.of(hidden, 2));
        expect(given.b1(), "b1", type, Shape.of(hidden));
        expect(given.w2(), "w2", type, Shape.of(features, hidden));
        expect(given.b2(), "b2", type, Shape.of(features));
        expect(given.gamma(), "gamma", type, Shape.of(hidden));
        expect(given.beta(), "beta", type, Shape.of(hidden));
        expect(shapes.features(), "features", type, Shape.of(shapes.grid() * shapes.grid(), features));
    }

    private static ec_size_head describe(SizeHead head, SizeHead dhead, Tensor h, DoublePointer kmin, DoublePointer kmax) {
        expectHead(head, h);
        ec_size_head table = new ec_size_head();
        table.layers(h.shape().dim(0))
                .width(h.shape().dim(1))
                .gain(HostPointer.of(head.gain()))
                .shift(HostPointer.of(head.shift()))
                .w(HostPointer.of(head.w()))
                .g(HostPointer.of(head.g()))
                .b(HostPointer.of(head.b()))
                .kmin(kmin)
                .kmax(kmax);
        if (dhead != null) {
            expectHead(dhead, h);
            table.dgain(HostPointer.of(dhead.gain()))
                    .dshift(HostPointer.of(dhead.shift()))
                    .dw(HostPointer.of(dhead.w()))
                    .dg(HostPointer.of(dhead.g()))
                    .db(HostPointer.of(dhead.b()));
        }
        return table;
    }

    private static void expectHead(SizeHead head, Tensor h) {
        int layers = h.shape().dim(0);
        int width = h.shape().dim(1);
        expect(head.gain(), "gain", h.type(), Shape.of(width));
        expect(head.shift(), "shift", h.type(), Shape.of(width));
        expect(head.w(), "w", h.type(), Shape.of(layers, width));
        expect(head.g(), "g", h.type(), Shape.of(layers));
        expect(head.b(), "b", h.type(), Shape.of(layers));
        if (head.kmin().length != layers || head.kmax().length != layers) {
            throw new IllegalArgumentException("size head: bounds for " + head.kmin().length + " layers; expected " + layers);
        }
    }

    private static void expect(Tensor t, String name, DataType type, Shape shape) {
        if (t.type() != type || !t.shape().equals(shape)) {
            throw new IllegalArgumentException(name + " is " + t.type() + " " + t.shape() + "; expected " + type + " " + shape);
        }
    }
}

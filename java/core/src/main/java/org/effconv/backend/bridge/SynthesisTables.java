package org.effconv.backend.bridge;

import java.util.List;
import org.bytedeco.javacpp.DoublePointer;
import org.effconv.backend.CoordinateLayer;
import org.effconv.backend.SizeHead;
import org.effconv.backend.SynthesisLayer;
import org.effconv.backend.bridge.NativeLibrary.ec_coordinate_layer;
import org.effconv.backend.bridge.NativeLibrary.ec_size_head;
import org.effconv.backend.bridge.NativeLibrary.ec_synthesis_layer;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;

/** The method's layers as the native library wants them, shapes and types checked; addresses of any device. */
public final class SynthesisTables {
    private SynthesisTables() {}

    /**
     * The table's own deallocator frees it; tensors are referred to by address only.
     *
     * @param dlayers null outside a gradient
     */
    public static ec_synthesis_layer describe(Tensor v, List<SynthesisLayer> layers, List<SynthesisLayer> dlayers) {
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

    /** @param dlayers null outside a gradient */
    public static ec_coordinate_layer describe(List<CoordinateLayer> layers, List<CoordinateLayer> dlayers) {
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

    /** @param dhead null outside a gradient */
    public static ec_size_head describe(
            SizeHead head, SizeHead dhead, Tensor h, DoublePointer kmin, DoublePointer kmax) {
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
            throw new IllegalArgumentException(
                    "size head: bounds for " + head.kmin().length + " layers; expected " + layers);
        }
    }

    /** Refuses a tensor of another type or shape. */
    public static void expect(Tensor t, String name, DataType type, Shape shape) {
        if (t.type() != type || !t.shape().equals(shape)) {
            throw new IllegalArgumentException(
                    name + " is " + t.type() + " " + t.shape() + "; expected " + type + " " + shape);
        }
    }
}

package org.effconv.backend.bridge;

import java.util.List;
import org.bytedeco.javacpp.DoublePointer;
import org.effconv.backend.CoordinateLayer;
import org.effconv.backend.SizeHead;
import org.effconv.backend.SynthesisLayer;
import org.effconv.backend.bridge.NativeLibrary.ec_coordinate_layer;
import org.effconv.backend.bridge.NativeLibrary.ec_size_head;
import org.effconv.backend.bridge.NativeLibrary.ec_synthesis_layer;
import org.effconv.tensor.Tensor;

/** The method's layers as the native library wants them; addresses of any device, operands checked before. */
public final class SynthesisTables {
    private SynthesisTables() {}

    /**
     * The table's own deallocator frees it; tensors are referred to by address only.
     *
     * @param dlayers null outside a gradient
     */
    public static ec_synthesis_layer synthesisTable(List<SynthesisLayer> layers, List<SynthesisLayer> dlayers) {
        ec_synthesis_layer table = new ec_synthesis_layer(Math.max(1, layers.size()));
        for (int l = 0; l < layers.size(); l++) {
            SynthesisLayer layer = layers.get(l);
            Tensor features = layer.features();
            table.position(l)
                    .output_channels(layer.outputChannels())
                    .input_channels(layer.inputChannels())
                    .grid(layer.grid())
                    .kmax(layer.kmax())
                    .features(features == null ? 0 : features.shape().dim(1))
                    .size_index(layer.sizeIndex())
                    .weight_type(layer.weights().type().ordinal())
                    .scale(layer.scale())
                    .feature_rows(HostPointer.of(features))
                    .source(HostPointer.of(layer.source()))
                    .weights(HostPointer.of(layer.weights()));
            if (dlayers != null) {
                SynthesisLayer d = dlayers.get(l);
                table.source_gradient(HostPointer.of(d.source())).feature_gradient(HostPointer.of(d.features()));
            }
        }
        return table.position(0);
    }

    /** @param dlayers null outside a gradient */
    public static ec_coordinate_layer coordinateTable(List<CoordinateLayer> layers, List<CoordinateLayer> dlayers) {
        ec_coordinate_layer table = new ec_coordinate_layer(layers.size());
        for (int l = 0; l < layers.size(); l++) {
            CoordinateLayer layer = layers.get(l);
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

    /** @param dhead null outside a gradient */
    public static ec_size_head sizeHeadTable(
            SizeHead head, SizeHead dhead, Tensor h, DoublePointer kmin, DoublePointer kmax) {
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
            table.dgain(HostPointer.of(dhead.gain()))
                    .dshift(HostPointer.of(dhead.shift()))
                    .dw(HostPointer.of(dhead.w()))
                    .dg(HostPointer.of(dhead.g()))
                    .db(HostPointer.of(dhead.b()));
        }
        return table;
    }
}

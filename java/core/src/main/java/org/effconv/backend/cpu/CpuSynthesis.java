package org.effconv.backend.cpu;

import static org.effconv.backend.bridge.NativeLibrary.*;
import static org.effconv.backend.bridge.NativeStatus.check;
import static org.effconv.backend.bridge.SynthesisTables.describe;
import static org.effconv.backend.bridge.SynthesisTables.expect;

import java.util.List;
import org.bytedeco.javacpp.DoublePointer;
import org.effconv.backend.CoordinateLayer;
import org.effconv.backend.MaskKind;
import org.effconv.backend.SizeHead;
import org.effconv.backend.SynthesisLayer;
import org.effconv.backend.bridge.HostPointer;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;

/** The method's operations on a CPU: checks shapes and types, then one native call for all layers. */
final class CpuSynthesis {
    void synthesis(MaskKind mask, Tensor v, List<SynthesisLayer> layers) {
        try (ec_synthesis_layer table = describe(v, layers, null)) {
            check(ec_synthesis(mask.ordinal(), v.type().ordinal(), HostPointer.of(v), table, layers.size()));
        }
    }

    void synthesisGradient(
            MaskKind mask, Tensor v, List<SynthesisLayer> layers, List<SynthesisLayer> dlayers, Tensor dv) {
        expect(dv, "dv", v.type(), v.shape());
        try (ec_synthesis_layer table = describe(v, layers, dlayers)) {
            check(ec_synthesis_gradient(
                    mask.ordinal(),
                    v.type().ordinal(),
                    HostPointer.of(v),
                    (int) v.count(),
                    table,
                    layers.size(),
                    HostPointer.of(dv)));
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
            check(ec_size_head_forward(
                    h.type().ordinal(), table, HostPointer.of(h), HostPointer.of(u), HostPointer.of(v)));
        }
    }

    void sizeHeadGradient(SizeHead head, Tensor h, Tensor dv, SizeHead dhead, Tensor dh) {
        expect(dh, "dh", h.type(), h.shape());
        expect(dv, "dv", h.type(), Shape.of(h.shape().dim(0)));
        try (DoublePointer kmin = new DoublePointer(head.kmin());
                DoublePointer kmax = new DoublePointer(head.kmax());
                ec_size_head table = describe(head, dhead, h, kmin, kmax)) {
            check(ec_size_head_gradient(
                    h.type().ordinal(), table, HostPointer.of(h), HostPointer.of(dv), HostPointer.of(dh)));
        }
    }
}

package org.effconv.backend.cpu;

import static org.effconv.backend.bridge.NativeLibrary.*;
import static org.effconv.backend.bridge.NativeStatus.check;
import static org.effconv.backend.bridge.SynthesisTables.coordinateTable;
import static org.effconv.backend.bridge.SynthesisTables.sizeHeadTable;
import static org.effconv.backend.bridge.SynthesisTables.synthesisTable;
import static org.effconv.backend.cpu.CpuBackend.at;
import static org.effconv.backend.cpu.CpuBackend.type;

import java.util.List;
import org.bytedeco.javacpp.DoublePointer;
import org.effconv.backend.CoordinateLayer;
import org.effconv.backend.GruDirection;
import org.effconv.backend.MaskKind;
import org.effconv.backend.MethodOperations;
import org.effconv.backend.SizeHead;
import org.effconv.backend.SynthesisLayer;
import org.effconv.tensor.Tensor;

/** The method's operations: one native call for all layers. */
final class CpuMethod implements MethodOperations {
    private final CpuData data;

    CpuMethod(CpuData data) {
        this.data = data;
    }

    @Override
    public void gru(Tensor x, GruDirection forward, GruDirection reverse, Tensor h, Tensor gates) {
        check(ec_gru(
                type(x),
                x.shape().dim(0),
                x.shape().dim(1),
                forward.hidden(),
                at(x),
                GruDirection.addresses(forward, reverse),
                at(h),
                at(gates)));
    }

    @Override
    public void gruGradient(
            Tensor x,
            Tensor h,
            Tensor gates,
            Tensor dh,
            GruDirection forward,
            GruDirection reverse,
            GruDirection dforward,
            GruDirection dreverse,
            Tensor dx) {
        check(ec_gru_gradient(
                type(x),
                x.shape().dim(0),
                x.shape().dim(1),
                forward.hidden(),
                at(x),
                GruDirection.addresses(forward, reverse),
                at(h),
                at(gates),
                at(dh),
                GruDirection.addresses(dforward, dreverse),
                at(dx)));
    }

    @Override
    public void synthesis(MaskKind mask, Tensor v, Tensor scales, List<SynthesisLayer> layers) {
        try (ec_synthesis_layer table = synthesisTable(scaled(layers, scales), null)) {
            check(ec_synthesis(mask.ordinal(), type(v), at(v), table, layers.size()));
        }
    }

    @Override
    public void synthesisGradient(
            MaskKind mask,
            Tensor v,
            Tensor scales,
            List<SynthesisLayer> layers,
            List<SynthesisLayer> dlayers,
            Tensor dv) {
        try (ec_synthesis_layer table = synthesisTable(scaled(layers, scales), dlayers)) {
            check(ec_synthesis_gradient(mask.ordinal(), type(v), at(v), (int) v.count(), table, layers.size(), at(dv)));
        }
    }

    private List<SynthesisLayer> scaled(List<SynthesisLayer> layers, Tensor scales) {
        return scales == null ? layers : SynthesisLayer.scaled(layers, data.readDoubles(scales));
    }

    @Override
    public void coordinateFeatures(List<CoordinateLayer> layers) {
        if (layers.isEmpty()) {
            return;
        }
        try (ec_coordinate_layer table = coordinateTable(layers, null)) {
            check(ec_coordinate_features(type(layers.get(0).w1()), table, layers.size()));
        }
    }

    @Override
    public void coordinateFeaturesGradient(List<CoordinateLayer> layers, List<CoordinateLayer> dlayers) {
        if (layers.isEmpty()) {
            return;
        }
        try (ec_coordinate_layer table = coordinateTable(layers, dlayers)) {
            check(ec_coordinate_features_gradient(type(layers.get(0).w1()), table, layers.size()));
        }
    }

    @Override
    public void sizeHead(SizeHead head, Tensor h, Tensor u, Tensor v) {
        try (DoublePointer kmin = new DoublePointer(head.kmin());
                DoublePointer kmax = new DoublePointer(head.kmax());
                ec_size_head table = sizeHeadTable(head, null, h, kmin, kmax)) {
            check(ec_size_head_forward(type(h), table, at(h), at(u), at(v)));
        }
    }

    @Override
    public void sizeHeadGradient(SizeHead head, Tensor h, Tensor dv, SizeHead dhead, Tensor dh) {
        try (DoublePointer kmin = new DoublePointer(head.kmin());
                DoublePointer kmax = new DoublePointer(head.kmax());
                ec_size_head table = sizeHeadTable(head, dhead, h, kmin, kmax)) {
            check(ec_size_head_gradient(type(h), table, at(h), at(dv), at(dh)));
        }
    }
}

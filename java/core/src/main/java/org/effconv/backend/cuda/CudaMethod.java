package org.effconv.backend.cuda;

import static org.effconv.backend.bridge.NativeLibrary.*;
import static org.effconv.backend.bridge.SynthesisTables.coordinateTable;
import static org.effconv.backend.bridge.SynthesisTables.sizeHeadTable;
import static org.effconv.backend.bridge.SynthesisTables.synthesisTable;
import static org.effconv.backend.cuda.CudaBackend.at;

import java.util.List;
import org.bytedeco.javacpp.DoublePointer;
import org.effconv.backend.CoordinateLayer;
import org.effconv.backend.GruDirection;
import org.effconv.backend.MaskKind;
import org.effconv.backend.MethodOperations;
import org.effconv.backend.Operands;
import org.effconv.backend.SizeHead;
import org.effconv.backend.SynthesisLayer;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Tensor;

/** The method's operations on a card: one plan for all layers. */
final class CudaMethod implements MethodOperations {
    private final Launcher launcher;
    private final CudaData data;

    CudaMethod(Launcher launcher, CudaData data) {
        this.launcher = launcher;
        this.data = data;
    }

    private ec_plan plan() {
        return launcher.plan();
    }

    private int elements(Tensor v, String name) {
        launcher.served(v);
        Operands.require(v.type() == DataType.F32, name + " is " + v + "; on a card expected F32");
        return Math.toIntExact(v.count());
    }

    // ---- synthesis --------------------------------------------------------------------------------------------

    @Override
    public void synthesis(MaskKind mask, Tensor v, Tensor scales, List<SynthesisLayer> layers) {
        int sizes = elements(v, "v");
        try (ec_synthesis_layer table = synthesisTable(layers, null)) {
            launcher.run(
                    () -> ec_plan_synthesis(plan(), mask.ordinal(), at(v), at(scales), sizes, table, layers.size()));
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
        int sizes = elements(v, "v");
        data.fill(dv, 0); // the launches write the sizes that a layer uses
        try (ec_synthesis_layer table = synthesisTable(layers, dlayers)) {
            launcher.run(() -> ec_plan_synthesis_gradient(
                    plan(), mask.ordinal(), at(v), at(scales), sizes, table, layers.size(), at(dv)));
        }
    }

    @Override
    public void coordinateFeatures(List<CoordinateLayer> layers) {
        if (layers.isEmpty()) {
            return;
        }
        elements(layers.get(0).w1(), "w1");
        try (ec_coordinate_layer table = coordinateTable(layers, null)) {
            launcher.run(() -> ec_plan_coordinate_features(plan(), table, layers.size()));
        }
    }

    @Override
    public void coordinateFeaturesGradient(List<CoordinateLayer> layers, List<CoordinateLayer> dlayers) {
        if (layers.isEmpty()) {
            return;
        }
        elements(layers.get(0).w1(), "w1");
        try (ec_coordinate_layer table = coordinateTable(layers, dlayers)) {
            launcher.run(() -> ec_plan_coordinate_features_gradient(plan(), table, layers.size()));
        }
    }

    // ---- predictor of sizes -----------------------------------------------------------------------------------

    @Override
    public void gru(Tensor x, GruDirection forward, GruDirection reverse, Tensor h, Tensor gates) {
        long[] weights = GruDirection.addresses(forward, reverse);
        launcher.served(x);
        launcher.run(() -> ec_plan_gru(
                plan(), x.shape().dim(0), x.shape().dim(1), forward.hidden(), at(x), weights, at(h), at(gates)));
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
        long[] weights = GruDirection.addresses(forward, reverse);
        long[] dweights = GruDirection.addresses(dforward, dreverse);
        launcher.served(x);
        launcher.run(() -> ec_plan_gru_gradient(
                plan(),
                x.shape().dim(0),
                x.shape().dim(1),
                forward.hidden(),
                at(x),
                weights,
                at(h),
                at(gates),
                at(dh),
                dweights,
                at(dx)));
    }

    @Override
    public void sizeHead(SizeHead head, Tensor h, Tensor u, Tensor v) {
        elements(h, "h");
        try (DoublePointer kmin = new DoublePointer(head.kmin());
                DoublePointer kmax = new DoublePointer(head.kmax());
                ec_size_head table = sizeHeadTable(head, null, h, kmin, kmax)) {
            launcher.run(() -> ec_plan_size_head(plan(), table, at(h), at(u), at(v)));
        }
    }

    @Override
    public void sizeHeadGradient(SizeHead head, Tensor h, Tensor dv, SizeHead dhead, Tensor dh) {
        elements(h, "h");
        try (DoublePointer kmin = new DoublePointer(head.kmin());
                DoublePointer kmax = new DoublePointer(head.kmax());
                ec_size_head table = sizeHeadTable(head, dhead, h, kmin, kmax)) {
            launcher.run(() -> ec_plan_size_head_gradient(plan(), table, at(h), at(dv), at(dh)));
        }
    }
}

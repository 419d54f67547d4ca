package org.effconv.backend.cuda;

import static org.effconv.backend.bridge.NativeLibrary.*;
import static org.effconv.backend.bridge.SynthesisTables.describe;
import static org.effconv.backend.bridge.SynthesisTables.expect;

import java.util.List;
import java.util.function.DoubleSupplier;
import java.util.function.Supplier;
import org.bytedeco.javacpp.DoublePointer;
import org.effconv.backend.CoordinateLayer;
import org.effconv.backend.GruDirection;
import org.effconv.backend.MaskKind;
import org.effconv.backend.Operands;
import org.effconv.backend.OptimizerRates;
import org.effconv.backend.OptimizerRule;
import org.effconv.backend.OptimizerSlot;
import org.effconv.backend.OptimizerTable;
import org.effconv.backend.SizeHead;
import org.effconv.backend.SynthesisLayer;
import org.effconv.backend.bridge.NativeStatus;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;

/** The method's operations and the optimiser on a card: what takes a table of layers or tensors. */
final class CudaMethod implements AutoCloseable {
    private final DeviceMemory memory;
    private final Launcher launcher;
    private final CudaData data;
    private long norm; // one float on the card; 0 until the first update

    CudaMethod(DeviceMemory memory, Launcher launcher, CudaData data) {
        this.memory = memory;
        this.launcher = launcher;
        this.data = data;
    }

    private ec_plan plan() {
        return launcher.plan();
    }

    private static int elements(Tensor v, String name) {
        Operands.require(v.type() == DataType.F32, name + " is " + v + "; on a card expected F32");
        return Math.toIntExact(v.count());
    }

    // ---- synthesis --------------------------------------------------------------------------------------------

    /** @param scales null: those of the layers */
    void synthesis(MaskKind mask, Tensor v, Tensor scales, List<SynthesisLayer> layers) {
        int sizes = elements(v, "v");
        long at = scales(v, scales);
        try (ec_synthesis_layer table = describe(v, layers, null)) {
            launcher.run(() -> ec_plan_synthesis(plan(), mask.ordinal(), v.address(), at, sizes, table, layers.size()));
        }
    }

    private static long scales(Tensor v, Tensor scales) {
        if (scales == null) {
            return 0;
        }
        expect(scales, "scales", v.type(), v.shape());
        return scales.address();
    }

    /** @param scales null: those of the layers */
    void synthesisGradient(
            MaskKind mask,
            Tensor v,
            Tensor scales,
            List<SynthesisLayer> layers,
            List<SynthesisLayer> dlayers,
            Tensor dv) {
        int sizes = elements(v, "v");
        long at = scales(v, scales);
        expect(dv, "dv", v.type(), v.shape());
        data.fill(dv, 0); // the launches write the sizes that a layer uses
        try (ec_synthesis_layer table = describe(v, layers, dlayers)) {
            launcher.run(() -> ec_plan_synthesis_gradient(
                    plan(), mask.ordinal(), v.address(), at, sizes, table, layers.size(), dv.address()));
        }
    }

    void coordinateFeatures(List<CoordinateLayer> layers) {
        if (layers.isEmpty()) {
            return;
        }
        elements(layers.get(0).w1(), "w1");
        try (ec_coordinate_layer table = describe(layers, null)) {
            launcher.run(() -> ec_plan_coordinate_features(plan(), table, layers.size()));
        }
    }

    void coordinateFeaturesGradient(List<CoordinateLayer> layers, List<CoordinateLayer> dlayers) {
        if (layers.isEmpty()) {
            return;
        }
        elements(layers.get(0).w1(), "w1");
        try (ec_coordinate_layer table = describe(layers, dlayers)) {
            launcher.run(() -> ec_plan_coordinate_features_gradient(plan(), table, layers.size()));
        }
    }

    // ---- predictor of sizes -----------------------------------------------------------------------------------

    void gru(Tensor x, GruDirection forward, GruDirection reverse, Tensor h, Tensor tape) {
        int hidden = Operands.gru(x, forward, reverse, h, tape);
        long[] weights = GruDirection.addresses(forward, reverse);
        launcher.run(() -> ec_plan_gru(
                plan(), x.shape().dim(0), x.shape().dim(1), hidden, x.address(), weights, h.address(), tape.address()));
    }

    void gruGradient(
            Tensor x,
            Tensor h,
            Tensor tape,
            Tensor dh,
            GruDirection forward,
            GruDirection reverse,
            GruDirection dforward,
            GruDirection dreverse,
            Tensor dx) {
        int hidden = Operands.gru(x, forward, reverse, h, tape);
        Operands.gru(x, dforward, dreverse, dh, tape);
        Operands.likeOrNull(dx, "dx", x);
        long[] weights = GruDirection.addresses(forward, reverse);
        long[] dweights = GruDirection.addresses(dforward, dreverse);
        launcher.run(() -> ec_plan_gru_gradient(
                plan(),
                x.shape().dim(0),
                x.shape().dim(1),
                hidden,
                x.address(),
                weights,
                h.address(),
                tape.address(),
                dh.address(),
                dweights,
                dx == null ? 0 : dx.address()));
    }

    void sizeHead(SizeHead head, Tensor h, Tensor u, Tensor v) {
        elements(h, "h");
        expect(u, "u", h.type(), h.shape());
        expect(v, "v", h.type(), Shape.of(h.shape().dim(0)));
        try (DoublePointer kmin = new DoublePointer(head.kmin());
                DoublePointer kmax = new DoublePointer(head.kmax());
                ec_size_head table = describe(head, null, h, kmin, kmax)) {
            launcher.run(() -> ec_plan_size_head(plan(), table, h.address(), u.address(), v.address()));
        }
    }

    void sizeHeadGradient(SizeHead head, Tensor h, Tensor dv, SizeHead dhead, Tensor dh) {
        elements(h, "h");
        expect(dh, "dh", h.type(), h.shape());
        expect(dv, "dv", h.type(), Shape.of(h.shape().dim(0)));
        try (DoublePointer kmin = new DoublePointer(head.kmin());
                DoublePointer kmax = new DoublePointer(head.kmax());
                ec_size_head table = describe(head, dhead, h, kmin, kmax)) {
            launcher.run(() -> ec_plan_size_head_gradient(plan(), table, h.address(), dv.address(), dh.address()));
        }
    }

    // ---- optimiser --------------------------------------------------------------------------------------------

    /** @return the norm, once asked for */
    Supplier<double[]> update(OptimizerRule rule, long step, List<OptimizerSlot> slots) {
        memory.requireUnsealed("an update of parameters whose rates may not change");
        double[] rates = slots.stream().mapToDouble(OptimizerSlot::learningRate).toArray();
        return update(rule, () -> new OptimizerRates(step, rates), slots).get();
    }

    /** @return what starts the reading of the norm, and gives it once asked for */
    Supplier<Supplier<double[]>> update(OptimizerRule rule, Supplier<OptimizerRates> now, List<OptimizerSlot> slots) {
        if (slots.isEmpty()) {
            return () -> () -> new double[] {0};
        }
        long norm = norm();
        OptimizerRates first = now.get();
        OptimizerTable t = OptimizerTable.of(rule, DataType.F32, first.in(slots));
        int count = slots.size();
        long groups = launcher.live(ec_optimizer_group_bytes(count), host -> {
            OptimizerRates rates = now.get();
            NativeStatus.check(ec_optimizer_groups(
                    rule.kind().ordinal(),
                    rule.beta1(),
                    rule.beta2(),
                    rule.epsilon(),
                    rule.nesterov() ? 1 : 0,
                    rates.step(),
                    count,
                    rates.rates(),
                    t.decays(),
                    host));
        });
        launcher.run(() -> ec_plan_optimizer_step(
                plan(),
                rule.kind().ordinal(),
                rule.beta1(),
                rule.beta2(),
                rule.epsilon(),
                rule.nesterov() ? 1 : 0,
                rule.clipNorm(),
                first.step(),
                count,
                t.addresses(),
                t.counts(),
                t.rates(),
                t.decays(),
                norm,
                groups));
        return () -> data.later(norm, DataType.F32, 1);
    }

    // Room for a norm; each is copied from there in the order of the stream before the next is written.
    private long norm() {
        if (norm == 0) {
            norm = memory.allocate(4, DeviceMemory.Use.TABLES);
        }
        return norm;
    }

    double sumOfSquares(List<Tensor> tensors) {
        memory.requireUnsealed("a sum on the host");
        if (tensors.isEmpty()) {
            return 0;
        }
        long norm = norm();
        launcher.run(() -> ec_plan_norm(plan(), tensors.size(), addresses(tensors), counts(tensors), norm));
        double length = data.later(norm, DataType.F32, 1).get()[0];
        return length * length;
    }

    void accumulateNormalised(List<Tensor> from, DoubleSupplier factor, List<Tensor> to) {
        Operands.require(from.size() == to.size(), from.size() + " tensors onto " + to.size());
        for (int i = 0; i < from.size(); i++) {
            Operands.sameCount(from.get(i), "from", to.get(i), "to");
        }
        if (from.isEmpty()) {
            return;
        }
        long norm = norm();
        double now = factor.getAsDouble();
        long live = launcher.value(() -> Double.doubleToRawLongBits(factor.getAsDouble()));
        launcher.run(() -> ec_plan_accumulate_normalised(
                plan(), from.size(), addresses(from), now, live, addresses(to), counts(from), norm));
    }

    private static long[] addresses(List<Tensor> tensors) {
        return tensors.stream().mapToLong(Tensor::address).toArray();
    }

    private static long[] counts(List<Tensor> tensors) {
        return tensors.stream().mapToLong(t -> elements(t, "a tensor of sums")).toArray();
    }

    @Override
    public void close() {
        if (norm != 0) {
            memory.free(norm, 4);
            norm = 0;
        }
    }
}

package org.effconv.backend.cuda;

import static org.effconv.backend.bridge.NativeLibrary.*;

import java.util.List;
import java.util.function.DoubleSupplier;
import java.util.function.Supplier;
import org.effconv.backend.Operands;
import org.effconv.backend.OptimizerOperations;
import org.effconv.backend.OptimizerRates;
import org.effconv.backend.OptimizerRule;
import org.effconv.backend.OptimizerSlot;
import org.effconv.backend.OptimizerTable;
import org.effconv.backend.bridge.NativeStatus;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Tensor;

/** Updates of parameters on a card, and sums over lists of tensors. */
final class CudaOptimizer implements OptimizerOperations, AutoCloseable {
    private final DeviceMemory memory;
    private final Launcher launcher;
    private final CudaData data;
    private long norm; // one float on the card; 0 until the first update

    CudaOptimizer(DeviceMemory memory, Launcher launcher, CudaData data) {
        this.memory = memory;
        this.launcher = launcher;
        this.data = data;
    }

    @Override
    public DoubleSupplier update(OptimizerRule rule, long step, List<OptimizerSlot> slots) {
        memory.requireUnsealed("an update of parameters whose rates may not change");
        double[] rates = slots.stream().mapToDouble(OptimizerSlot::learningRate).toArray();
        return update(rule, () -> new OptimizerRates(step, rates), slots).get();
    }

    @Override
    public Supplier<DoubleSupplier> update(
            OptimizerRule rule, Supplier<OptimizerRates> now, List<OptimizerSlot> slots) {
        if (slots.isEmpty()) {
            return () -> () -> 0;
        }
        launcher.served(slots.get(0).value());
        long norm = norm();
        OptimizerRates first = now.get();
        OptimizerTable t = OptimizerTable.of(first.in(slots));
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
                launcher.plan(),
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
        return () -> {
            Supplier<double[]> later = data.later(norm, DataType.F32, 1);
            return () -> later.get()[0];
        };
    }

    // Room for a norm; each is copied from there in the order of the stream before the next is written.
    private long norm() {
        if (norm == 0) {
            norm = memory.allocate(4, DeviceMemory.Use.TABLES);
        }
        return norm;
    }

    @Override
    public double sumOfSquares(List<Tensor> tensors) {
        memory.requireUnsealed("a sum on the host");
        if (tensors.isEmpty()) {
            return 0;
        }
        long norm = norm();
        launcher.run(() -> ec_plan_norm(launcher.plan(), tensors.size(), addresses(tensors), counts(tensors), norm));
        double length = data.later(norm, DataType.F32, 1).get()[0];
        return length * length;
    }

    @Override
    public void accumulateNormalised(List<Tensor> from, DoubleSupplier factor, List<Tensor> to) {
        if (from.isEmpty()) {
            return;
        }
        long norm = norm();
        double now = factor.getAsDouble();
        long live = launcher.value(() -> Double.doubleToRawLongBits(factor.getAsDouble()));
        launcher.run(() -> ec_plan_accumulate_normalised(
                launcher.plan(), from.size(), addresses(from), now, live, addresses(to), counts(from), norm));
    }

    private static long[] addresses(List<Tensor> tensors) {
        return tensors.stream().mapToLong(Tensor::address).toArray();
    }

    private static long[] counts(List<Tensor> tensors) {
        return tensors.stream().mapToLong(CudaOptimizer::elements).toArray();
    }

    private static long elements(Tensor t) {
        Operands.require(t.type() == DataType.F32, "a tensor of sums is " + t + "; on a card expected F32");
        return t.count();
    }

    @Override
    public void close() {
        if (norm != 0) {
            memory.free(norm, 4);
            norm = 0;
        }
    }
}

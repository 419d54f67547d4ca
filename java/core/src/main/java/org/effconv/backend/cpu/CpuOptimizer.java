package org.effconv.backend.cpu;

import static org.effconv.backend.bridge.NativeLibrary.*;
import static org.effconv.backend.bridge.NativeStatus.check;

import java.util.List;
import java.util.function.DoubleSupplier;
import java.util.function.Supplier;
import org.effconv.backend.OptimizerOperations;
import org.effconv.backend.OptimizerRates;
import org.effconv.backend.OptimizerRule;
import org.effconv.backend.OptimizerSlot;
import org.effconv.backend.OptimizerTable;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Tensor;

/** Updates of parameters, and sums over lists of tensors. */
final class CpuOptimizer implements OptimizerOperations {
    private final CpuData data;

    CpuOptimizer(CpuData data) {
        this.data = data;
    }

    @Override
    public DoubleSupplier update(OptimizerRule rule, long step, List<OptimizerSlot> slots) {
        DataType type = slots.isEmpty() ? DataType.F32 : slots.get(0).value().type();
        OptimizerTable t = OptimizerTable.of(slots);
        double[] norm = new double[1];
        check(ec_optimizer_step(
                type.ordinal(),
                rule.kind().ordinal(),
                rule.beta1(),
                rule.beta2(),
                rule.epsilon(),
                rule.nesterov() ? 1 : 0,
                rule.clipNorm(),
                step,
                slots.size(),
                t.addresses(),
                t.counts(),
                t.rates(),
                t.decays(),
                norm));
        return () -> norm[0];
    }

    @Override
    public Supplier<DoubleSupplier> update(
            OptimizerRule rule, Supplier<OptimizerRates> now, List<OptimizerSlot> slots) {
        OptimizerRates rates = now.get();
        DoubleSupplier norm = update(rule, rates.step(), rates.in(slots));
        return () -> norm;
    }

    @Override
    public void accumulateNormalised(List<Tensor> from, DoubleSupplier factor, List<Tensor> to) {
        double by = factor.getAsDouble() / sumOfSquares(from);
        for (int i = 0; i < from.size(); i++) {
            data.accumulate(from.get(i), by, to.get(i));
        }
    }

    @Override
    public double sumOfSquares(List<Tensor> tensors) {
        double sum = 0;
        for (Tensor t : tensors) {
            for (double x : data.readDoubles(t)) {
                sum += x * x;
            }
        }
        return sum;
    }
}

package org.effconv.backend;

import java.util.List;

/**
 * The slots of an update as arrays; what a native call takes.
 *
 * @param addresses per slot: value, gradient, first and second moment (0 if there is none)
 */
public record OptimizerTable(long[] addresses, long[] counts, double[] rates, double[] decays) {
    public static OptimizerTable of(List<OptimizerSlot> slots) {
        int count = slots.size();
        OptimizerTable t =
                new OptimizerTable(new long[4 * count], new long[count], new double[count], new double[count]);
        for (int i = 0; i < count; i++) {
            OptimizerSlot slot = slots.get(i);
            t.addresses[4 * i] = slot.value().address();
            t.addresses[4 * i + 1] = slot.gradient().address();
            t.addresses[4 * i + 2] = slot.first().address();
            t.addresses[4 * i + 3] = slot.second() == null ? 0 : slot.second().address();
            t.counts[i] = slot.value().count();
            t.rates[i] = slot.learningRate();
            t.decays[i] = slot.weightDecay();
        }
        return t;
    }
}

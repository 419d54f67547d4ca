package org.effconv.backend;

import java.util.ArrayList;
import java.util.List;

/**
 * What of an update changes from step to step.
 *
 * @param step 1 for the first update; AdamW's bias correction
 * @param rates learning rates, one per slot
 */
public record OptimizerRates(long step, double[] rates) {
    /** The slots with these rates in place of their own. */
    public List<OptimizerSlot> in(List<OptimizerSlot> slots) {
        Operands.require(
                rates.length == slots.size(), rates.length + " learning rates for " + slots.size() + " parameters");
        List<OptimizerSlot> with = new ArrayList<>(rates.length);
        for (int i = 0; i < rates.length; i++) {
            OptimizerSlot s = slots.get(i);
            with.add(new OptimizerSlot(s.value(), s.gradient(), s.first(), s.second(), rates[i], s.weightDecay()));
        }
        return with;
    }
}

package org.effconv.run;

import java.util.Optional;
import org.effconv.cost.Budget;
import org.effconv.cost.Cost;
import org.effconv.latency.LatencyTable;

/**
 * What learned sizes may cost.
 *
 * @param budget as asked for
 * @param cost what it counts, for this network and device
 * @param amount of that cost; NaN for none
 * @param table that time is counted by; empty if the budget counts something else
 */
public record SizeTarget(Budget budget, Cost cost, double amount, Optional<LatencyTable> table) {}

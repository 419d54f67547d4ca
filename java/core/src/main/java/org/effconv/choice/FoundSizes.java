package org.effconv.choice;

import org.effconv.cost.Cost;

/**
 * What a search found.
 *
 * @param soft soft sizes, one per layer
 * @param rounded their plain rounding to odd
 * @param sizes the answer: rounded, and repaired to the budget where there is one
 * @param cost of the network at {@code sizes}
 * @param target P*, or NaN without a budget to meet
 */
public record FoundSizes(double[] soft, int[] rounded, int[] sizes, double cost, double target) {
    /** The same search with another answer. */
    public FoundSizes movedTo(int[] chosen, Cost cost) {
        return new FoundSizes(soft, rounded, chosen, cost.at(chosen), target);
    }
}

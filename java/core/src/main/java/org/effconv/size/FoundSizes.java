package org.effconv.size;

/**
 * What a search found.
 *
 * @param soft       soft sizes, one per layer
 * @param rounded    their plain rounding to odd
 * @param sizes      the answer: rounded, and repaired to the budget where there is one
 * @param parameters of the network at {@code sizes}
 * @param target     P*, or NaN without a budget to meet
 */
public record FoundSizes(double[] soft, int[] rounded, int[] sizes, long parameters, double target) {
    /** The same search with another answer. */
    public FoundSizes movedTo(int[] chosen, ParameterCount count) {
        return new FoundSizes(soft, rounded, chosen, count.at(chosen), target);
    }
}

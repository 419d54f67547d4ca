package org.effconv.run;

import java.util.List;
import org.effconv.choice.FoundSizes;
import org.effconv.cost.Cost;
import org.effconv.train.Work;

/**
 * What learning sizes gave and what it took.
 *
 * @param sizes with the soft ones behind them
 * @param cost what the budget counts
 * @param seconds wall clock of what {@code work} counts
 * @param work beyond the training of the network found
 * @param steps of that work, a step of each network counted as one
 * @param weights predicted ones at the sizes, per layer (K, k, k, C / groups); empty in one run
 * @param candidates in the order of trust, or of cost; empty in two stages
 */
public record SearchOutcome(
        FoundSizes sizes,
        Cost cost,
        double seconds,
        Work work,
        long steps,
        List<float[]> weights,
        List<Candidate> candidates) {
    /**
     * A choice that was tried by training it from its first step on.
     *
     * @param sizes one odd size per sized layer
     * @param steps that it was trained for
     * @param loss class loss over the second half of them, on average; NaN if it could not be trained
     */
    public record Candidate(int[] sizes, int steps, double loss) {}
}

package org.effconv.search.sizes;

import java.util.Map;

/** Where the sizes should go, step by step, by the gradients that the class loss leaves on them. */
public interface SizeUpdate {
    /** How many budgets there are: one, or those of a range. */
    default int budgets() {
        return 1;
    }

    /** Which of them a step works at. */
    default int budget(long step) {
        return 0;
    }

    /** Turns to a step's budget: whose sizes are meant from now on. */
    default void at(long step) {}

    /** The wanted sizes now. */
    double[] sizes();

    /** The answer, as of now. */
    double[] answer();

    /**
     * One step.
     *
     * @param v predicted sizes, around which those were drawn that the gradient was taken at
     * @param gradient dL/dv of the class loss by these
     * @param fraction how far the steps with moving sizes have come, 0 to 1
     * @param steps how many of them there are
     */
    void update(double[] v, double[] gradient, double fraction, double steps);

    /** The class loss of an earlier step. */
    default void observe(double loss) {}

    /** Everything that a checkpoint must hold. */
    Map<String, double[]> state();

    /** Takes back what {@link #state} gave. */
    void restore(Map<String, double[]> state);
}

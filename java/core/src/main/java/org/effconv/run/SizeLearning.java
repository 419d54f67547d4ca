package org.effconv.run;

import java.util.Arrays;
import java.util.List;
import org.effconv.train.Phase;

/** A way to learn sizes: within the training that they are for, or before it. */
public interface SizeLearning {
    /**
     * Learns sizes, in phases of a run.
     *
     * @throws org.effconv.error.EffconvException.JobFailed if the loss is no longer finite, or no odd sizes meet the
     *     budget
     */
    Chosen choose(Phase.Context context);

    /**
     * What was decided.
     *
     * @param found the sizes, and what they took
     * @param left where the training of each candidate was left, to go on with; empty if none has begun
     */
    record Chosen(SearchOutcome found, List<Phase.Left> left) {
        /** Where the training of these sizes was left; null: it has not begun. */
        public Phase.Left left(int[] sizes) {
            for (int i = 0; i < left.size(); i++) {
                if (Arrays.equals(found.candidates().get(i).sizes(), sizes)) {
                    return left.get(i);
                }
            }
            return null;
        }
    }
}

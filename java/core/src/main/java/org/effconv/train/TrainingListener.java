package org.effconv.train;

/** Hears how a run goes, on the thread of the run. What it throws ends the run. */
public interface TrainingListener {
    /**
     * A phase (probe, candidate1, candidate2 .., search, train, uniform) begins, or goes on from {@code epochsDone}.
     */
    default void onStart(String phase, int epochs, int epochsDone, int batchesPerEpoch) {}

    /** A batch is done; {@code loss} is that of the batch before it, NaN at an epoch's first. */
    default void onBatch(String phase, int epoch, int batch, double loss) {}

    /** An epoch is done and its checkpoint written. */
    default void onEpoch(EpochMetrics metrics) {}

    /**
     * A candidate has been trained up to where candidates are compared.
     *
     * @param sizes one per sized layer
     * @param steps since the training began
     * @param loss class loss over the second half of them
     */
    default void onCandidate(int[] sizes, int steps, double loss) {}

    /** A phase is done, or left for others to catch up. */
    default void onEnd(String phase) {}
}

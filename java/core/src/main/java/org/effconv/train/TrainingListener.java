package org.effconv.train;

/** Hears how a run goes, on the thread of the run. What it throws ends the run. */
public interface TrainingListener {
    /** A phase (search, trial1, trial2 .., train, uniform) begins, or goes on from {@code epochsDone}. */
    default void onStart(String phase, int epochs, int epochsDone, int batchesPerEpoch) {}

    /** A batch is done; {@code loss} is that of the batch before it, NaN at an epoch's first. */
    default void onBatch(String phase, int epoch, int batch, double loss) {}

    /** An epoch is done and its checkpoint written. */
    default void onEpoch(EpochMetrics metrics) {}

    /** A phase is done. */
    default void onEnd(String phase) {}
}

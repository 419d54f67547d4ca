package org.effconv.bench;

/** One side of a comparison: repeats the same training step (forward, backward, optimiser) on a fixed batch. */
interface TrainingStep extends AutoCloseable {
    void run();

    /** Loss of the last step, to see that both sides learn the same. */
    double loss();

    @Override
    void close();
}

package org.effconv.backend;

import org.effconv.tensor.DataType;

/**
 * What computes, for the inner parts of a job. Whoever holds one has a claim on its device.
 *
 * @param backend that runs the operations
 * @param activationType of the networks; their parameters have {@link DataType#parameterType}
 * @param hardware the processor's or the card's name
 * @param threads that a CPU computes with; 1 for a card
 */
public record Compute(Backend backend, DataType activationType, String hardware, int threads) {
    /** Type of parameters, statistics and losses. */
    public DataType parameterType() {
        return activationType.parameterType();
    }

    /** "cpu", "cuda:0". */
    public String name() {
        return backend.name();
    }
}

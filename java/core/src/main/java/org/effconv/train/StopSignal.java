package org.effconv.train;

import org.effconv.error.EffconvException;

/**
 * Lets another thread (a signal handler, a button) end a run between two operations; what the epoch under way has
 * learned is lost.
 */
public final class StopSignal {
    private volatile boolean requested;

    public void request() {
        requested = true;
    }

    public boolean requested() {
        return requested;
    }

    /**
     * @param where the run stands, for the message: "in epoch 3 of 16"
     * @throws Stopped if a stop was requested
     */
    public void check(String where) {
        if (requested) {
            throw new Stopped("stopped " + where);
        }
    }

    /** A run ended because it was asked to; its last checkpoint is whole. */
    public static final class Stopped extends EffconvException {
        private static final long serialVersionUID = 1L;

        public Stopped(String message) {
            super(message);
        }
    }
}

package org.effconv.train;

import org.effconv.EffconvException;

/** Lets another thread (a signal handler, a button) end a run between two steps. */
public final class StopSignal {
    private volatile boolean requested;

    public void request() {
        requested = true;
    }

    public boolean requested() {
        return requested;
    }

    /** A run ended because it was asked to; its last checkpoint is whole. */
    public static final class Stopped extends EffconvException {
        private static final long serialVersionUID = 1L;

        public Stopped(String message) {
            super(message);
        }
    }
}

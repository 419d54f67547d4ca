package org.effconv.predict;

import org.effconv.autodiff.Tape;
import org.effconv.backend.Backend;
import org.effconv.tensor.Arena;

/** An arena and the tapes over it, for what runs beside the training step. */
public final class StepArena implements AutoCloseable {
    private final Backend backend;
    private final Arena arena;

    public StepArena(Backend backend) {
        this.backend = backend;
        arena = new Arena(backend.memory());
    }

    /** A tape over the same memory as the one before, which is void from here on. */
    public Tape tape(boolean recording) {
        arena.reset();
        return new Tape(backend, arena, recording);
    }

    @Override
    public void close() {
        arena.close();
    }
}

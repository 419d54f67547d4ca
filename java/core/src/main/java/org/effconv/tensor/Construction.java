package org.effconv.tensor;

import java.util.ArrayDeque;
import java.util.Deque;

/**
 * What a constructor has made so far. If it fails half way, of memory that runs out most likely, that is closed again,
 * the last first, since nobody else knows of it. Used in a try-with-resources, with {@link #done} as its last
 * statement.
 */
public final class Construction implements AutoCloseable {
    private final Deque<AutoCloseable> made = new ArrayDeque<>();

    /** The same part, which is closed unless {@link #done} is reached. */
    public <T extends AutoCloseable> T own(T part) {
        made.push(part);
        return part;
    }

    /** The object is whole: its parts are its own. */
    public void done() {
        made.clear();
    }

    @Override
    public void close() {
        RuntimeException failure = null;
        for (AutoCloseable part : made) {
            try {
                part.close();
            } catch (Exception e) { // the others are closed all the same
                RuntimeException now = e instanceof RuntimeException r
                        ? r
                        : new IllegalStateException("cannot close " + part + ": " + e, e);
                if (failure == null) {
                    failure = now;
                } else {
                    failure.addSuppressed(now);
                }
            }
        }
        made.clear();
        if (failure != null) {
            throw failure;
        }
    }
}

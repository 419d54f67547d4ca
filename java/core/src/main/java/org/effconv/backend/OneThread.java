package org.effconv.backend;

import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Supplier;

/** Lets one thread at a time into a backend; an operation may be made of others. */
public final class OneThread {
    private final String name;
    private final AtomicReference<Thread> user = new AtomicReference<>();

    /** @param name of what is guarded, for people */
    public OneThread(String name) {
        this.name = name;
    }

    /** @throws IllegalStateException if another thread is inside */
    public <T> T get(Supplier<T> operation) {
        Thread me = Thread.currentThread();
        if (user.get() == me) {
            return operation.get();
        }
        if (!user.compareAndSet(null, me)) {
            Thread other = user.get();
            throw new IllegalStateException("a backend belongs to one thread at a time: " + me.getName() + " called "
                    + name + " while " + (other == null ? "another thread" : other.getName()) + " was in it");
        }
        try {
            return operation.get();
        } finally {
            user.set(null);
        }
    }
}

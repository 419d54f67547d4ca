package org.effconv.cli;

import org.effconv.train.StopSignal;

/** Turns SIGINT and SIGTERM into a request to stop, and lets the run end between two steps before the JVM goes. */
final class Interrupts implements AutoCloseable {
    private static final long PATIENCE_MILLIS = 60_000;

    private final Thread hook;

    private Interrupts(Thread hook) {
        this.hook = hook;
    }

    static Interrupts to(StopSignal stop) {
        Thread runner = Thread.currentThread();
        Thread hook = new Thread(() -> {
            stop.request();
            try {
                runner.join(PATIENCE_MILLIS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt(); // the JVM is ending: nobody is left to tell
            }
        }, "effconv-interrupt");
        Runtime.getRuntime().addShutdownHook(hook);
        return new Interrupts(hook);
    }

    @Override
    public void close() {
        try {
            Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException e) {
            // the JVM is shutting down: the hook is at work and waits for this thread to end
        }
    }
}

package org.effconv.cli;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.effconv.train.StopSignal;

/** Turns SIGINT and SIGTERM into a request to stop, and lets the run end between two steps before the JVM goes. */
final class Interrupts implements AutoCloseable {
    private static final long PATIENCE_SECONDS = 60;
    private static final CountDownLatch OVER = new CountDownLatch(1);

    private final Thread hook;

    private Interrupts(Thread hook) {
        this.hook = hook;
    }

    /** Tells a hook at work that the command has come to its end. The thread itself does not end then: System.exit waits for the hooks. */
    static void over() {
        OVER.countDown();
    }

    static Interrupts to(StopSignal stop) {
        Thread hook = new Thread(() -> {
            stop.request();
            try {
                OVER.await(PATIENCE_SECONDS, TimeUnit.SECONDS);
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
            // the JVM is shutting down: the hook is at work and waits for the command to end
        }
    }
}

package org.effconv.data;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import org.effconv.error.EffconvException;

/** Work on every image of a part, on a few threads. */
final class ImageWorkers {
    static final int MAX_THREADS = Math.min(4, Runtime.getRuntime().availableProcessors());
    private static final int REPORT_EVERY = 1000;

    private final String what;
    private final int count;
    private final LoadListener listener;
    private final AtomicInteger next = new AtomicInteger();
    private int done; // guarded by this
    private int failedAt = Integer.MAX_VALUE; // guarded by this
    private Throwable failure; // guarded by this

    /** What a thread does; it is closed when the thread ends. */
    interface Worker extends AutoCloseable {
        void image(int index);

        @Override
        void close();
    }

    private ImageWorkers(String what, int count, LoadListener listener) {
        this.what = what;
        this.count = count;
        this.listener = listener;
    }

    /**
     * Does the work for 0 to {@code count - 1}. Of several failures the first in order is thrown, whatever the timing.
     */
    static void run(String what, int count, LoadListener listener, Supplier<Worker> workers) {
        ImageWorkers run = new ImageWorkers(what, count, listener);
        listener.progress(what, 0, count);
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < Math.min(MAX_THREADS, count); i++) {
            Thread thread = new Thread(() -> run.work(workers), "effconv-decode-" + i);
            thread.setDaemon(true);
            thread.start();
            threads.add(thread);
        }
        run.join(threads);
        run.throwFailure();
    }

    private void work(Supplier<Worker> workers) {
        try (Worker worker = workers.get()) {
            // indices are handed out in ascending order: when one fails, all before it are in work or done
            for (int i = next.getAndIncrement(); i < count; i = next.getAndIncrement()) {
                try {
                    worker.image(i);
                    finished();
                } catch (Throwable t) {
                    fail(i, t);
                    return;
                }
            }
        }
    }

    private synchronized void finished() {
        done++;
        if (done % REPORT_EVERY == 0 || done == count) {
            listener.progress(what, done, count);
        }
    }

    private synchronized void fail(int index, Throwable t) {
        next.set(count); // nobody begins another image
        if (index < failedAt) {
            failedAt = index;
            failure = t;
        }
    }

    private void join(List<Thread> threads) {
        boolean interrupted = false;
        for (Thread thread : threads) {
            while (thread.isAlive()) {
                try {
                    thread.join();
                } catch (InterruptedException e) {
                    interrupted = true;
                    next.set(count);
                }
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
            throw new EffconvException("interrupted while reading " + what);
        }
    }

    private synchronized void throwFailure() {
        if (failure instanceof RuntimeException runtime) {
            throw runtime;
        }
        if (failure != null) {
            throw new EffconvException("reading " + what + " failed: " + failure, failure);
        }
    }
}

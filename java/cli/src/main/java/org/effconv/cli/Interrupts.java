package org.effconv.cli;

import java.io.PrintWriter;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.IntConsumer;
import java.util.function.Supplier;
import sun.misc.Signal;
import sun.misc.SignalHandler;

/**
 * What SIGINT, SIGTERM and SIGHUP do while a run is under way. The first asks it to stop; where it is in something long
 * that does not look for that, the process is ended after a while. A second one ends the process at once, and so does
 * the first of a run that has not begun. All are safe: a run may be cut at any moment. Outside a run, where nothing is
 * to be told, signals end the JVM as ever, at once.
 *
 * <p>The JVM's own shutdown hooks hear the first signal only.
 */
final class Interrupts implements AutoCloseable {
    private static final List<String> SIGNALS = List.of("INT", "TERM", "HUP");
    private static final int BY_SIGNAL = 128; // an exit code beyond is the signal's number, as shells have it
    private static final Patience PATIENCE = () -> TimeUnit.SECONDS.sleep(10);
    private static final long TELLING_MILLIS = 1000;

    private static volatile Interrupts ofProcess; // what listened last to the process's signals; null: nothing did

    private final Runnable stop;
    private final PrintWriter err;
    private final Supplier<Optional<String>> goOn;
    private final IntConsumer end;
    private final Patience patience;
    private final Map<Signal, SignalHandler> before = new LinkedHashMap<>();
    private volatile int exitCode; // 0: no signal came
    private boolean requested;
    private boolean closed;

    /** Waits as long as a run that is asked to stop may take for it. */
    @FunctionalInterface
    interface Patience {
        void await() throws InterruptedException;
    }

    /**
     * @param stop asks the run to stop, at the first signal
     * @param err hears it when the process is ended
     * @param goOn tells how to go on with the run; empty while it has not begun
     * @param end ends the process with an exit code
     * @param patience how long the run has to stop by itself
     */
    Interrupts(Runnable stop, PrintWriter err, Supplier<Optional<String>> goOn, IntConsumer end, Patience patience) {
        this.stop = stop;
        this.err = err;
        this.goOn = goOn;
        this.end = end;
        this.patience = patience;
    }

    /** Listens to signals until it is closed. */
    static Interrupts to(Runnable stop, PrintWriter err, Supplier<Optional<String>> goOn) {
        Interrupts interrupts = new Interrupts(stop, err, goOn, Runtime.getRuntime()::halt, PATIENCE);
        ofProcess = interrupts;
        for (String name : SIGNALS) {
            try {
                Signal signal = new Signal(name);
                interrupts.before.put(signal, Signal.handle(signal, s -> interrupts.received(s.getNumber())));
            } catch (IllegalArgumentException e) {
                // the system has no such signal, or java -Xrs leaves it to the system, which ends the process
            }
        }
        return interrupts;
    }

    /** The exit code of this process: that of the signal which stopped its run, or the given one. */
    static int exitCode(int otherwise) {
        Interrupts interrupts = ofProcess;
        return interrupts == null ? otherwise : interrupts.endedWith(otherwise);
    }

    /** The exit code of the run that this one listened for: that of the signal which stopped it, or the given one. */
    int endedWith(int otherwise) {
        return otherwise != 0 && exitCode != 0 ? exitCode : otherwise;
    }

    /** @param signal its number */
    void received(int signal) {
        synchronized (this) {
            if (closed) {
                return;
            }
            if (!requested && goOn.get().isPresent()) {
                requested = true;
                exitCode = BY_SIGNAL + signal;
                stop.run();
                daemon("effconv-patience", () -> wait(signal));
                return;
            }
        }
        end(signal);
    }

    private void wait(int signal) {
        try {
            patience.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt(); // nobody does
        }
        synchronized (this) {
            if (closed) {
                return;
            }
        }
        end(signal);
    }

    // Whoever reads what is told may stand still, and the process ends for all that.
    private void end(int signal) {
        Thread telling = daemon("effconv-last-words", this::tell);
        try {
            telling.join(TELLING_MILLIS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt(); // nobody does
        } finally {
            end.accept(BY_SIGNAL + signal);
        }
    }

    private void tell() {
        if (Boolean.getBoolean(Console.TERMINAL)) {
            err.println(); // below what shows progress
        }
        err.println("effconv: ended by a signal; " + goOn.get().orElse("nothing had been done yet"));
        err.flush();
    }

    private static Thread daemon(String name, Runnable work) {
        Thread thread = new Thread(work, name);
        thread.setDaemon(true);
        thread.start();
        return thread;
    }

    /** The run has ended. */
    @Override
    public synchronized void close() {
        closed = true;
        before.forEach(Signal::handle);
    }
}

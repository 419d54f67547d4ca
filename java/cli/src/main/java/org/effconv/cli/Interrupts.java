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
 * What SIGINT, SIGTERM and SIGHUP do while a run is under way. The first asks it to stop; where it is in something long that does not
 * look for that, the process is ended after a while. A second one ends the process at once, and so does the first of a run that has not
 * begun. All are safe: a run may be cut at any moment. Outside a run, where nothing is to be told, signals end the JVM as ever, at once.
 *
 * <p>The JVM's own shutdown hooks hear the first signal only.
 */
final class Interrupts implements AutoCloseable {
    private static final List<String> SIGNALS = List.of("INT", "TERM", "HUP");
    private static final int BY_SIGNAL = 128; // an exit code beyond is the signal's number, as shells have it
    private static final long PATIENCE_SECONDS = 10;

    private static volatile int exitCode; // 0: no signal came

    private final Runnable stop;
    private final PrintWriter err;
    private final Supplier<Optional<String>> goOn;
    private final IntConsumer end;
    private final Map<Signal, SignalHandler> before = new LinkedHashMap<>();
    private boolean requested;
    private boolean closed;

    /**
     * @param stop asks the run to stop, at the first signal
     * @param err  hears it when the process is ended
     * @param goOn tells how to go on with the run; empty while it has not begun
     * @param end  ends the process with an exit code
     */
    Interrupts(Runnable stop, PrintWriter err, Supplier<Optional<String>> goOn, IntConsumer end) {
        this.stop = stop;
        this.err = err;
        this.goOn = goOn;
        this.end = end;
    }

    /** Listens to signals until it is closed. */
    static Interrupts to(Runnable stop, PrintWriter err, Supplier<Optional<String>> goOn) {
        Interrupts interrupts = new Interrupts(stop, err, goOn, Runtime.getRuntime()::halt);
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
                Thread patience = new Thread(() -> wait(signal), "effconv-patience");
                patience.setDaemon(true);
                patience.start();
                return;
            }
        }
        end(signal);
    }

    private void wait(int signal) {
        try {
            TimeUnit.SECONDS.sleep(PATIENCE_SECONDS);
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

    private void end(int signal) {
        if (Boolean.getBoolean(Console.TERMINAL)) {
            err.println(); // below what shows progress
        }
        err.println("effconv: ended by a signal; " + goOn.get().orElse("nothing had been done yet"));
        err.flush();
        end.accept(BY_SIGNAL + signal);
    }

    /** The run has ended. */
    @Override
    public synchronized void close() {
        closed = true;
        before.forEach(Signal::handle);
    }
}

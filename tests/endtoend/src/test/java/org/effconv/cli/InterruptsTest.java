package org.effconv.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.Writer;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.effconv.train.StopSignal;
import org.junit.jupiter.api.Test;

class InterruptsTest {
    private static final int TERM = 15;
    private static final int INT = 2;
    private static final Interrupts.Patience ENDLESS = new CountDownLatch(1)::await;

    private final StopSignal stop = new StopSignal();
    private final StringWriter err = new StringWriter();
    private final BlockingQueue<Integer> ends = new LinkedBlockingQueue<>();

    private Interrupts interrupts(Writer to, Supplier<Optional<String>> goOn, Interrupts.Patience patience) {
        return new Interrupts(stop::request, new PrintWriter(to), goOn, ends::add, patience);
    }

    @Test
    void theFirstSignalAsksAndTheSecondEnds() throws InterruptedException {
        try (Interrupts interrupts = interrupts(err, () -> Optional.of("this is how to go on"), ENDLESS)) {
            assertFalse(stop.requested());
            interrupts.received(INT);
            assertTrue(stop.requested());
            assertTrue(ends.isEmpty());
            interrupts.received(TERM);
            assertEquals(128 + TERM, ends.take());
            assertTrue(err.toString().contains("effconv: ended by a signal; this is how to go on"), err.toString());
            assertEquals(128 + INT, interrupts.endedWith(1));
            assertEquals(0, interrupts.endedWith(0)); // the run had come to its end
        }
        assertEquals(1, Interrupts.exitCode(1), "a signal of a test is none of the process");
    }

    @Test
    void aRunThatDoesNotStopIsEndedAfterAWhile() throws InterruptedException {
        CountDownLatch patience = new CountDownLatch(1);
        try (Interrupts interrupts = interrupts(err, () -> Optional.of("this is how to go on"), patience::await)) {
            interrupts.received(TERM);
            assertTrue(stop.requested());
            assertTrue(ends.isEmpty());
            patience.countDown();
            assertEquals(128 + TERM, ends.take());
            assertTrue(err.toString().contains("effconv: ended by a signal; this is how to go on"), err.toString());
        }
    }

    @Test
    void aRunThatHasNotBegunEndsAtOnce() throws InterruptedException {
        try (Interrupts interrupts = interrupts(err, Optional::empty, ENDLESS)) {
            interrupts.received(INT);
            assertEquals(128 + INT, ends.take());
            assertEquals(
                    "effconv: ended by a signal; nothing had been done yet",
                    err.toString().strip());
        }
    }

    /** Takes nothing in, like a pipe whose reader stands still. */
    private static final class Stuck extends Writer {
        private void stand() {
            try {
                new CountDownLatch(1).await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }

        @Override
        public void write(char[] text, int from, int length) {
            stand();
        }

        @Override
        public void flush() {
            stand();
        }

        @Override
        public void close() {}
    }

    @Test
    void aReaderThatStandsStillDoesNotKeepTheProcess() throws InterruptedException {
        try (Interrupts interrupts = interrupts(new Stuck(), Optional::empty, ENDLESS)) {
            Thread signal = new Thread(() -> interrupts.received(INT));
            signal.setDaemon(true);
            signal.start();
            assertEquals(128 + INT, ends.poll(60, TimeUnit.SECONDS));
        }
    }

    @Test
    void aSignalAfterTheRunEndsNothing() {
        Interrupts interrupts = interrupts(err, () -> Optional.of("so"), ENDLESS);
        interrupts.close();
        interrupts.received(TERM);
        assertFalse(stop.requested());
        assertTrue(ends.isEmpty());
    }
}

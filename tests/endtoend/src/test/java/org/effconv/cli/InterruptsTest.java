package org.effconv.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.effconv.train.StopSignal;
import org.junit.jupiter.api.Test;

class InterruptsTest {
    private static final int TERM = 15;
    private static final int INT = 2;

    private final StopSignal stop = new StopSignal();
    private final StringWriter err = new StringWriter();
    private final List<Integer> ends = new ArrayList<>();

    @Test
    void theFirstSignalAsksAndTheSecondEnds() {
        try (Interrupts interrupts = new Interrupts(stop::request, new PrintWriter(err), () -> Optional.of("this is how to go on"), ends::add)) {
            assertFalse(stop.requested());
            interrupts.received(INT);
            assertTrue(stop.requested());
            assertEquals(List.of(), ends);
            interrupts.received(TERM);
            assertEquals(List.of(128 + TERM), ends);
            assertTrue(err.toString().contains("effconv: ended by a signal; this is how to go on"), err.toString());
        }
        assertEquals(128 + INT, Interrupts.exitCode(1));
        assertEquals(0, Interrupts.exitCode(0)); // the run had come to its end
    }

    @Test
    void aRunThatHasNotBegunEndsAtOnce() {
        try (Interrupts interrupts = new Interrupts(stop::request, new PrintWriter(err), Optional::empty, ends::add)) {
            interrupts.received(INT);
            assertEquals(List.of(128 + INT), ends);
            assertEquals("effconv: ended by a signal; nothing had been done yet", err.toString().strip());
        }
    }

    @Test
    void aSignalAfterTheRunEndsNothing() {
        Interrupts interrupts = new Interrupts(stop::request, new PrintWriter(err), () -> Optional.of("so"), ends::add);
        interrupts.close();
        interrupts.received(TERM);
        assertFalse(stop.requested());
        assertEquals(List.of(), ends);
    }
}

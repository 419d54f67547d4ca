package org.effconv.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.io.PrintWriter;
import org.junit.jupiter.api.Test;

class StandardOutputTest {
    private final ByteArrayOutputStream said = new ByteArrayOutputStream();

    private int exitCode(int code, String failure) {
        StandardOutput output = new StandardOutput(new OutputStream() {
            @Override
            public void write(int b) throws IOException {
                if (failure != null) {
                    throw new IOException(failure);
                }
            }
        });
        PrintWriter writer = new PrintWriter(new PrintStream(output, false, UTF_8), false, UTF_8);
        writer.println("a line");
        writer.flush();
        return output.exitCode(code, new PrintStream(said, true, UTF_8));
    }

    @Test
    void whatArrivedChangesNothing() {
        assertEquals(0, exitCode(0, null));
        assertEquals(2, exitCode(2, null));
        assertEquals("", said.toString(UTF_8));
    }

    @Test
    void whatIsLostIsSaidAndFails() {
        assertEquals(1, exitCode(0, "No space left on device"));
        assertEquals(
                String.format("effconv: standard output could not be written: No space left on device%n"),
                said.toString(UTF_8));
        assertEquals(2, exitCode(2, "Input/output error"));
    }

    @Test
    void aReaderWhoHasSeenEnoughNeedsNoMessage() {
        assertEquals(1, exitCode(0, "Broken pipe"));
        assertEquals("", said.toString(UTF_8));
    }
}

package org.effconv.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.LoggerFactory;

class PrintableTest {
    private static final String NAME = "a\u001b[31m\u009b\u202e\u2028\r\u00e9";
    private static final String SHOWN = "a\\u001b[31m\\u009b\\u202e\\u2028\\u000d\u00e9";

    @Test
    void whatSteersATerminalIsShown() {
        StringWriter to = new StringWriter();
        PrintWriter out = new PrintWriter(new Printable(to));
        out.printf("%s\t%s%n", NAME, "two\nlines");
        out.write(NAME.toCharArray());
        out.write(0x1b);
        out.flush();
        assertEquals(SHOWN + "\ttwo\nlines\n" + SHOWN + "\\u001b", to.toString());
        assertEquals(SHOWN + "\\n", Printable.line(NAME + "\n"));
    }

    @Test
    void logAndTerminalShowIt(@TempDir Path folder) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        PrintStream before = System.err;
        System.setErr(new PrintStream(bytes, true, StandardCharsets.UTF_8));
        try {
            int code = Effconv.commandLine()
                    .execute("eval", folder.resolve("none" + NAME).toString());
            assertEquals(Effconv.BAD_INPUT, code);
            LoggerFactory.getLogger("test").warn("read {}\nINFO forged", NAME, new IllegalStateException(NAME));
            RunLog.attach(folder.resolve("log.txt"));
            RunLog.install(); // closes the file
        } finally {
            System.setErr(before);
        }
        for (String text :
                new String[] {bytes.toString(StandardCharsets.UTF_8), Files.readString(folder.resolve("log.txt"))}) {
            assertTrue(text.contains("read " + SHOWN + "\\nINFO forged"), text);
            assertTrue(text.contains("none" + SHOWN), text);
            assertFalse(text.contains("\u001b") || text.contains("\u202e"), text);
        }
    }
}

package org.effconv.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.effconv.error.EffconvException;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;
import picocli.CommandLine.Command;

class ExhaustedTest {
    /** Fails with what it is given. */
    @Command(name = "failing")
    private static final class Failing implements Callable<Integer> {
        private final Throwable failure;

        Failing(Throwable failure) {
            this.failure = failure;
        }

        @Override
        public Integer call() throws Exception {
            if (failure instanceof Error e) {
                throw e;
            }
            throw (Exception) failure;
        }
    }

    @Test
    void memoryThatRunsOutIsASentence() {
        String heap = failedWith(new OutOfMemoryError("Java heap space"));
        assertTrue(
                heap.matches(
                        "effconv: the memory of the JVM, \\d+ MiB of Java heap, is too small \\(Java heap space\\); expected more of it, "
                                + "as with EFFCONV_JAVA_OPTS=-Xmx\\d+m\\R"),
                heap);
        String inAThread =
                failedWith(new EffconvException("reading epoch 0 failed", new OutOfMemoryError("Java heap space")));
        assertEquals(heap, inAThread);
        String threads = failedWith(new OutOfMemoryError("unable to create native thread: possibly out of memory"));
        assertTrue(threads.contains("ulimit -u") && threads.lines().count() == 1, threads);
        String stack = failedWith(new StackOverflowError());
        assertTrue(stack.contains("-Xss16m") && stack.lines().count() == 1, stack);
    }

    private static String failedWith(Throwable failure) {
        StringWriter err = new StringWriter();
        CommandLine line =
                Effconv.commandLine().addSubcommand(new Failing(failure)).setErr(new PrintWriter(err));
        CommandLine failing = line.getSubcommands().get("failing");
        failing.setErr(new PrintWriter(err));
        failing.setExecutionExceptionHandler(line.getExecutionExceptionHandler());
        assertEquals(1, line.execute("failing"));
        return err.toString();
    }

    @Test
    void whatIsNoneOfThemIsLeft() {
        assertEquals(Optional.empty(), Exhausted.in(new IllegalStateException("x", new RuntimeException("y"))));
        Exception circle = new Exception("a");
        circle.initCause(new Exception("b", circle));
        assertEquals(Optional.empty(), Exhausted.in(circle));
    }
}

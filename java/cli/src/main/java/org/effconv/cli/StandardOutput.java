package org.effconv.cli;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.Charset;

/**
 * Standard output that remembers what went wrong: the writers above it would swallow it, and a full disk would pass for
 * a good end.
 */
final class StandardOutput extends FilterOutputStream {
    // Whoever read has seen enough, as in "| head": no reason for a message.
    private static final String NO_READER = "Broken pipe";

    private IOException failure;

    StandardOutput(OutputStream out) {
        super(out);
    }

    /** Takes the place of {@link System#out}, before anyone has taken hold of it. */
    static StandardOutput install() {
        StandardOutput output = new StandardOutput(new FileOutputStream(FileDescriptor.out));
        System.setOut(new PrintStream(output, true, Charset.defaultCharset()));
        return output;
    }

    @Override
    public void write(int b) throws IOException {
        write(new byte[] {(byte) b}, 0, 1);
    }

    @Override
    public void write(byte[] bytes, int from, int count) throws IOException {
        try {
            out.write(bytes, from, count);
        } catch (IOException e) {
            if (failure == null) {
                failure = e;
            }
            throw e;
        }
    }

    /**
     * The exit code of a command that ended with {@code code}: output that was lost is a failure, and said on
     * {@code err}.
     */
    int exitCode(int code, PrintStream err) {
        if (failure == null) {
            return code;
        }
        if (!NO_READER.equals(failure.getMessage())) {
            err.println("effconv: standard output could not be written: " + failure.getMessage());
        }
        return code == 0 ? Effconv.FAILED : code;
    }
}

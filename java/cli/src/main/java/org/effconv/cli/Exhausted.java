package org.effconv.cli;

import java.util.Optional;

/** Tells people what of the JVM's a command used up, and the way out. */
final class Exhausted {
    private static final long MIB = 1 << 20;
    private static final int MOST_CAUSES = 20; // of a chain that may be a circle

    private Exhausted() {}

    /** The error, if a failure is or comes from one. */
    static Optional<Error> in(Throwable failure) {
        Throwable t = failure;
        for (int i = 0; t != null && i < MOST_CAUSES; i++) {
            if (t instanceof OutOfMemoryError || t instanceof StackOverflowError) {
                return Optional.of((Error) t);
            }
            t = t.getCause();
        }
        return Optional.empty();
    }

    /** One sentence. */
    static String message(Error e) {
        long most = Runtime.getRuntime().maxMemory() / MIB;
        String detail = e.getMessage() == null ? "" : " (" + e.getMessage() + ")";
        if (e instanceof StackOverflowError) {
            return "the Java stack is too small for this input; expected more of it, as with EFFCONV_JAVA_OPTS=-Xss16m";
        } else if (detail.contains("native thread")) {
            return "the system starts no further thread for this process" + detail
                    + "; expected a higher limit of processes (ulimit -u, or the container's)";
        }
        return "the memory of the JVM, " + most + " MiB of Java heap, is too small" + detail
                + "; expected more of it, as with EFFCONV_JAVA_OPTS=-Xmx" + 2 * Math.max(most, 128) + "m";
    }
}

package org.effconv.cli;

import java.io.FilterWriter;
import java.io.IOException;
import java.io.Writer;
import java.util.Locale;

/**
 * Shows what would steer a terminal, or not be seen on it, as {@code \}{@code uXXXX}: names of files, classes and
 * architectures come from outside and may hold any character. What the command line prints passes through such a
 * writer.
 */
final class Printable extends FilterWriter {
    Printable(Writer to) {
        super(to);
    }

    /** As the writer does; lines and tabs stay. */
    static String text(CharSequence text) {
        StringBuilder shown = new StringBuilder(text.length());
        text.chars().forEach(c -> {
            if (c == '\n' || c == '\t' || !steers((char) c)) {
                shown.append((char) c);
            } else {
                shown.append(String.format(Locale.ROOT, "\\u%04x", c));
            }
        });
        return shown.toString();
    }

    /** A message of one line: what breaks lines is shown, too. */
    static String line(String message) {
        return text(message.replace("\n", "\\n"));
    }

    private static boolean steers(char c) {
        int type = Character.getType(c);
        return type == Character.CONTROL
                || type == Character.FORMAT
                || type == Character.LINE_SEPARATOR
                || type == Character.PARAGRAPH_SEPARATOR;
    }

    @Override
    public void write(int c) throws IOException {
        out.write(text(Character.toString((char) c)));
    }

    @Override
    public void write(char[] text, int from, int length) throws IOException {
        out.write(text(new String(text, from, length)));
    }

    @Override
    public void write(String text, int from, int length) throws IOException {
        out.write(text(text.substring(from, from + length)));
    }
}

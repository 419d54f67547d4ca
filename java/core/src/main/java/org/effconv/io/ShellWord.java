package org.effconv.io;

import java.util.regex.Pattern;

/** Words of a command that a user is told to type. */
public final class ShellWord {
    private static final Pattern PLAIN =
            Pattern.compile("[\\w@%+=:,./-]+", Pattern.UNICODE_CHARACTER_CLASS); // no letter that a shell would read

    private ShellWord() {}

    /** A text such that a shell reads it as one word: in quotes where that takes some. */
    public static String of(Object text) {
        String word = text.toString();
        return PLAIN.matcher(word).matches() ? word : "'" + word.replace("'", "'\\''") + "'";
    }
}

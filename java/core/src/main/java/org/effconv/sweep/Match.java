package org.effconv.sweep;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.effconv.error.EffconvException.InvalidInput;

/** What the networks of a sweep are given alike. */
public enum Match {
    /** All are trained for the sweep's epochs; what a search takes comes on top. */
    EPOCHS,
    /**
     * Those that {@linkplain Method#takesWork can} are trained for as much work as the learned one of their task,
     * budget and seed took in all.
     */
    WORK;

    static final String KEY = "match"; // in rows and sweep.json

    /** As users and files write it. */
    public String text() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** For headings: "at equal work". */
    public String title() {
        return "at equal " + text();
    }

    /** @throws InvalidInput if there is none of that name; {@code source} says where it stands */
    public static Match parse(String text, String source) {
        return Arrays.stream(values())
                .filter(m -> m.text().equals(text.strip().toLowerCase(Locale.ROOT)))
                .findFirst()
                .orElseThrow(() ->
                        new InvalidInput(source + " '" + text + "': expected one of " + String.join(", ", names())));
    }

    /** What a row says; rows of early sweeps, which do not, were made at equal epochs. */
    static Match of(ObjectNode row, String where) {
        return row.has(KEY) ? parse(row.path(KEY).asText(), where + ": " + KEY) : EPOCHS;
    }

    /** All of them, for messages. */
    public static List<String> names() {
        return Arrays.stream(values()).map(Match::text).toList();
    }
}

package org.effconv.sweep;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import org.effconv.EffconvException.InvalidInput;

/** Where the kernel sizes of a network in a sweep come from. */
public enum Method {
    LEARNED("sizes that a search found"),
    UNIFORM("one odd size for all layers: the one that meets the budget, or the two beside it"),
    MIXED("the mix of odd sizes nearest to uniform that meets the budget"),
    RANDOM("a draw from all odd sizes that meet the budget, each choice equally likely"),
    SHUFFLED("learned sizes, handed out to other layers and brought back to the budget"),
    SMALL_FIRST("sizes that rise with depth, at the budget"),
    LARGE_FIRST("sizes that fall with depth, at the budget"),
    ELASTIC("sizes that a search found with free tables for kernels and no size predictor"),
    FLEXCONV("continuous kernels with Gaussian masks of learned width, in training and use; its parameters are what it owns, whatever the budget");

    private final String description;

    Method(String description) {
        this.description = description;
    }

    /** As users and files write it: "small-first". */
    public String text() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    public String description() {
        return description;
    }

    /** Whether a search must have ended before the network can be trained. */
    public boolean searches() {
        return this == LEARNED || this == SHUFFLED || this == ELASTIC;
    }

    /**
     * @throws InvalidInput if there is no such method; {@code source} says where it stands
     */
    public static Method parse(String text, String source) {
        for (Method m : values()) {
            if (m.text().equals(text.strip().toLowerCase(Locale.ROOT))) {
                return m;
            }
        }
        throw new InvalidInput(source + " '" + text + "': expected some of " + names());
    }

    /** All of them, for messages. */
    public static String names() {
        return Arrays.stream(values()).map(Method::text).collect(Collectors.joining(", "));
    }

    /** All methods, in the order of tables. */
    public static List<Method> all() {
        return List.of(values());
    }

    @Override
    public String toString() {
        return text();
    }
}

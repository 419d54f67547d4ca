package org.effconv.sweep;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import org.effconv.Settings;
import org.effconv.error.EffconvException.InvalidInput;

/** Where the kernel sizes of a network in a sweep come from. */
public enum Method {
    LEARNED("sizes that a search found"),
    UNIFORM("one odd size for all layers: the one that meets the budget, or the two beside it"),
    MIXED("the mix of odd sizes nearest to uniform that meets the budget"),
    RANDOM("a draw from all odd sizes that meet the budget, each choice equally likely"),
    SHUFFLED("learned sizes, handed out to other layers and brought back to the budget"),
    SMALL_FIRST("sizes that rise with depth, at the budget"),
    LARGE_FIRST("sizes that fall with depth, at the budget"),
    TWO_STAGE("sizes that a search in two stages found, with predictors and a judge, otherwise as learned"),
    EFFCONV_PAPER(
            "sizes that a search in two stages found by the update of the paper: the gradient of class loss and budget, then rounded"),
    ELASTIC("sizes that a search in two stages found with free tables for kernels and no size predictor"),
    FLEXCONV(
            "continuous kernels with Gaussian masks of learned width, in training and use; its parameters are what it owns, whatever the budget");

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

    /** Whether its sizes come from a search. */
    public boolean searches() {
        return switch (this) {
            case LEARNED, SHUFFLED, TWO_STAGE, EFFCONV_PAPER, ELASTIC -> true;
            case UNIFORM, MIXED, RANDOM, SMALL_FIRST, LARGE_FIRST, FLEXCONV -> false;
        };
    }

    /**
     * Whether its networks can be trained for a given amount of work: their sizes, and so what a step takes, are known
     * beforehand.
     */
    public boolean takesWork() {
        return !searches() && this != FLEXCONV;
    }

    /**
     * What tells its search from others of the same task, budget and seed; "" for the one by the sweep's own settings,
     * which several share.
     */
    String searchVariant() {
        return this == LEARNED || this == SHUFFLED ? "" : text();
    }

    /** Settings of its search, from those of the sweep. */
    Settings search(Settings sweep) {
        Settings stages = sweep.with(Settings.FLOW, Settings.TWO_STAGES);
        return switch (this) {
            case LEARNED, SHUFFLED -> sweep;
            case TWO_STAGE -> stages;
            case EFFCONV_PAPER -> stages.with(Settings.PREDICTOR, "coordinate")
                    .with(Settings.SIZE_PREDICTOR, "gru")
                    .with(Settings.SIZE_UPDATE, "gradient")
                    .with(Settings.POLISH, 0)
                    .with(Settings.SPREAD, 0.0)
                    .with(Settings.CLOSING, 0.0);
            case ELASTIC -> stages.with(Settings.PREDICTOR, "elastic")
                    .with(Settings.SIZE_PREDICTOR, "none")
                    .with(Settings.SIZE_UPDATE, "steady");
            default -> throw new IllegalArgumentException(this + " has no search");
        };
    }

    /** @throws InvalidInput if there is no such method; {@code source} says where it stands */
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

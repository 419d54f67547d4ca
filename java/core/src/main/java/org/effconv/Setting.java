package org.effconv;

import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import org.effconv.error.EffconvException.InvalidInput;

/**
 * One thing a user can set. The same key serves everywhere: {@code --lr 0.01} on the command line,
 * {@code -Deffconv.lr=0.01} as a system property, {@code "lr": 0.01} in config.json, and the builders' methods.
 *
 * @param <T> String, Integer, Long, Double or Boolean
 */
public final class Setting<T> {
    // Java's own parser takes 1f, 1d and 0x1p3, too, which others would take for units or for mistakes.
    private static final Pattern DECIMAL = Pattern.compile("[+-]?(\\d+\\.?\\d*|\\.\\d+)([eE][+-]?\\d+)?");

    private final String key;
    private final T standard;
    private final String form;
    private final String description;
    private final Function<String, T> parser; // null or an exception means: not of the expected form
    private final boolean place;

    private Setting(String key, T standard, String form, String description, Function<String, T> parser) {
        this(key, standard, form, description, parser, false);
    }

    private Setting(
            String key, T standard, String form, String description, Function<String, T> parser, boolean place) {
        this.key = key;
        this.standard = standard;
        this.form = form;
        this.description = description;
        this.parser = parser;
        this.place = place;
    }

    static Setting<String> text(String key, String standard, String form, String description) {
        return new Setting<>(key, standard, form, description, s -> s.isBlank() ? null : s.strip());
    }

    /**
     * A file or folder: its absolute path, so that it stays the same wherever a run goes on. "x/.." stays as it is:
     * where x is a link, it is another folder than the one that x stands in.
     *
     * @param isName tells names, which stay as they are, from paths
     */
    static Setting<String> place(
            String key, String standard, Predicate<String> isName, String form, String description) {
        return new Setting<>(
                key,
                standard,
                form,
                description,
                s -> {
                    String text = s.strip();
                    return text.isEmpty()
                            ? null
                            : isName.test(text)
                                    ? text
                                    : Path.of(text).toAbsolutePath().toString();
                },
                true);
    }

    static Setting<String> choice(String key, String standard, String description, List<String> choices) {
        return new Setting<>(key, standard, "one of " + String.join(", ", choices), description, s -> {
            String lower = s.strip().toLowerCase(Locale.ROOT);
            return choices.contains(lower) ? lower : null;
        });
    }

    /** Text of a form that a regular expression describes. */
    static Setting<String> matching(String key, String standard, String form, String description, String expression) {
        return new Setting<>(key, standard, form, description, s -> {
            String lower = s.strip().toLowerCase(Locale.ROOT);
            return lower.matches(expression) ? lower : null;
        });
    }

    /** A number of bytes, with k, m or g behind it for powers of 1024. */
    static Setting<Long> bytes(String key, long standard, String description) {
        return new Setting<>(key, standard, "a number of bytes such as 20g, 512m or 1048576", description, s -> {
            String lower = s.strip().toLowerCase(Locale.ROOT);
            if (!lower.matches("[0-9]{1,18}[kmg]?")) {
                return null;
            }
            int shift =
                    switch (lower.charAt(lower.length() - 1)) {
                        case 'k' -> 10;
                        case 'm' -> 20;
                        case 'g' -> 30;
                        default -> 0;
                    };
            long number = Long.parseLong(shift == 0 ? lower : lower.substring(0, lower.length() - 1));
            return number <= Long.MAX_VALUE >> shift ? (Long) (number << shift) : null;
        });
    }

    /** The same setting, as one that does not count for what a run is. */
    Setting<T> asPlace() {
        return new Setting<>(key, standard, form, description, parser, true);
    }

    static Setting<Integer> integer(String key, int standard, int least, int most, String description) {
        String form = most == Integer.MAX_VALUE
                ? "an integer of at least " + least
                : "an integer from " + least + " to " + most;
        return new Setting<>(key, standard, form, description, s -> {
            int i = Integer.parseInt(s.strip());
            return i >= least && i <= most ? i : null;
        });
    }

    static Setting<Long> seed(String key, long standard, String description) {
        return new Setting<>(key, standard, "an integer of 64 bits", description, s -> Long.parseLong(s.strip()));
    }

    /** A number in [least, most], or in (least, most] or [least, most) where an end is left out. */
    static Setting<Double> number(String key, double standard, Range range, String description) {
        return new Setting<>(key, standard, "a number " + range, description, s -> {
            if (!DECIMAL.matcher(s.strip()).matches()) {
                return null;
            }
            double d = Double.parseDouble(s.strip());
            return range.holds(d) ? d : null;
        });
    }

    static Setting<Boolean> flag(String key, boolean standard, String description) {
        return new Setting<>(key, standard, "true or false", description, s -> switch (s.strip()
                .toLowerCase(Locale.ROOT)) {
            case "true" -> true;
            case "false" -> false;
            default -> null;
        });
    }

    /** The numbers a setting accepts. */
    record Range(double least, boolean leastIncluded, double most, boolean mostIncluded) {
        static Range above(double least) {
            return new Range(least, false, Double.POSITIVE_INFINITY, false);
        }

        static Range atLeast(double least) {
            return new Range(least, true, Double.POSITIVE_INFINITY, false);
        }

        static Range fromBelow(double least, double most) {
            return new Range(least, true, most, false);
        }

        static Range aboveTo(double least, double most) {
            return new Range(least, false, most, true);
        }

        boolean holds(double d) {
            return (leastIncluded ? d >= least : d > least) && (mostIncluded ? d <= most : d < most);
        }

        @Override
        public String toString() {
            String low = (leastIncluded ? "of at least " : "above ") + least;
            return most == Double.POSITIVE_INFINITY
                    ? low
                    : low + (mostIncluded ? " and at most " : " and below ") + most;
        }
    }

    /** Flag without its dashes; property without "effconv."; key of config.json. */
    public String key() {
        return key;
    }

    public String property() {
        return Settings.PROPERTIES + key;
    }

    /** The value where nobody set one. */
    public T standard() {
        return standard;
    }

    /** What values look like, in words. */
    public String form() {
        return form;
    }

    public String description() {
        return description;
    }

    public boolean isFlag() {
        return standard instanceof Boolean;
    }

    /**
     * Whether the value says where something lies or how it is read: what counts for a run is what lies there, and it
     * may be moved.
     */
    public boolean isPlace() {
        return place;
    }

    /**
     * @param source names where the text stands ("--lr", "config.json: lr")
     * @throws InvalidInput naming source, value and what was expected
     */
    public T parse(String text, String source) {
        T value;
        try {
            value = parser.apply(text);
        } catch (NumberFormatException | InvalidPathException e) {
            value = null; // the message below says it better
        }
        if (value == null) {
            throw new InvalidInput(source + " '" + text + "': expected " + form);
        }
        return value;
    }

    @Override
    public String toString() {
        return key;
    }
}

package org.effconv.size;

import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.effconv.EffconvException.InvalidInput;

/**
 * What the user asks the network to cost, before it is known which network.
 *
 * @param kind  how {@code value} is meant
 * @param value parameters, a ratio, or a size; 0 for AUTO
 * @param text  as the user wrote it, for messages
 */
public record Budget(Kind kind, double value, String text) {
    /** How a budget is expressed. */
    public enum Kind {
        /** A number of parameters: 123456, 120k, 1.2M. */
        PARAMETERS,
        /** A multiple of the network's count with size 3 in every layer: 1.5x. */
        RATIO,
        /** The network's count with this size in every layer: k5. */
        UNIFORM,
        /** No target: parameters have a price, and sizes settle where another ring does not pay. */
        AUTO
    }

    private static final Pattern NUMBER = Pattern.compile("(\\d+(?:\\.\\d+)?)([km]?)");
    private static final Pattern RATIO = Pattern.compile("(\\d+(?:\\.\\d+)?)x");
    private static final Pattern UNIFORM = Pattern.compile("k(\\d{1,2})");
    private static final String FORMS =
            "a number of parameters (120k, 1.2M, 123456), a ratio to uniform size 3 (1.5x), a uniform size (k5), or auto";

    /**
     * @throws InvalidInput if the text is none of the forms
     */
    public static Budget parse(String text) {
        String s = text.strip().toLowerCase(Locale.ROOT);
        if (s.equals("auto")) {
            return new Budget(Kind.AUTO, 0, text);
        }
        Matcher m = UNIFORM.matcher(s);
        if (m.matches()) {
            int size = Integer.parseInt(m.group(1));
            if (size < 1 || size > ParameterCount.LARGEST_SIZE || size % 2 == 0) {
                throw new InvalidInput("budget '" + text + "': uniform size " + size + "; expected an odd number from 1 to "
                        + ParameterCount.LARGEST_SIZE);
            }
            return new Budget(Kind.UNIFORM, size, text);
        }
        m = RATIO.matcher(s);
        if (m.matches()) {
            return new Budget(Kind.RATIO, positive(m.group(1), text), text);
        }
        m = NUMBER.matcher(s);
        if (m.matches()) {
            double unit = m.group(2).equals("k") ? 1e3 : m.group(2).equals("m") ? 1e6 : 1;
            return new Budget(Kind.PARAMETERS, unit * positive(m.group(1), text), text);
        }
        throw new InvalidInput("budget '" + text + "': expected " + FORMS);
    }

    private static double positive(String number, String text) {
        double value = Double.parseDouble(number);
        if (value == 0) {
            throw new InvalidInput("budget '" + text + "': expected a number above 0");
        }
        return value;
    }

    /** True if there is a number of parameters to meet. */
    public boolean hasTarget() {
        return kind != Kind.AUTO;
    }

    /**
     * P* for a network; NaN for AUTO.
     *
     * @throws InvalidInput if no sizes of this network can meet it; the message gives both limits
     */
    public double target(ParameterCount count) {
        double target = switch (kind) {
            case PARAMETERS -> value;
            case RATIO -> value * count.uniform(3);
            case UNIFORM -> count.uniform((int) value);
            case AUTO -> Double.NaN;
        };
        long smallest = count.plan().leastParameters();
        long largest = count.plan().mostParameters();
        if (target < smallest || target > largest) {
            throw new InvalidInput(String.format(Locale.ROOT,
                    "budget '%s' means %,.0f parameters; this network owns %,d with all sizes 1 and %,d with all sizes at kmax: "
                            + "expected a number between them", text, target, smallest, largest));
        }
        return target;
    }

    @Override
    public String toString() {
        return text;
    }
}

package org.effconv.cost;

import java.util.Locale;
import java.util.function.IntToDoubleFunction;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.effconv.error.EffconvException.InvalidInput;

/**
 * What the user asks the network to cost, before it is known which network.
 *
 * @param form how {@code value} is meant
 * @param value an amount in the cost's unit, a ratio, or a size; 0 for AUTO
 * @param cost what is counted
 * @param text as the user wrote it, for messages
 */
public record Budget(Form form, double value, Cost.Kind cost, String text) {
    /** The setting that leaves the kind of cost to the budget's unit. */
    public static final String BY_UNIT = "auto";

    /** How a budget is expressed. */
    public enum Form {
        /** An amount: 123456, 120k, 1.2M parameters; 30MMAC; 4.2ms. */
        AMOUNT,
        /** A multiple of what the network costs with size 3 in every layer: 1.5x. */
        RATIO,
        /** What the network costs with this size in every layer: k5. */
        UNIFORM,
        /** As little as serves as well as this size in every layer: as-good-as:k5. */
        AS_GOOD_AS,
        /** No target: the cost has a price, and sizes settle where another ring does not pay. */
        AUTO
    }

    private static final String DECIMAL = "(\\d+(?:\\.\\d+)?)";
    private static final Pattern COUNT = Pattern.compile(DECIMAL + "\\s?([kmg]?)(macs?)?");
    private static final Pattern TIME = Pattern.compile(DECIMAL + "\\s?(us|ms|s)");
    private static final Pattern RATIO = Pattern.compile(DECIMAL + "x");
    private static final Pattern UNIFORM = Pattern.compile("(as-good-as:)?k(\\d{1,2})");
    private static final String FORMS =
            "a number of parameters (120k, 1.2M, 123456) or of multiply-adds (30MMAC), a time (4.2ms), "
                    + "a ratio to uniform size 3 (1.5x), a uniform size (k5), the least that is as good as one (as-good-as:k5), or auto";

    /** An amount of what a cost counts. */
    public static Budget of(Cost cost, double amount) {
        return new Budget(Form.AMOUNT, amount, cost.kind(), cost.kind().format(amount));
    }

    /** A budget whose unit says what it counts; parameters where it has none. */
    public static Budget parse(String text) {
        return parse(text, BY_UNIT);
    }

    /**
     * @param cost a {@link Cost.Kind#key}, or {@link #BY_UNIT}
     * @throws InvalidInput if the text is none of the forms, or its unit is not of that cost
     */
    public static Budget parse(String text, String cost) {
        if (BudgetRange.isRange(text)) {
            throw new InvalidInput("budget '" + text
                    + "' is a range: expected one budget here; 'effconv search' learns sizes for a range, "
                    + "'effconv sizes' then tells those of a budget in it");
        }
        Cost.Kind asked = cost.equals(BY_UNIT) ? null : Cost.Kind.of(cost);
        Cost.Kind kind = asked == null ? Cost.Kind.PARAMETERS : asked;
        String s = text.strip().toLowerCase(Locale.ROOT);
        if (s.equals("auto")) {
            return new Budget(Form.AUTO, 0, kind, text);
        }
        Matcher m = UNIFORM.matcher(s);
        if (m.matches()) {
            // What a network takes to serve is its multiply-adds; a size alone stands for parameters, as the paper's
            // budgets do.
            return m.group(1) == null
                    ? new Budget(Form.UNIFORM, size(m.group(2), text), kind, text)
                    : new Budget(
                            Form.AS_GOOD_AS,
                            size(m.group(2), text),
                            asked == null ? Cost.Kind.MULTIPLY_ADDS : asked,
                            text);
        }
        m = RATIO.matcher(s);
        if (m.matches()) {
            return new Budget(Form.RATIO, positive(m.group(1), text), kind, text);
        }
        m = TIME.matcher(s);
        if (m.matches()) {
            requireUnit(Cost.Kind.LATENCY, asked, text);
            return new Budget(
                    Form.AMOUNT, milliseconds(m.group(2)) * positive(m.group(1), text), Cost.Kind.LATENCY, text);
        }
        m = COUNT.matcher(s);
        if (m.matches()) {
            double value = scale(m.group(2)) * positive(m.group(1), text);
            if (m.group(3) != null) {
                kind = Cost.Kind.MULTIPLY_ADDS;
            }
            requireUnit(kind, asked, text);
            if (kind == Cost.Kind.LATENCY) {
                throw new InvalidInput(
                        "budget '" + text + "' of latency has no unit: expected a time in us, ms or s (4.2ms)");
            }
            return new Budget(Form.AMOUNT, value, kind, text);
        }
        throw new InvalidInput("budget '" + text + "': expected " + FORMS);
    }

    private static void requireUnit(Cost.Kind found, Cost.Kind asked, String text) {
        if (asked != null && asked != found) {
            String expected =
                    switch (asked) {
                        case PARAMETERS -> "a number of parameters (120k)";
                        case MULTIPLY_ADDS -> "a number of multiply-adds (30MMAC)";
                        case LATENCY -> "a time (4.2ms)";
                    };
            throw new InvalidInput("budget '" + text + "' is one of " + found.key() + ", and cost '" + asked.key()
                    + "' was asked for: expected " + expected
                    + ", a ratio to uniform size 3 (1.5x), a uniform size (k5), or auto");
        }
    }

    private static int size(String digits, String text) {
        int size = Integer.parseInt(digits);
        if (size < 1 || size > Cost.LARGEST_SIZE || size % 2 == 0) {
            throw new InvalidInput("budget '" + text + "': uniform size " + size + "; expected an odd number from 1 to "
                    + Cost.LARGEST_SIZE);
        }
        return size;
    }

    private static double scale(String prefix) {
        return switch (prefix) {
            case "k" -> 1e3;
            case "m" -> 1e6;
            case "g" -> 1e9;
            default -> 1;
        };
    }

    private static double milliseconds(String unit) {
        return switch (unit) {
            case "us" -> 1e-3;
            case "s" -> 1e3;
            default -> 1;
        };
    }

    private static double positive(String number, String text) {
        double value = Double.parseDouble(number);
        if (value == 0) {
            throw new InvalidInput("budget '" + text + "': expected a number above 0");
        }
        return value;
    }

    /** True if there is a cost to meet, or not to exceed. */
    public boolean hasTarget() {
        return form != Form.AUTO;
    }

    /** True if the least cost is asked for at which a network is as good as a uniform one. */
    public boolean asGoodAs() {
        return form == Form.AS_GOOD_AS;
    }

    /**
     * The amount that this budget means: for AS_GOOD_AS the most, what the uniform network costs; NaN for AUTO.
     *
     * @param uniform what the network costs with one size in every layer
     */
    public double amount(IntToDoubleFunction uniform) {
        return switch (form) {
            case AMOUNT -> value;
            case RATIO -> value * uniform.applyAsDouble(3);
            case UNIFORM, AS_GOOD_AS -> uniform.applyAsDouble((int) value);
            case AUTO -> Double.NaN;
        };
    }

    /**
     * P* for a network; NaN for AUTO.
     *
     * @param of the network's cost, of this budget's kind
     * @throws InvalidInput if no sizes of this network can meet it; the message gives both limits
     */
    public double target(Cost of) {
        if (of.kind() != cost) {
            throw new IllegalArgumentException("budget '" + text + "' of " + cost.key() + " for a cost of "
                    + of.kind().key());
        }
        double target = amount(of::uniform);
        double smallest = of.uniform(1);
        double largest = of.at(of.plan().largestSizes());
        if (target < smallest || target > largest) {
            throw new InvalidInput(String.format(
                    Locale.ROOT,
                    "budget '%s' means %s; this network costs %s with all sizes 1 and %s with all sizes at kmax: "
                            + "expected a number between them",
                    text,
                    cost.format(target),
                    cost.format(smallest),
                    cost.format(largest)));
        }
        return target;
    }

    @Override
    public String toString() {
        return text;
    }
}

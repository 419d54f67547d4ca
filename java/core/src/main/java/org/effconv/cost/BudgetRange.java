package org.effconv.cost;

import java.util.Locale;
import org.effconv.error.EffconvException.InvalidInput;

/**
 * A range of budgets that one search serves: {@code any:k3..k7}, {@code any:100k..300k}, or {@code any} for k3..k7.
 *
 * @param low its smaller end
 * @param high its larger end, of the same kind of cost
 * @param text as the user wrote it, for messages
 */
public record BudgetRange(Budget low, Budget high, String text) {
    private static final String WORD = "any";
    private static final String STANDARD = "k3..k7";

    /** Whether a budget's text means a range. */
    public static boolean isRange(String text) {
        String s = text.strip().toLowerCase(Locale.ROOT);
        return s.equals(WORD) || s.startsWith(WORD + ":");
    }

    /**
     * @param cost a {@link Cost.Kind#key}, or {@link Budget#BY_UNIT}
     * @throws InvalidInput if the text is no range, or an end of it no budget of that cost
     */
    public static BudgetRange parse(String text, String cost) {
        String s = text.strip();
        String[] ends = (s.length() == WORD.length() ? STANDARD : s.substring(Math.min(s.length(), WORD.length() + 1)))
                .split("\\.\\.", -1);
        if (!isRange(text) || ends.length != 2) {
            throw new InvalidInput(
                    "budget '" + text
                            + "': expected a range of budgets, any (k3 to k7) or any:FROM..TO, as any:k3..k7 or any:100k..300k");
        }
        Budget low = Budget.parse(ends[0], cost);
        Budget high = Budget.parse(ends[1], cost);
        if (!low.hasTarget() || !high.hasTarget() || low.asGoodAs() || high.asGoodAs()) {
            throw new InvalidInput("budget '" + text
                    + "': a range cannot end in auto or as-good-as; expected two numbers, ratios or sizes");
        }
        if (low.cost() != high.cost()) {
            throw new InvalidInput(
                    "budget '" + text + "': " + low + " is one of " + low.cost().key() + " and " + high + " one of "
                            + high.cost().key() + "; expected one kind");
        }
        return new BudgetRange(low, high, text);
    }

    /** What is counted. */
    public Cost.Kind cost() {
        return low.cost();
    }

    /**
     * Both ends for a network.
     *
     * @throws InvalidInput if no sizes of this network can meet one of them, or the first is not below the second
     */
    public double[] targets(Cost of) {
        double[] targets = {low.target(of), high.target(of)};
        if (!(targets[0] < targets[1])) {
            throw new InvalidInput("budget '" + text + "' means " + of.kind().format(targets[0]) + " to "
                    + of.kind().format(targets[1]) + "; expected the smaller end first");
        }
        return targets;
    }

    @Override
    public String toString() {
        return text;
    }
}

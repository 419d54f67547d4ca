package org.effconv.train;

import java.util.List;
import java.util.Locale;
import org.effconv.error.EffconvException.InvalidInput;

/**
 * The learning rate over a run, as a factor on the peak rate. A linear warm-up over the first part of the run comes
 * before every kind.
 *
 * @param kind what follows the warm-up
 * @param warmup fraction of the run, 0 or more and below 1
 * @param milestones STEP: fractions of the run, ascending, at each of which the rate is multiplied by {@code decay}
 * @param decay STEP: factor per milestone
 */
public record Schedule(Kind kind, double warmup, List<Double> milestones, double decay) {
    /** COSINE falls to zero along half a cosine; STEP falls at milestones; CONSTANT stays. */
    public enum Kind {
        COSINE,
        STEP,
        CONSTANT
    }

    /** @throws InvalidInput if a fraction is out of range */
    public Schedule {
        if (!(warmup >= 0 && warmup < 1)) {
            throw new InvalidInput("warm-up " + warmup + ": expected a fraction of the run, 0 or more and below 1");
        }
        double previous = 0;
        for (double m : milestones) {
            if (!(m > previous && m < 1)) {
                throw new InvalidInput(
                        "milestones " + milestones + ": expected ascending fractions of the run between 0 and 1");
            }
            previous = m;
        }
        milestones = List.copyOf(milestones);
    }

    public static Schedule cosine(double warmup) {
        return new Schedule(Kind.COSINE, warmup, List.of(), 1);
    }

    /** A tenth of the rate after half and again after three quarters of the run. */
    public static Schedule step(double warmup) {
        return new Schedule(Kind.STEP, warmup, List.of(0.5, 0.75), 0.1);
    }

    public static Schedule constant(double warmup) {
        return new Schedule(Kind.CONSTANT, warmup, List.of(), 1);
    }

    /** @throws InvalidInput if the name is none of cosine, step, constant */
    public static Schedule named(String name, double warmup) {
        return switch (name.toLowerCase(Locale.ROOT)) {
            case "cosine" -> cosine(warmup);
            case "step" -> step(warmup);
            case "constant" -> constant(warmup);
            default -> throw new InvalidInput("schedule '" + name + "': expected cosine, step or constant");
        };
    }

    /** Factor for step {@code step} (from 0) of a run of {@code total}; above 0 at every step of the run. */
    public double factor(long step, long total) {
        double warm = warmup * total;
        if (step < warm) {
            return Math.min(1, (step + 1) / warm);
        }
        return switch (kind) {
            case CONSTANT -> 1;
            case COSINE -> 0.5 * (1 + Math.cos(Math.PI * (step - warm) / (total - warm)));
            case STEP -> Math.pow(
                    decay, milestones.stream().filter(m -> step >= m * total).count());
        };
    }
}

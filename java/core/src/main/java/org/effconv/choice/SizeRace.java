package org.effconv.choice;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;
import org.effconv.error.EffconvException.JobFailed;

/**
 * The choice among a few candidates by how they begin to learn: each is trained from the first step of the one schedule
 * on, on the same batches; after a first, short heat the most trusted one and the best of the others go on, after the
 * last heat one of them. Nothing of what it has computed is lost: its training just goes on.
 *
 * <p>A heat's loss is the mean over the second half of all steps so far. Candidates stand in the order of trust: of
 * those that the best is not {@linkplain #CLEARLY clearly} ahead of the first one wins. What learns a little faster at
 * first is not always better in the end.
 */
public final class SizeRace {
    /** Go on after the first heat. */
    static final int FINALISTS = 2;

    /** Part of the loss by which the best must be ahead of a candidate that stands before it. */
    static final double CLEARLY = 0.005;

    /**
     * By how much slower a candidate of the reference's cost may be and still count as good as it; the less a candidate
     * costs the less: small networks begin as well as larger ones and are behind in the end (docs/design/method.md).
     */
    static final double SLOWER = 0.3;

    /** Trains candidates. */
    @FunctionalInterface
    public interface Runner {
        /**
         * @param candidate its number
         * @param steps that it has been trained for afterwards, more than at the call before
         * @return the class losses of its steps so far, in order, at least that many
         * @throws JobFailed if its loss is no longer finite
         */
        double[] train(int candidate, int steps);
    }

    /**
     * How a candidate fared.
     *
     * @param steps that it was trained for
     * @param loss of its last heat; NaN if it could not be trained
     */
    public record Entry(int steps, double loss) {}

    /**
     * @param winner its number
     * @param entries one per candidate
     */
    public record Result(int winner, List<Entry> entries) {}

    private final Runner runner;
    private final Entry[] entries;
    private double[] losses; // of the one trained last
    private JobFailed failure; // the last one

    private SizeRace(int candidates, Runner runner) {
        this.runner = runner;
        entries = new Entry[candidates];
    }

    /**
     * @param candidates how many there are, at least one
     * @param heats steps after which candidates are compared, rising, at least one
     * @throws JobFailed if none can be trained
     */
    public static Result run(int candidates, int[] heats, Runner runner) {
        SizeRace race = new SizeRace(candidates, runner);
        List<Integer> running = IntStream.range(0, candidates).boxed().toList();
        for (int h = 0; h < heats.length && (h == 0 || running.size() > 1); h++) {
            running = race.heat(running, heats[h], h == heats.length - 1 ? 1 : FINALISTS);
        }
        int winner = running.get(0);
        return new Result(winner, List.of(race.entries));
    }

    /**
     * The cheapest candidate that begins to learn as well as the first: found by halving, so that few are trained. It
     * takes for granted that what costs more learns no worse.
     *
     * @param costs of the candidates, without what sizes do not change; the first is the reference, the others stand in
     *     rising order
     * @param steps after which they are compared
     * @return the reference wins if no other is as good; a candidate that was not tried has 0 steps
     * @throws JobFailed if the reference cannot be trained
     */
    public static Result cheapest(double[] costs, int steps, Runner runner) {
        int candidates = costs.length;
        SizeRace race = new SizeRace(candidates, runner);
        Arrays.fill(race.entries, new Entry(0, Double.NaN));
        race.entries[0] = race.entry(0, steps);
        if (Double.isNaN(race.entries[0].loss)) {
            throw race.failure;
        }
        double[] reference = race.losses;
        int bad = 0; // all up to here, but the reference
        int good = candidates; // all from here on
        while (good - bad > 1) {
            int tried = (bad + good) / 2;
            race.entries[tried] = race.entry(tried, steps);
            if (speed(reference, race.entries[tried].loss, steps) >= asGood(costs[tried] / costs[0])) {
                good = tried;
            } else {
                bad = tried;
            }
        }
        return new Result(good == candidates ? 0 : good, List.of(race.entries));
    }

    /**
     * The speed at which a candidate counts as good as the reference; by what its sizes cost, in what the reference's
     * do.
     */
    static double asGood(double cost) {
        return 1 - SLOWER * (1 + Math.log(cost));
    }

    /**
     * How fast a candidate learns, in the reference's speed: at which part of the steps the reference had the loss that
     * the candidate has after all of them; 1 if it has not got there yet. Losses themselves do not compare: a tenth is
     * one step in one dataset and ten in another.
     */
    static double speed(double[] reference, double loss, int steps) {
        int before = steps;
        while (before > 0 && !(loss <= mean(reference, before))) {
            before--;
        }
        return (double) before / steps;
    }

    /** What candidates are compared by after so many steps: the mean loss over the second half of them. */
    public static double mean(double[] losses, int steps) {
        return DoubleStream.of(Arrays.copyOfRange(losses, steps / 2, steps))
                .average()
                .orElseThrow();
    }

    private List<Integer> heat(List<Integer> running, int steps, int most) {
        running.forEach(candidate -> entries[candidate] = entry(candidate, steps));
        List<Integer> ranked = new ArrayList<>(running);
        ranked.removeIf(candidate -> Double.isNaN(entries[candidate].loss));
        if (ranked.isEmpty()) {
            throw failure;
        }
        ranked.sort(Comparator.comparingDouble(candidate -> entries[candidate].loss));
        double best = entries[ranked.get(0)].loss;
        if (most > 1) { // a short heat is no reason to drop the most trusted one
            int first = Collections.min(ranked);
            ranked.remove((Integer) first);
            ranked.add(0, first);
        }
        return most > 1
                ? ranked.subList(0, Math.min(most, ranked.size()))
                : ranked.stream()
                        .filter(candidate -> (1 - CLEARLY) * entries[candidate].loss <= best)
                        .min(Comparator.naturalOrder())
                        .map(List::of)
                        .orElseThrow();
    }

    private Entry entry(int candidate, int steps) {
        try {
            losses = runner.train(candidate, steps);
            return new Entry(steps, mean(losses, steps));
        } catch (JobFailed e) {
            failure = e;
            return new Entry(steps, Double.NaN);
        }
    }

    /**
     * Steps of the heats that a number of steps pays for, all but the winner's taken together.
     *
     * @param candidates how many there are
     * @param steps to spend on those that lose
     * @param total of the whole training
     * @return one or two, rising; the first of them at least 1
     */
    public static int[] heats(int candidates, double steps, long total) {
        if (candidates <= FINALISTS) {
            return new int[] {(int) Math.max(1, Math.min(total, Math.floor(steps)))};
        }
        double first = steps / (candidates - FINALISTS + LONGER); // the losers of the first heat, and that of the last
        int one = (int) Math.max(1, Math.min(total, Math.floor(first)));
        return new int[] {one, (int) Math.max(one, Math.min(total, Math.floor(LONGER * first)))};
    }

    private static final double LONGER = 4; // the last heat, as a multiple of the first
}

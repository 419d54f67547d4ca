package org.effconv.size;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;
import org.effconv.EffconvException.JobFailed;

/**
 * The choice among a few candidates by how they begin to learn: each is trained from the first step of the one schedule on, on the same batches; after
 * a first heat the {@value #FINALISTS} with the smallest loss go on, after the last heat one of them. Nothing of what it has computed is lost: its
 * training just goes on.
 *
 * <p>A heat's loss is the mean over the second half of all steps so far. The first candidate, the plain one, stays unless the best is {@linkplain
 * #CLEARLY clearly} ahead of it: what learns a little faster at first is not always better in the end.
 */
public final class SizeRace {
    /** Go on after the first heat. */
    static final int FINALISTS = 2;

    /** Part of the loss by which the best must be ahead of the plain candidate. */
    static final double CLEARLY = 0.005;

    /** Trains candidates. */
    @FunctionalInterface
    public interface Runner {
        /**
         * @param candidate its number
         * @param steps     that it has been trained for afterwards, more than at the call before
         * @return the class losses of its steps so far, in order, at least that many
         * @throws JobFailed if its loss is no longer finite
         */
        double[] train(int candidate, int steps);
    }

    /**
     * How a candidate fared.
     *
     * @param steps that it was trained for
     * @param loss  of its last heat; NaN if it could not be trained
     */
    public record Entry(int steps, double loss) {}

    /**
     * @param winner  its number
     * @param entries one per candidate
     */
    public record Result(int winner, List<Entry> entries) {}

    private final Runner runner;
    private final Entry[] entries;
    private JobFailed failure; // the last one

    private SizeRace(int candidates, Runner runner) {
        this.runner = runner;
        entries = new Entry[candidates];
    }

    /**
     * @param candidates how many there are, at least one; the first is the plain one
     * @param heats      steps after which candidates are compared, rising, at least one
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

    private List<Integer> heat(List<Integer> running, int steps, int most) {
        running.forEach(candidate -> entries[candidate] = entry(candidate, steps));
        List<Integer> ranked = new ArrayList<>(running);
        ranked.removeIf(candidate -> Double.isNaN(entries[candidate].loss));
        if (ranked.isEmpty()) {
            throw failure;
        }
        ranked.sort(Comparator.comparingDouble(candidate -> entries[candidate].loss));
        boolean plainStays = most == 1 && ranked.contains(0) && entries[ranked.get(0)].loss > (1 - CLEARLY) * entries[0].loss;
        return plainStays ? List.of(0) : ranked.subList(0, Math.min(most, ranked.size()));
    }

    private Entry entry(int candidate, int steps) {
        try {
            double[] losses = runner.train(candidate, steps);
            return new Entry(steps, DoubleStream.of(Arrays.copyOfRange(losses, steps / 2, steps)).average().orElseThrow());
        } catch (JobFailed e) {
            failure = e;
            return new Entry(steps, Double.NaN);
        }
    }

    /**
     * Steps of the heats that a number of steps pays for, all but the winner's taken together.
     *
     * @param candidates how many there are
     * @param steps      to spend on those that lose
     * @param total      of the whole training
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

    private static final double LONGER = 2.5; // the last heat, as a multiple of the first
}

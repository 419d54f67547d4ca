package org.effconv.benchmark;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.LongPredicate;
import java.util.stream.LongStream;
import org.effconv.backend.Backend;
import org.effconv.nn.NetworkPlan;
import org.effconv.predict.SearchSettings;
import org.effconv.train.OptimizerSettings;
import org.effconv.train.TrainedWeights;

/**
 * What a search step costs over a plain step of the uniform size that it starts at: all steps of a whole short search,
 * and plain steps between them, by the processor time of the calling thread, which other jobs on the machine hardly
 * change. A search of few steps holds the same parts as a long one; its sizes hardly travel.
 *
 * <p>The search is run several times, with the same draws, and of each step the quickest run counts: the first one also
 * compiles convolutions, and what else a machine does makes steps longer and never shorter.
 */
public final class SearchStepBenchmark {
    private static final int SEARCH_STEPS_PER_PLAIN = 2;

    private final int steps;
    private final int rounds;
    private final OptimizerSettings optimizer;

    /**
     * @param steps of a search
     * @param rounds how often it is run
     * @param optimizer of both sides; a search by the gradient also moves its sizes by it
     */
    public SearchStepBenchmark(int steps, int rounds, OptimizerSettings optimizer) {
        this.steps = steps;
        this.rounds = rounds;
        this.optimizer = optimizer;
    }

    /**
     * Ratios of a search's mean step to a plain one, over its parts (NaN where the search has no such part) and in all.
     *
     * @param plainSeconds a plain step
     * @param first while sizes stand at their start
     * @param between while they move
     * @param last while they stand at what was found
     * @param whole over all steps
     * @param multiplyAdds the same of the multiply-adds, spare rings included
     */
    public record Result(
            StepCase test,
            double plainSeconds,
            double first,
            double between,
            double last,
            double whole,
            double multiplyAdds) {
        public static String heading() {
            return String.format(
                    Locale.ROOT,
                    "%-24s %10s %7s %7s %7s %7s %14s%n",
                    "search steps",
                    "plain, ms",
                    "first",
                    "between",
                    "last",
                    "whole",
                    "multiply-adds");
        }

        public String line() {
            return String.format(
                    Locale.ROOT,
                    "%-24s %10.2f %7.3f %7.3f %7.3f %7.3f %14.3f%n",
                    test.name() + " " + test.typeName(),
                    plainSeconds * 1e3,
                    first,
                    between,
                    last,
                    whole,
                    multiplyAdds);
        }
    }

    public static double geometricMean(List<Result> results) {
        return Math.exp(
                results.stream().mapToDouble(r -> Math.log(r.whole)).average().orElse(Double.NaN));
    }

    /** On a CPU of one thread. */
    public Result measure(Backend backend, StepCase test, SearchSettings settings) {
        NetworkPlan plan = test.plan();
        double[] search = new double[steps];
        double[] work = new double[steps];
        double[] plain = new double[(steps + SEARCH_STEPS_PER_PLAIN - 1) / SEARCH_STEPS_PER_PLAIN];
        Arrays.fill(search, Double.POSITIVE_INFINITY);
        Arrays.fill(plain, Double.POSITIVE_INFINITY);
        double plainWork;
        try (StepRun uniform = new StepRun(
                backend,
                plan,
                test.type(),
                test.batch(),
                new TrainedWeights(backend, plan, plan.uniformSizes(test.kernel()), test.type(), 1),
                optimizer,
                0,
                steps)) {
            uniform.run();
            plainWork = uniform.multiplyAdds();
            for (int round = 0; round < rounds; round++) {
                try (StepRun run = new StepRun(
                        backend,
                        plan,
                        test.type(),
                        test.batch(),
                        StepRun.search(backend, plan, test.kernel(), settings),
                        optimizer,
                        0,
                        steps)) {
                    for (int i = 0; i < steps; i++) {
                        search[i] = Math.min(search[i], seconds(run));
                        work[i] = run.multiplyAdds();
                        if (i % SEARCH_STEPS_PER_PLAIN == 0) {
                            int p = i / SEARCH_STEPS_PER_PLAIN;
                            plain[p] = Math.min(plain[p], seconds(uniform));
                        }
                    }
                }
            }
        }
        double one = Arrays.stream(plain).average().orElseThrow();
        double closing = settings.update() == SearchSettings.Update.STEADY ? settings.closing() : 0;
        double begin = settings.frozen() * steps;
        double end = (1 - closing) * steps;
        return new Result(
                test,
                one,
                mean(search, i -> i < begin) / one,
                mean(search, i -> i >= begin && i < end) / one,
                mean(search, i -> i >= end) / one,
                mean(search, i -> true) / one,
                mean(work, i -> true) / plainWork);
    }

    private static double mean(double[] values, LongPredicate which) {
        return LongStream.range(0, values.length)
                .filter(which)
                .mapToDouble(i -> values[(int) i])
                .average()
                .orElse(Double.NaN);
    }

    private static double seconds(StepRun run) {
        return Clock.THREAD.seconds(run::run, 1);
    }
}

package org.effconv.benchmark;

import java.util.ArrayList;
import java.util.List;

/** Times whole training steps; several targets take turns. */
public final class StepBenchmark {
    private final Sampling sampling;

    public StepBenchmark(Sampling sampling) {
        this.sampling = sampling;
    }

    /**
     * @param measurement of one step
     * @param loss after the last step; a step whose loss is no longer finite computed nothing worth timing
     * @param liveBytes of the device's memory while it ran
     */
    public record Result(Measurement measurement, double loss, long liveBytes) {
        public boolean passes() {
            return Double.isFinite(loss);
        }
    }

    /** A case on all targets: one result each, in their order. */
    public List<Result> measure(StepCase test, List<Target> targets) {
        List<Side> sides = new ArrayList<>();
        try {
            for (Target target : targets) {
                sides.add(new Side(target, test));
            }
            for (int n = 0; n < sampling.repeats(); n++) {
                for (Side side : sides) {
                    side.time(n);
                }
            }
            return sides.stream().map(Side::result).toList();
        } finally {
            sides.forEach(s -> s.run.close());
        }
    }

    private final class Side {
        private final Target target;
        private final StepRun run;
        private final double firstCall;
        private final List<Double> times = new ArrayList<>();
        private double used;

        Side(Target target, StepCase test) {
            this.target = target;
            run = new StepRun(target.backend(), test);
            long start = System.nanoTime();
            target.backend().seconds(run::run);
            firstCall = (System.nanoTime() - start) / 1e9;
            double warm = firstCall;
            for (int i = 0; i < Sampling.WARM_UP && warm < sampling.seconds(); i++) {
                warm += target.backend().seconds(run::run);
            }
        }

        void time(int n) {
            if (n < Sampling.LEAST || used < sampling.seconds()) {
                double seconds = target.backend().seconds(run::run);
                used += seconds;
                times.add(seconds);
            }
        }

        Result result() {
            double[] seconds = times.stream().mapToDouble(t -> t).toArray();
            return new Result(
                    Measurement.of(seconds, firstCall, 0, 0, 0),
                    run.loss(),
                    target.backend().liveBytes());
        }
    }
}

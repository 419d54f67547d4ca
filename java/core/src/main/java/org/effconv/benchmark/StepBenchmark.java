package org.effconv.benchmark;

import java.util.ArrayList;
import java.util.List;
import java.util.function.DoubleSupplier;
import java.util.stream.IntStream;

/** Times whole training steps; several targets take {@link Turns}. */
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
            List<double[]> times = Turns.time(sides, sampling);
            return IntStream.range(0, sides.size())
                    .mapToObj(i -> sides.get(i).result(times.get(i)))
                    .toList();
        } finally {
            sides.forEach(s -> s.run.close());
        }
    }

    private final class Side implements DoubleSupplier {
        private final Target target;
        private final StepRun run;
        private final double firstCall;

        Side(Target target, StepCase test) {
            this.target = target;
            run = new StepRun(target.backend(), test);
            long start = System.nanoTime();
            target.backend().seconds(run::run);
            firstCall = (System.nanoTime() - start) / 1e9;
            Turns.warmUp(this, firstCall, sampling);
        }

        @Override
        public double getAsDouble() {
            return target.backend().seconds(run::run);
        }

        Result result(double[] times) {
            return new Result(
                    Measurement.of(times, firstCall, 0, 0, 0),
                    run.loss(),
                    target.backend().liveBytes());
        }
    }
}

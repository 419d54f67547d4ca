package org.effconv.benchmark;

import java.util.ArrayList;
import java.util.List;
import org.effconv.backend.Backend;
import org.effconv.benchmark.KernelCase.Family;

/**
 * Times kernels through the backends that run them; several targets take turns, A B A B, so that a slow while slows
 * them all.
 */
public final class KernelBenchmark {
    private final RandomValues values = new RandomValues(1);
    private final Sampling sampling;

    public KernelBenchmark(Sampling sampling) {
        this.sampling = sampling;
    }

    /** A case on all targets: one measurement each, in their order. */
    public List<Measurement> measure(KernelCase test, List<Target> targets) {
        List<Side> sides = new ArrayList<>();
        try {
            for (Target target : targets) {
                sides.add(new Side(target.backend(), test));
            }
            for (int n = 0; n < sampling.repeats(); n++) {
                for (Side side : sides) {
                    side.time(n);
                }
            }
            return sides.stream().map(Side::measurement).toList();
        } finally {
            sides.forEach(Side::close);
        }
    }

    private final class Side implements AutoCloseable {
        private final Backend backend;
        private final KernelCase test;
        private final KernelRun run;
        private final CacheFlush cache;
        private final double firstCall;
        private final long workspace;
        private final double error;
        private final List<Double> times = new ArrayList<>();
        private double used;

        Side(Backend backend, KernelCase test) {
            this.backend = backend;
            this.test = test;
            run = test.family() == Family.SYNTHESIS
                    ? new SynthesisRun(backend, test, values)
                    : new ConvolutionRun(backend, test, values);
            cache = new CacheFlush(backend, sampling.coldCache());
            long before = backend.liveBytes();
            long start = System.nanoTime();
            backend.seconds(run::run);
            firstCall = (System.nanoTime() - start) / 1e9;
            workspace = Math.max(0, backend.liveBytes() - before);
            error = run.error();
            double warm = firstCall;
            for (int i = 0; i < Sampling.WARM_UP && warm < sampling.seconds(); i++) {
                warm += backend.seconds(run::run);
            }
        }

        void time(int n) {
            if (n < Sampling.LEAST || used < sampling.seconds()) {
                cache.flush();
                double seconds = backend.seconds(run::run);
                used += seconds;
                times.add(seconds);
            }
        }

        Measurement measurement() {
            return Measurement.of(
                    times.stream().mapToDouble(t -> t).toArray(), firstCall, error, test.errorLimit(), workspace);
        }

        @Override
        public void close() {
            cache.close();
            run.close();
        }
    }
}

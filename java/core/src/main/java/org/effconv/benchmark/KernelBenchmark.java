package org.effconv.benchmark;

import java.util.ArrayList;
import java.util.List;
import java.util.function.DoubleSupplier;
import java.util.stream.IntStream;
import org.effconv.backend.Backend;
import org.effconv.benchmark.KernelCase.Family;

/** Times kernels through the backends that run them; several targets take {@link Turns}. */
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
            List<double[]> times = Turns.time(sides, sampling);
            return IntStream.range(0, sides.size())
                    .mapToObj(i -> sides.get(i).measurement(times.get(i)))
                    .toList();
        } finally {
            sides.forEach(Side::close);
        }
    }

    private final class Side implements DoubleSupplier, AutoCloseable {
        private final Backend backend;
        private final KernelCase test;
        private final KernelRun run;
        private final CacheFlush cache;
        private final double firstCall;
        private final long workspace;
        private final double error;

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
            Turns.warmUp(() -> backend.seconds(run::run), firstCall, sampling);
        }

        /** One run, from cold caches where they are asked for. */
        @Override
        public double getAsDouble() {
            cache.flush();
            return backend.seconds(run::run);
        }

        Measurement measurement(double[] times) {
            return Measurement.of(times, firstCall, error, test.errorLimit(), workspace);
        }

        @Override
        public void close() {
            cache.close();
            run.close();
        }
    }
}

package org.effconv.bench;

import java.util.function.UnaryOperator;
import org.effconv.backend.Backend;
import org.effconv.backend.cpu.CpuBackend;
import org.effconv.benchmark.StepRun;
import org.effconv.nn.NetworkPlan;
import org.effconv.predict.SearchSettings;
import org.effconv.train.TrainableWeights;
import org.effconv.train.TrainedWeights;

/** Our training step, of a plain network or of a search. */
final class EffconvStep implements TrainingStep {
    private final CpuBackend cpu;
    private final StepRun run;

    private EffconvStep(Configuration c, double at, UnaryOperator<Backend> around, SourceOf sourceOf) {
        cpu = CpuBackend.open(c.threads());
        Backend backend = around.apply(cpu);
        run = new StepRun(backend, c.plan(), c.precision(), c.batch(), sourceOf.open(backend, c.plan()), at);
        run.load(c.images(), c.labels());
    }

    /** @param around wraps the backend, to time its operations; identity to leave it alone */
    static EffconvStep plain(Configuration c, UnaryOperator<Backend> around) {
        return new EffconvStep(
                c,
                0,
                around,
                (backend, plan) -> new TrainedWeights(backend, plan, plan.uniformSizes(c.kernel()), c.precision(), 1));
    }

    /**
     * A search whose sizes start at the configuration's kernel, with the budget of that uniform size.
     *
     * @param at fraction of the search that is over
     */
    static EffconvStep search(Configuration c, SearchSettings settings, double at, UnaryOperator<Backend> around) {
        return new EffconvStep(c, at, around, (backend, plan) -> StepRun.search(backend, plan, c.kernel(), settings));
    }

    @Override
    public void run() {
        run.run();
    }

    @Override
    public double loss() {
        return run.loss();
    }

    @Override
    public void close() {
        run.close();
        cpu.close();
    }

    private interface SourceOf {
        TrainableWeights open(Backend backend, NetworkPlan plan);
    }
}

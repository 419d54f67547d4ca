package org.effconv.bench;

import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import org.effconv.autodiff.Ops;
import org.effconv.autodiff.Parameter;
import org.effconv.autodiff.Tape;
import org.effconv.autodiff.Variable;
import org.effconv.backend.Backend;
import org.effconv.backend.OptimizerRule;
import org.effconv.backend.cpu.CpuBackend;
import org.effconv.nn.Network;
import org.effconv.nn.NetworkPlan;
import org.effconv.nn.TrainedWeights;
import org.effconv.nn.WeightSource;
import org.effconv.size.Budget;
import org.effconv.size.Cost;
import org.effconv.size.SearchSettings;
import org.effconv.size.SynthesisedWeights;
import org.effconv.tensor.Arena;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;
import org.effconv.train.Optimizer;
import org.effconv.train.OptimizerSettings;
import org.effconv.train.Schedule;

/** Our training step, of a plain network or of a search. */
final class EffconvStep implements TrainingStep {
    private static final long STEPS = 100_000; // of the search that steps are taken from

    private final CpuBackend cpu;
    private final Backend backend;
    private final Arena arena;
    private final Network network;
    private final WeightSource source;
    private final Optimizer optimizer;
    private final Tensor images;
    private final Tensor labels;
    private final Tensor loss;
    private long step;

    private EffconvStep(Configuration c, double at, UnaryOperator<Backend> around, SourceOf sourceOf) {
        step = Math.round(at * STEPS);
        cpu = CpuBackend.open(c.threads());
        backend = around.apply(cpu);
        arena = new Arena(backend.memory());
        NetworkPlan plan = c.plan();
        network = new Network(backend, plan, c.precision(), 1);
        source = sourceOf.open(backend, plan);
        List<Parameter> parameters = new ArrayList<>(network.parameters());
        parameters.addAll(source.parameters());
        optimizer = new Optimizer(
                backend,
                new OptimizerSettings(
                        new OptimizerRule(OptimizerRule.Kind.SGD, Configuration.MOMENTUM, 0, 0, false, 0),
                        Configuration.LEARNING_RATE, Configuration.WEIGHT_DECAY, Schedule.constant(0)),
                parameters);
        NetworkPlan.Input in = plan.input();
        images = Tensor.allocate(backend.memory(), c.precision(), Shape.of(c.batch(), in.height(), in.width(), in.channels()));
        backend.write(images, c.images());
        labels = Tensor.allocate(backend.memory(), DataType.I32, Shape.of(c.batch()));
        backend.write(labels, c.labels());
        loss = Tensor.allocate(backend.memory(), DataType.F32, Shape.of(1));
    }

    /** @param around wraps the backend, to time its operations; identity to leave it alone */
    static EffconvStep plain(Configuration c, UnaryOperator<Backend> around) {
        return new EffconvStep(c, 0, around, (backend, plan) ->
                new TrainedWeights(backend, plan, plan.uniformSizes(c.kernel()), c.precision(), 1));
    }

    /**
     * A search whose sizes start at the configuration's kernel, with the budget of that uniform size.
     *
     * @param at fraction of the search that is over
     */
    static EffconvStep search(Configuration c, SearchSettings settings, double at, UnaryOperator<Backend> around) {
        return new EffconvStep(c, at, around, (backend, plan) -> new SynthesisedWeights(
                backend, DataType.F32, Cost.parameters(backend, plan), Budget.parse("k" + c.kernel()),
                settings.change().start(c.kernel()).build(), 1));
    }

    @Override
    public void run() {
        WeightSource.Progress progress = new WeightSource.Progress(step++, STEPS);
        Tape tape = new Tape(backend, arena, true);
        source.begin(tape, progress);
        Variable logits = network.forward(tape, tape.constant(images), source, step);
        Variable classLoss = Ops.softmaxCrossEntropy(tape, logits, labels, 0).loss();
        Variable penalty = source.penalty(tape);
        tape.backward(penalty == null ? classLoss : Ops.sum(tape, classLoss, penalty));
        source.afterBackward(tape, progress);
        optimizer.step(tape::gradient, p -> source.learningRateFactor(p, progress), 1).getAsDouble();
        backend.copy(classLoss.value(), loss);
        arena.reset();
    }

    @Override
    public double loss() {
        return backend.readFloats(loss)[0];
    }

    @Override
    public void close() {
        images.close();
        labels.close();
        loss.close();
        optimizer.close();
        source.close();
        network.close();
        arena.close();
        cpu.close();
    }

    private interface SourceOf {
        WeightSource open(Backend backend, NetworkPlan plan);
    }
}

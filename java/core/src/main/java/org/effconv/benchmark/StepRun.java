package org.effconv.benchmark;

import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.effconv.autodiff.Ops;
import org.effconv.autodiff.Parameter;
import org.effconv.autodiff.Tape;
import org.effconv.autodiff.Variable;
import org.effconv.backend.Backend;
import org.effconv.backend.OptimizerRule;
import org.effconv.cost.Budget;
import org.effconv.cost.Cost;
import org.effconv.nn.Network;
import org.effconv.nn.NetworkPlan;
import org.effconv.nn.WeightSource;
import org.effconv.predict.SearchSettings;
import org.effconv.search.SynthesisedWeights;
import org.effconv.tensor.Arena;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;
import org.effconv.train.Optimizer;
import org.effconv.train.OptimizerSettings;
import org.effconv.train.Schedule;
import org.effconv.train.TrainableWeights;
import org.effconv.train.TrainedWeights;

/**
 * A training step on one batch that stays in memory: forward, loss, backward, update; a search's also moves its sizes.
 */
public final class StepRun implements AutoCloseable {
    /** Of the optimiser, SGD with momentum, its learning rate and its weight decay: what a peer must be given, too. */
    public static final double MOMENTUM = 0.9;

    public static final double RATE = 0.01;
    public static final double DECAY = 5e-4;
    private static final long STEPS = 100_000;
    private static final double SEARCH_AT = 0.5; // where sizes move too

    private final Object identity = new Object();
    private final Backend backend;
    private final Arena arena;
    private final Network network;
    private final TrainableWeights source;
    private final List<Parameter> parameters = new ArrayList<>();
    private final Optimizer optimizer;
    private final Tensor images;
    private final Tensor labels;
    private final Tensor loss;
    private final long steps;
    private long step;

    public StepRun(Backend backend, StepCase c) {
        this(
                backend,
                c.plan(),
                c.type(),
                c.batch(),
                c.search()
                        ? search(backend, c.plan(), c.kernel(), SearchSettings.standard())
                        : new TrainedWeights(backend, c.plan(), c.plan().uniformSizes(c.kernel()), c.type(), 1),
                SEARCH_AT);
    }

    /**
     * @param source closed with this
     * @param at fraction of a long run that is over
     */
    public StepRun(Backend backend, NetworkPlan plan, DataType type, int batch, TrainableWeights source, double at) {
        this(
                backend,
                plan,
                type,
                batch,
                source,
                new OptimizerSettings(
                        new OptimizerRule(OptimizerRule.Kind.SGD, MOMENTUM, 0, 0, false, 0),
                        RATE,
                        DECAY,
                        Schedule.constant(0)),
                Math.round(at * STEPS),
                STEPS);
    }

    /**
     * @param source closed with this
     * @param first number of the step to begin with
     * @param steps of the whole run
     */
    StepRun(
            Backend backend,
            NetworkPlan plan,
            DataType type,
            int batch,
            TrainableWeights source,
            OptimizerSettings optimizer,
            long first,
            long steps) {
        this.backend = backend;
        this.source = source;
        this.steps = steps;
        step = first;
        arena = new Arena(backend.memory());
        network = new Network(backend, plan, type, 1);
        parameters.addAll(network.parameters());
        parameters.addAll(source.parameters());
        this.optimizer = new Optimizer(backend, optimizer, parameters);
        NetworkPlan.Input in = plan.input();
        images = new RandomValues(1).tensor(backend, type, 0, batch, in.height(), in.width(), in.channels());
        labels = Tensor.allocate(backend.memory(), DataType.I32, Shape.of(batch));
        SplittableRandom random = new SplittableRandom(2);
        backend.write(labels, random.ints(batch, 0, in.classes()).toArray());
        loss = Tensor.allocate(backend.memory(), DataType.F32, Shape.of(1));
    }

    /** A search whose sizes start at {@code kernel}, with the budget of that uniform size. */
    public static SynthesisedWeights search(Backend backend, NetworkPlan plan, int kernel, SearchSettings settings) {
        return SynthesisedWeights.of(
                backend,
                DataType.F32,
                Cost.parameters(backend, plan),
                Budget.parse("k" + kernel),
                settings.change().start(kernel).build(),
                1);
    }

    /**
     * Takes these pixels, batch * H * W * C in (N, H, W, C) order, and one class per image in place of its own random
     * ones.
     */
    public void load(float[] pixels, int[] classes) {
        backend.write(images, pixels);
        backend.write(labels, classes);
    }

    /** As in {@link org.effconv.train.TrainingLoop}, so that a device which records steps repeats this one, too. */
    public void run() {
        WeightSource.Progress progress = new WeightSource.Progress(step++, steps);
        optimizer.begin(source::learningRateFactor, 1);
        source.prepare(progress);
        Object key = source.stepKey().map(k -> List.of(identity, k)).orElse(null);
        backend.step(key, () -> optimizer.update(gradients(progress)::get));
        source.afterStep(progress);
    }

    private Map<Parameter, Tensor> gradients(WeightSource.Progress progress) {
        arena.reset();
        Tape tape = new Tape(backend, arena, true);
        source.begin(tape, progress);
        Variable logits = network.forward(tape, tape.constant(images), source, () -> step);
        Variable classLoss = Ops.softmaxCrossEntropy(tape, logits, labels, 0).loss();
        backend.copy(classLoss.value(), loss);
        tape.backward(source.penalty()
                .map(penalty -> Ops.sum(tape, classLoss, penalty))
                .orElse(classLoss));
        source.afterBackward(progress);
        Map<Parameter, Tensor> gradients = new IdentityHashMap<>();
        parameters.forEach(p -> gradients.put(p, tape.gradient(p)));
        return gradients;
    }

    /** Of the last step's network, forward, on one image. */
    double multiplyAdds() {
        return source.multiplyAdds();
    }

    /** Of the last step. */
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
    }
}

package org.effconv.train;

import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.BiConsumer;
import java.util.function.DoubleConsumer;
import java.util.function.DoubleSupplier;
import java.util.function.Supplier;
import org.effconv.autodiff.Ops;
import org.effconv.autodiff.Parameter;
import org.effconv.autodiff.Tape;
import org.effconv.autodiff.Variable;
import org.effconv.backend.Backend;
import org.effconv.data.Batch;
import org.effconv.data.DataLoader;
import org.effconv.data.Images;
import org.effconv.error.EffconvException.JobFailed;
import org.effconv.nn.Network;
import org.effconv.nn.WeightSource;
import org.effconv.nn.WeightSource.Progress;
import org.effconv.tensor.Arena;
import org.effconv.tensor.Construction;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;

/**
 * The one loop of search and final training: what differs is the weight source. Everything random is a function of
 * (seed, epoch, step), so an epoch can be run after a restart as if nothing had happened. Belongs to its device's
 * thread.
 */
public final class TrainingLoop implements AutoCloseable {
    private final Object identity = new Object(); // a device outlives its loops
    private final Backend backend;
    private final Network network;
    private final TrainableWeights weights;
    private final TrainingOptions options;
    private final Optimizer optimizer;
    private final DataLoader loader;
    private final BatchTensors tensors;
    private final Arena arena;
    private final List<Parameter> parameters;
    private final Tensor loss; // of the last step
    private final Tensor correct;
    private long dropoutSeed; // of the present step
    private Runnable between = () -> {}; // operations of the present epoch
    private int epochsDone;
    private Part part = new Part(); // of the epoch under way
    private DoubleConsumer hearing = loss -> {};

    /** Called after each batch with the loss of the batch before it (NaN at the first of an epoch). */
    @FunctionalInterface
    public interface BatchHook {
        void after(int batch, double previousLoss);
    }

    /**
     * One epoch in numbers; see {@link EpochMetrics}.
     *
     * @param loss mean class loss over the batches
     * @param accuracy share of right answers in the same batches
     * @param gradientNorm mean over the steps
     * @param learningRate at the last step
     * @param images seen
     * @param work of its steps
     */
    public record Epoch(
            double loss,
            double accuracy,
            double gradientNorm,
            double learningRate,
            long images,
            double seconds,
            Work work) {}

    public TrainingLoop(
            Backend backend,
            Network network,
            TrainableWeights weights,
            Images images,
            Normalisation normalisation,
            TrainingOptions options) {
        this.backend = backend;
        this.network = network;
        this.weights = weights;
        this.options = options;
        parameters = new ArrayList<>(network.parameters());
        parameters.addAll(weights.parameters());
        try (Construction construction = new Construction()) {
            loader = construction.own(DataLoader.training(
                    images, Math.min(options.batch(), images.count()), options.augmentation(), options.seed()));
            optimizer = construction.own(new Optimizer(backend, options.optimizer(), parameters));
            arena = construction.own(new Arena(backend.memory()));
            tensors = construction.own(BatchTensors.repeated(backend, images, normalisation, loader));
            loss = construction.own(
                    Tensor.allocate(backend.memory(), network.activationType().parameterType(), Shape.of(1)));
            correct = construction.own(Tensor.allocate(backend.memory(), DataType.I32, Shape.of(1)));
            construction.done();
        }
    }

    public int batchesPerEpoch() {
        return loader.batches();
    }

    public int epochsDone() {
        return epochsDone;
    }

    /** Where the run stands. */
    public Progress progress() {
        return at(stepsDone());
    }

    /** Steps of all epochs so far, those of an epoch that is not over included. */
    public long stepsDone() {
        return (long) epochsDone * loader.batches() + part.batches;
    }

    /** From now on the class loss of each step goes there, in order, once it has been read. */
    void eachLoss(DoubleConsumer to) {
        hearing = to;
    }

    private Progress at(long step) {
        return new Progress(step, (long) options.epochs() * loader.batches());
    }

    /**
     * Runs the next epoch, or the rest of one of which a part has been run.
     *
     * @throws JobFailed if the loss is no longer finite
     * @throws StopSignal.Stopped if asked to; the epoch then counts as not begun and the loop is of no further use
     */
    public Epoch runEpoch(StopSignal stop, BatchHook hook) {
        return runTo(batchesPerEpoch(), stop, hook).orElseThrow();
    }

    /**
     * Runs a part of an epoch: up to a batch.
     *
     * @param end number of the first batch that is not run
     * @return the epoch, if it is over
     * @throws JobFailed as {@link #runEpoch}
     * @throws StopSignal.Stopped as {@link #runEpoch}
     */
    public Optional<Epoch> runTo(int end, StopSignal stop, BatchHook hook) {
        long start = System.nanoTime();
        double processor = Work.processSeconds();
        int index = part.batches;
        int first = index;
        Pending pending = null;
        String where = "in epoch " + (epochsDone + 1) + " of " + options.epochs();
        between = () -> stop.check(where);
        Iterator<Batch> batches = loader.epoch(epochsDone, index).iterator();
        while (index < end) {
            between.run();
            Pending next = step(batches.next(), index);
            double previous = index == first ? Double.NaN : read(pending, index - 1);
            hook.after(index, previous);
            pending = next;
            index++;
        }
        if (pending != null) {
            read(pending, index - 1);
        }
        weights.finishEpoch();
        part.batches = index;
        part.seconds += (System.nanoTime() - start) / 1e9;
        part.processorSeconds += Work.processSeconds() - processor;
        if (index < loader.batches()) {
            return Optional.empty();
        }
        Part all = part;
        part = new Part();
        epochsDone++;
        long images = (long) index * loader.batchSize();
        return Optional.of(new Epoch(
                all.loss / index,
                all.correct / images,
                all.norm / index,
                all.rate,
                images,
                all.seconds,
                new Work(all.multiplyAdds, all.processorSeconds)));
    }

    /** Sums over the batches of an epoch so far. */
    private static final class Part {
        private int batches;
        private double loss;
        private double correct;
        private double norm;
        private double rate; // of the last step
        private double seconds;
        private double multiplyAdds;
        private double processorSeconds;
    }

    /** What a step leaves on the device, to be read when the next one is under way. */
    private record Pending(Supplier<double[]> loss, Supplier<double[]> correct, DoubleSupplier norm) {}

    private Pending step(Batch batch, int index) {
        Progress progress = at((long) epochsDone * loader.batches() + index);
        tensors.load(batch);
        dropoutSeed = mix(options.seed(), progress.step());
        double factor = options.optimizer().schedule().factor(progress.step(), progress.totalSteps());
        part.rate = options.optimizer().learningRate() * factor;
        optimizer.begin(weights::learningRateFactor, factor);
        weights.prepare(progress);
        Supplier<DoubleSupplier> norm = backend.step(
                weights.stepKey()
                        .map(key -> new StepKey(identity, batch.size(), key))
                        .orElse(null),
                () -> optimizer.update(gradients(batch.size(), progress)::get));
        Pending pending = new Pending(backend.readLater(loss), backend.readLater(correct), norm.get());
        weights.afterStep(progress);
        part.multiplyAdds += Work.STEP * (double) batch.size() * weights.multiplyAdds();
        return pending;
    }

    private record StepKey(Object loop, int batch, Object weights) {}

    /** Forwards and backwards on the batch that was loaded last. */
    private Map<Parameter, Tensor> gradients(int batch, Progress progress) {
        arena.reset();
        Tape tape = new Tape(backend, arena, true, between);
        BatchTensors.OnDevice on = tensors.augmented(batch, arena, network.activationType());
        weights.begin(tape, progress);
        Variable logits = network.forward(tape, tape.constant(on.x()), weights, () -> dropoutSeed);
        Ops.ClassLoss result = Ops.softmaxCrossEntropy(tape, logits, on.labels(), options.labelSmoothing());
        backend.copy(result.loss().value(), loss);
        backend.copy(result.correct(), correct);
        tape.backward(weights.penalty()
                .map(penalty -> Ops.sum(tape, result.loss(), penalty))
                .orElse(result.loss()));
        weights.afterBackward(progress);
        Map<Parameter, Tensor> gradients = new IdentityHashMap<>();
        for (Parameter p : parameters) {
            gradients.put(p, tape.gradient(p));
        }
        return gradients;
    }

    private double read(Pending pending, int index) {
        double value = pending.loss.get()[0];
        if (!Double.isFinite(value)) {
            throw new JobFailed("the loss is " + value + " at batch " + (index + 1) + " of epoch " + (epochsDone + 1)
                    + "; a smaller learning rate (now " + options.optimizer().learningRate()
                    + "), a longer warm-up or a bound of the gradient norm (--clip 1) may help");
        }
        weights.observe(value);
        hearing.accept(value);
        part.loss += value;
        part.correct += (long) pending.correct.get()[0];
        part.norm += pending.norm.getAsDouble();
        return value;
    }

    // SplitMix64's finaliser: neighbouring steps get unrelated dropout masks.
    private static long mix(long seed, long step) {
        long z = seed * 0x9E3779B97F4A7C15L + step;
        z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
        z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
        return z ^ (z >>> 31);
    }

    /** Everything on the device that a checkpoint holds: parameters, running statistics, moments. */
    public Map<String, Tensor> state() {
        Map<String, Tensor> all = new LinkedHashMap<>(modelTensors(network, weights));
        optimizer.tensors().forEach((name, t) -> all.put("moment/" + name, t));
        return all;
    }

    /**
     * Parameters and running statistics, by name.
     *
     * @throws IllegalStateException if two have one name, of which a checkpoint would hold one only
     */
    public static Map<String, Tensor> modelTensors(Network network, WeightSource weights) {
        Map<String, Tensor> all = new LinkedHashMap<>();
        BiConsumer<String, Tensor> add = (name, tensor) -> {
            if (all.put(name, tensor) != null) {
                throw new IllegalStateException("two tensors are named " + name);
            }
        };
        network.parameters().forEach(p -> add.accept(p.name(), p.value()));
        weights.parameters().forEach(p -> add.accept(p.name(), p.value()));
        network.buffers().forEach(add);
        return all;
    }

    /** What a loop needs beside {@link #state} to go on within an epoch; empty between two epochs. */
    public double[] part() {
        return part.batches == 0
                ? new double[0]
                : new double[] {
                    part.batches,
                    part.loss,
                    part.correct,
                    part.norm,
                    part.seconds,
                    part.multiplyAdds,
                    part.processorSeconds
                };
    }

    /** Wall clock of the steps of a {@link #part}, 0 of an empty one. */
    static double seconds(double[] part) {
        return part.length == 0 ? 0 : part[4];
    }

    /** Wall clock of the steps of {@link #part}. */
    public double partSeconds() {
        return part.seconds;
    }

    /** Work of the steps of {@link #part}. */
    public Work partWork() {
        return new Work(part.multiplyAdds, part.processorSeconds);
    }

    /**
     * Takes the run up, once {@link #state} has been restored.
     *
     * @param epochs that are over
     * @param within what {@link #part} gave
     */
    public void resumeAfter(int epochs, double[] within) {
        epochsDone = epochs;
        part = new Part();
        if (within.length > 0) {
            part.batches = (int) within[0];
            part.loss = within[1];
            part.correct = within[2];
            part.norm = within[3];
            part.seconds = within[4];
            part.multiplyAdds = within[5];
            part.processorSeconds = within[6];
        }
        optimizer.setSteps(stepsDone());
    }

    /** Closes what the loop allocated; network and weight source stay with their owner. */
    @Override
    public void close() {
        loader.close();
        optimizer.close();
        tensors.close();
        arena.close();
        loss.close();
        correct.close();
    }
}

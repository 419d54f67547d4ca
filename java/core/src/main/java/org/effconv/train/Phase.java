package org.effconv.train;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.effconv.backend.Backend;
import org.effconv.data.Dataset;
import org.effconv.data.Images;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.nn.Network;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One phase of a run: a loop from start to end, or to a step, or on from where it was left; with its metrics,
 * checkpoints and listeners.
 */
public final class Phase implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Phase.class);
    private static final String PART = "phase/part"; // of an epoch under way; in a checkpoint's state
    private static final String LOSSES = "phase/losses";

    /**
     * What the phases of a run share.
     *
     * @param folder null: nothing is written
     * @param identity of the run, for its checkpoints
     */
    public record Context(
            Backend backend,
            Dataset data,
            RunFolder folder,
            ObjectNode identity,
            List<TrainingListener> listeners,
            StopSignal stop)
            implements AutoCloseable {
        /** Closes the run folder, and gives memory that is not used any more back. */
        @Override
        public void close() {
            try {
                backend.trim();
            } finally {
                if (folder != null) {
                    folder.close();
                }
            }
        }
    }

    /** What metrics say of kernel sizes; asked after each epoch. */
    public interface Sizes {
        List<Integer> sizes();

        /** Empty outside a search. */
        default List<Double> softSizes() {
            return List.of();
        }

        long parameters();

        /** NaN outside a search. */
        default double budgetRatio() {
            return Double.NaN;
        }
    }

    /**
     * @param seconds of all epochs, those before a restart included
     * @param steps of all epochs
     * @param test after the last epoch; null in a search
     * @param validation after the last epoch; null without a validation part
     * @param loss class loss of the last epoch's steps, on average
     * @param bestTest largest test accuracy of any epoch; NaN unless the test part was read after each
     * @param work of all epochs
     */
    public record Outcome(
            double seconds,
            long steps,
            Evaluation test,
            Evaluation validation,
            double loss,
            double bestTest,
            Work work) {}

    /**
     * Where a phase was left after some of its steps: what it takes to go on from there, on the host.
     *
     * @param checkpoint as a run folder holds it
     * @param losses class losses of the steps, in order
     * @param seconds they took
     * @param work that they were
     */
    public record Left(Checkpoint checkpoint, double[] losses, double seconds, Work work) {}

    /** When the test part is read. */
    public enum TestPart {
        /** In a search. */
        NEVER,
        /** Once, after the last epoch: the figure to report. */
        LAST_EPOCH,
        /** After every epoch, for peers' best-epoch figures beside the last one. */
        EVERY_EPOCH
    }

    private final Context c;
    private final String name;
    private final Network network;
    private final TrainableWeights weights;
    private final TrainingOptions options;
    private final Sizes sizes;
    private final TestPart testPart;
    private final Normalisation normalisation;
    private final TrainingLoop loop;
    private Checkpoint.Progress progress; // of whole epochs
    private List<Double> losses; // null: not kept
    private EpochMetrics metrics; // of the last epoch, as the next two
    private Evaluation test;
    private Evaluation validation;

    private Phase(
            Context c,
            String name,
            Network network,
            TrainableWeights weights,
            TrainingOptions options,
            Sizes sizes,
            TestPart testPart) {
        this.c = c;
        this.name = name;
        this.network = network;
        this.weights = weights;
        this.options = options;
        this.sizes = sizes;
        this.testPart = testPart;
        normalisation = Normalisation.of(c.data);
        progress = Checkpoint.Progress.none(name);
        loop = new TrainingLoop(c.backend, network, weights, c.data.train(), normalisation, options);
    }

    /** Trains to the last epoch. */
    public static Outcome run(
            Context c,
            String name,
            Network network,
            TrainableWeights weights,
            TrainingOptions options,
            Sizes sizes,
            TestPart testPart) {
        return run(c, name, network, weights, options, sizes, testPart, null);
    }

    /**
     * Trains to the last epoch.
     *
     * @param left where another phase of an equal network, with equal options, was left: this one goes on from there,
     *     as that one would have; null: it begins anew
     */
    public static Outcome run(
            Context c,
            String name,
            Network network,
            TrainableWeights weights,
            TrainingOptions options,
            Sizes sizes,
            TestPart testPart,
            Left left) {
        try (Phase phase = new Phase(c, name, network, weights, options, sizes, testPart)) {
            phase.begin(left);
            phase.tellStart(options.epochs());
            while (phase.loop.epochsDone() < options.epochs()) {
                phase.runTo(phase.loop.batchesPerEpoch());
            }
            return phase.end();
        }
    }

    /**
     * Trains to a step and no further; the test part is not read.
     *
     * @param step steps to have run then, at least one and at most those of all epochs
     * @param left where an earlier call left this phase; null: it begins anew, or goes on from its checkpoint in the
     *     run folder, which may stand at a later step
     */
    public static Left runTo(
            Context c,
            String name,
            Network network,
            TrainableWeights weights,
            TrainingOptions options,
            Sizes sizes,
            long step,
            Left left) {
        try (Phase phase = new Phase(c, name, network, weights, options, sizes, TestPart.NEVER)) {
            phase.losses = new ArrayList<>();
            phase.loop.eachLoss(phase.losses::add);
            phase.begin(left);
            int batches = phase.loop.batchesPerEpoch();
            phase.tellStart((int) ((step + batches - 1) / batches));
            while (phase.loop.stepsDone() < step) {
                phase.runTo((int) Math.min(batches, step - (long) phase.loop.epochsDone() * batches));
            }
            c.listeners.forEach(l -> l.onEnd(name));
            return phase.left();
        }
    }

    /**
     * What the checkpoint of a phase tells of its steps so far.
     *
     * @param losses class losses of the steps, in order; empty unless it was run to a step
     * @param seconds they took
     */
    public record Course(double[] losses, double seconds) {}

    /**
     * How a phase of the run in a folder went; empty without its checkpoint.
     *
     * @throws InvalidInput if the checkpoint is damaged or another run's
     */
    public static Optional<Course> course(Path run, String phase, ObjectNode identity) {
        return Checkpoint.read(RunFolder.checkpoint(run, phase), phase, identity)
                .map(found -> new Course(
                        found.state().getOrDefault(LOSSES, new double[0]),
                        found.progress().seconds()
                                + TrainingLoop.seconds(found.state().getOrDefault(PART, new double[0]))));
    }

    private void tellStart(int epochs) {
        for (TrainingListener l : c.listeners) {
            l.onStart(name, epochs, loop.epochsDone(), loop.batchesPerEpoch());
        }
    }

    // The rest of the epoch under way, up to a batch.
    private void runTo(int batch) {
        int epoch = loop.epochsDone() + 1;
        Optional<TrainingLoop.Epoch> over = loop.runTo(batch, c.stop, (index, batchLoss) -> {
            for (TrainingListener l : c.listeners) {
                l.onBatch(name, epoch, index, batchLoss);
            }
        });
        over.ifPresent(this::epochOver);
        writeCheckpoint();
        over.ifPresent(e -> c.listeners.forEach(l -> l.onEpoch(metrics)));
    }

    private void writeCheckpoint() {
        if (c.folder != null) {
            checkpoint().write(c.folder.checkpoint(name));
        }
    }

    private void epochOver(TrainingLoop.Epoch e) {
        validation = validation();
        boolean last = loop.epochsDone() == options.epochs();
        test = testPart == TestPart.EVERY_EPOCH || testPart == TestPart.LAST_EPOCH && last
                ? evaluate(c.data.test())
                : null;
        double best = progress.bestTest();
        best = testPart == TestPart.EVERY_EPOCH && !(best > test.accuracy()) ? test.accuracy() : best;
        progress = new Checkpoint.Progress(
                name,
                loop.epochsDone(),
                progress.seconds() + e.seconds(),
                e.loss(),
                best,
                progress.work().plus(e.work()));
        metrics = new EpochMetrics(
                name,
                loop.epochsDone(),
                options.epochs(),
                e.loss(),
                e.accuracy(),
                validation == null ? Double.NaN : validation.accuracy(),
                test == null ? Double.NaN : test.accuracy(),
                e.learningRate(),
                e.gradientNorm(),
                sizes.sizes(),
                sizes.softSizes(),
                sizes.parameters(),
                sizes.budgetRatio(),
                e.seconds(),
                e.images() / e.seconds(),
                PeakMemory.bytes());
        LOG.info("{}", metrics.toJson());
        if (c.folder != null) {
            c.folder.appendMetrics(metrics);
        }
    }

    private Outcome end() {
        if (testPart != TestPart.NEVER && test == null) { // the run was killed between its last checkpoint and its end
            test = evaluate(c.data.test());
            validation = validation();
        }
        c.listeners.forEach(l -> l.onEnd(name));
        return new Outcome(
                progress.seconds(),
                loop.stepsDone(),
                test,
                validation,
                progress.loss(),
                progress.bestTest(),
                progress.work());
    }

    private Evaluation validation() {
        return c.data.validation().map(this::evaluate).orElse(null);
    }

    private Evaluation evaluate(Images part) {
        return Evaluation.of(
                c.backend, network, weights, loop.progress(), part, normalisation, options.batch(), c.stop);
    }

    private double[] lossesSoFar() {
        return losses.stream().mapToDouble(loss -> loss).toArray();
    }

    private Left left() {
        return new Left(
                checkpoint(),
                lossesSoFar(),
                progress.seconds() + loop.partSeconds(),
                progress.work().plus(loop.partWork()));
    }

    private Checkpoint checkpoint() {
        Map<String, double[]> state = new LinkedHashMap<>(weights.state());
        if (loop.part().length > 0) {
            state.put(PART, loop.part());
        }
        if (losses != null) {
            state.put(LOSSES, lossesSoFar());
        }
        return new Checkpoint(c.identity, progress, HostTensors.read(c.backend, loop.state()), state);
    }

    // From its own checkpoint, if it has one; else from where another was left.
    private void begin(Left left) {
        if (left != null && left.checkpoint.progress().phase().equals(name)) {
            restore(left.checkpoint, "memory");
            return;
        }
        if (c.folder != null) {
            Path file = c.folder.checkpoint(name);
            Optional<Checkpoint> found = Checkpoint.read(file, name, c.identity);
            c.folder.rewindMetrics(
                    name, found.map(own -> own.progress().epochs()).orElse(0));
            if (found.isPresent()) {
                restore(found.get(), file.toString());
                LOG.info("{} goes on after epoch {}", name, progress.epochs());
                return;
            }
        }
        if (left != null) {
            if (c.folder != null) {
                c.folder.copyMetrics(left.checkpoint.progress().phase(), name);
            }
            restore(left.checkpoint, "memory");
            writeCheckpoint(); // it may be at its end already
        }
    }

    private void restore(Checkpoint from, String source) {
        int epochs = from.progress().epochs();
        double[] part = from.state().getOrDefault(PART, new double[0]);
        if (epochs < 0 || epochs > options.epochs() || epochs == 0 && part.length == 0) {
            throw new InvalidInput(source + ": metadata: epochs is " + epochs + ", expected 1 to " + options.epochs());
        }
        HostTensors.check(from.tensors(), loop.state(), source);
        HostTensors.write(c.backend, from.tensors(), loop.state());
        Map<String, double[]> own = new LinkedHashMap<>(from.state());
        own.remove(PART);
        own.remove(LOSSES);
        weights.restore(own);
        loop.resumeAfter(epochs, part);
        if (losses != null) {
            Arrays.stream(from.state().getOrDefault(LOSSES, new double[0])).forEach(losses::add);
        }
        progress = from.progress().of(name);
    }

    @Override
    public void close() {
        loop.close();
    }
}

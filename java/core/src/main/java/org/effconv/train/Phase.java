package org.effconv.train;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.effconv.EffconvException.InvalidInput;
import org.effconv.backend.Backend;
import org.effconv.data.Dataset;
import org.effconv.data.Images;
import org.effconv.io.TensorData;
import org.effconv.nn.Network;
import org.effconv.nn.WeightSource;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Runs a loop from start to end, or on from its checkpoint: metrics, checkpoints and listeners of one phase of a run. */
public final class Phase {
    private static final Logger LOG = LoggerFactory.getLogger(Phase.class);

    private Phase() {}

    /**
     * What the phases of a run share.
     *
     * @param folder    null: nothing is written
     * @param identity  of the run, for its checkpoints
     */
    public record Context(
            Backend backend, Dataset data, RunFolder folder, ObjectNode identity, List<TrainingListener> listeners,
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
     * @param seconds    of all epochs, those before a restart included
     * @param steps      of all epochs
     * @param test       after the last epoch; null in a search
     * @param validation after the last epoch; null without a validation part
     * @param loss       class loss of the last epoch's steps, on average
     * @param bestTest   largest test accuracy of any epoch; NaN unless the test part was read after each
     */
    public record Outcome(double seconds, long steps, Evaluation test, Evaluation validation, double loss, double bestTest) {}

    /** When the test part is read. */
    public enum TestPart {
        /** In a search. */
        NEVER,
        /** Once, after the last epoch: the figure to report. */
        LAST_EPOCH,
        /** After every epoch, for peers' best-epoch figures beside the last one. */
        EVERY_EPOCH
    }

    /** Trains to the last epoch. */
    public static Outcome run(
            Context c, String name, Network network, WeightSource weights, TrainingOptions options, Sizes sizes, TestPart testPart) {
        Normalisation normalisation = Normalisation.of(c.data);
        try (TrainingLoop loop = new TrainingLoop(c.backend, network, weights, c.data.train(), normalisation, options)) {
            Checkpoint.Progress before = resume(c, name, loop, weights, options.epochs());
            double seconds = before.seconds();
            double loss = before.loss();
            double best = before.bestTest();
            for (TrainingListener l : c.listeners) {
                l.onStart(name, options.epochs(), loop.epochsDone(), loop.batchesPerEpoch());
            }
            Evaluation test = null;
            Evaluation validation = null;
            while (loop.epochsDone() < options.epochs()) {
                int epoch = loop.epochsDone() + 1;
                TrainingLoop.Epoch e = loop.runEpoch(c.stop, (batch, batchLoss) -> {
                    for (TrainingListener l : c.listeners) {
                        l.onBatch(name, epoch, batch, batchLoss);
                    }
                });
                seconds += e.seconds();
                loss = e.loss();
                validation = validation(c, network, weights, loop, normalisation, options.batch());
                boolean last = epoch == options.epochs();
                test = testPart == TestPart.EVERY_EPOCH || testPart == TestPart.LAST_EPOCH && last
                        ? evaluate(c, network, weights, loop, c.data.test(), normalisation, options.batch())
                        : null;
                best = testPart == TestPart.EVERY_EPOCH && !(best > test.accuracy()) ? test.accuracy() : best;
                EpochMetrics metrics = metrics(name, options.epochs(), loop, e, sizes, validation, test);
                LOG.info("{}", metrics.toJson());
                if (c.folder != null) {
                    c.folder.appendMetrics(metrics);
                }
                save(c, new Checkpoint.Progress(name, epoch, seconds, loss, best), loop, weights);
                for (TrainingListener l : c.listeners) {
                    l.onEpoch(metrics);
                }
            }
            if (testPart != TestPart.NEVER && test == null) { // the run was killed between its last checkpoint and its end
                test = evaluate(c, network, weights, loop, c.data.test(), normalisation, options.batch());
                validation = validation(c, network, weights, loop, normalisation, options.batch());
            }
            for (TrainingListener l : c.listeners) {
                l.onEnd(name);
            }
            return new Outcome(seconds, (long) options.epochs() * loop.batchesPerEpoch(), test, validation, loss, best);
        }
    }

    private static Evaluation validation(
            Context c, Network network, WeightSource weights, TrainingLoop loop, Normalisation normalisation, int batch) {
        return c.data.validation().map(part -> evaluate(c, network, weights, loop, part, normalisation, batch)).orElse(null);
    }

    private static Evaluation evaluate(
            Context c, Network network, WeightSource weights, TrainingLoop loop, Images part,
            Normalisation normalisation, int batch) {
        return Evaluation.of(c.backend, network, weights, loop.progress(), part, normalisation, batch, c.stop);
    }

    private static EpochMetrics metrics(
            String name, int epochs, TrainingLoop loop, TrainingLoop.Epoch e, Sizes sizes, Evaluation validation, Evaluation test) {
        return new EpochMetrics(
                name, loop.epochsDone(), epochs, e.loss(), e.accuracy(), validation == null ? Double.NaN : validation.accuracy(),
                test == null ? Double.NaN : test.accuracy(), e.learningRate(), e.gradientNorm(), sizes.sizes(), sizes.softSizes(),
                sizes.parameters(), sizes.budgetRatio(), e.seconds(), e.images() / e.seconds(), PeakMemory.bytes());
    }

    private static void save(Context c, Checkpoint.Progress progress, TrainingLoop loop, WeightSource weights) {
        if (c.folder != null) {
            new Checkpoint(c.identity, progress, HostTensors.read(c.backend, loop.state()), weights.state())
                    .write(c.folder.checkpoint(progress.phase()));
        }
    }

    private static Checkpoint.Progress resume(Context c, String name, TrainingLoop loop, WeightSource weights, int epochs) {
        Checkpoint.Progress none = new Checkpoint.Progress(name, 0, 0, Double.NaN, Double.NaN);
        if (c.folder == null) {
            return none;
        }
        Path file = c.folder.checkpoint(name);
        Optional<Checkpoint> found = Checkpoint.read(file, name, c.identity);
        Checkpoint.Progress progress = found.map(Checkpoint::progress).orElse(none);
        c.folder.rewindMetrics(name, progress.epochs());
        if (found.isEmpty()) {
            return none;
        }
        if (progress.epochs() < 1 || progress.epochs() > epochs) {
            throw new InvalidInput(file + ": metadata: epochs is " + progress.epochs() + ", expected 1 to " + epochs);
        }
        Checkpoint checkpoint = found.get();
        HostTensors.check(checkpoint.tensors(), loop.state(), file.toString());
        HostTensors.write(c.backend, checkpoint.tensors(), loop.state());
        weights.restore(checkpoint.state());
        loop.resumeAfter(progress.epochs());
        LOG.info("{} goes on after epoch {}", name, progress.epochs());
        return progress;
    }

    /** The model tensors (no moments) of a phase that is done. */
    public static Map<String, TensorData> model(Backend backend, Network network, WeightSource weights) {
        return HostTensors.read(backend, TrainingLoop.modelTensors(network, weights));
    }
}

package org.effconv.train;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.effconv.autodiff.Ops;
import org.effconv.autodiff.Tape;
import org.effconv.autodiff.Variable;
import org.effconv.backend.Backend;
import org.effconv.data.Augmentation;
import org.effconv.data.Batch;
import org.effconv.data.DataLoader;
import org.effconv.data.Images;
import org.effconv.io.Json;
import org.effconv.nn.Network;
import org.effconv.nn.WeightSource;
import org.effconv.tensor.Arena;
import org.effconv.tensor.Tensor;

/**
 * How well a network does on a part of a dataset, with running statistics and without augmentation.
 *
 * @param loss mean cross entropy, without label smoothing
 * @param answers what it answered to each image
 */
public record Evaluation(double loss, Answers answers) {
    private static final String WHERE = "in an evaluation";
    private static final String CHOICE = "in the choice of sizes after the search";

    /** @param progress where the run stands; a weight source may depend on it */
    public static Evaluation of(
            Backend backend,
            Network network,
            WeightSource weights,
            WeightSource.Progress progress,
            Images images,
            Normalisation normalisation,
            int batchSize) {
        return of(backend, network, weights, progress, images, normalisation, batchSize, new StopSignal());
    }

    /** @throws StopSignal.Stopped if asked to */
    static Evaluation of(
            Backend backend,
            Network network,
            WeightSource weights,
            WeightSource.Progress progress,
            Images images,
            Normalisation normalisation,
            int batchSize,
            StopSignal stop) {
        double[] loss = {0};
        Answers answers = new Answers(network.plan().input().classes(), images.count());
        forward(
                backend,
                network,
                weights,
                progress,
                images,
                normalisation,
                batchSize,
                stop,
                (tape, logits, labels, size) -> {
                    Ops.ClassLoss result = Ops.softmaxCrossEntropy(tape, logits, labels, 0);
                    loss[0] += backend.readDoubles(result.loss().value())[0] * size;
                    int first = answers.images();
                    answers.add(
                            backend.readFloats(logits.value()),
                            IntStream.range(first, first + size)
                                    .map(images::label)
                                    .toArray());
                });
        return new Evaluation(loss[0] / images.count(), answers);
    }

    public int images() {
        return answers.images();
    }

    /** Share of right answers, 0..1. */
    public double accuracy() {
        return (double) answers.correct() / answers.images();
    }

    /** In the form of results: accuracy, loss, and what {@link Answers} tells of each class. */
    public ObjectNode toJson(List<String> classNames) {
        ObjectNode json = Json.object()
                .put("images", images())
                .put("accuracy", accuracy())
                .put("loss", loss);
        answers.put(json, classNames);
        return json;
    }

    /** What the network says of each image, [image][class], as {@link #of} judges it. */
    public static float[][] logits(
            Backend backend,
            Network network,
            WeightSource weights,
            WeightSource.Progress progress,
            Images images,
            Normalisation normalisation,
            int batchSize) {
        List<float[]> all = new ArrayList<>(images.count());
        forward(
                backend,
                network,
                weights,
                progress,
                images,
                normalisation,
                batchSize,
                new StopSignal(),
                (tape, logits, labels, size) -> {
                    float[] values = backend.readFloats(logits.value());
                    int classes = values.length / size;
                    for (int i = 0; i < size; i++) {
                        all.add(Arrays.copyOfRange(values, i * classes, (i + 1) * classes));
                    }
                });
        return all.toArray(float[][]::new);
    }

    /** Hears of each batch. */
    private interface Logits {
        void of(Tape tape, Variable logits, Tensor labels, int size);
    }

    private static void forward(
            Backend backend,
            Network network,
            WeightSource weights,
            WeightSource.Progress progress,
            Images images,
            Normalisation normalisation,
            int batchSize,
            StopSignal stop,
            Logits listener) {
        try (DataLoader loader = DataLoader.evaluation(images, batchSize);
                Arena arena = new Arena(backend.memory());
                BatchTensors tensors = BatchTensors.passing(backend, images, normalisation, loader.batchSize())) {
            for (Batch batch : loader.epoch(0)) {
                arena.reset();
                Tape tape = new Tape(backend, arena, false, () -> stop.check(WHERE));
                tensors.load(batch);
                BatchTensors.OnDevice on = tensors.augmented(batch.size(), arena, network.activationType());
                weights.begin(tape, progress);
                listener.of(tape, network.forward(tape, tape.constant(on.x()), weights, 0), on.labels(), batch.size());
            }
        }
    }

    /**
     * Of some batches.
     *
     * @param losses mean class loss of each
     * @param errors share of wrong answers in each, 0..1
     */
    public record Batches(double[] losses, double[] errors) {
        /** The errors in the unit of a class loss: a blind guess's are log(classes), its loss. */
        public double[] errorsAsLosses(int classes) {
            return Arrays.stream(errors)
                    .map(e -> e / (1 - 1.0 / classes) * Math.log(classes))
                    .toArray();
        }
    }

    /**
     * Each full batch of a part, the network normalising by each batch's own statistics, as in training but without
     * augmentation: for comparing choices of weights of which the running statistics know nothing. Moves the running
     * statistics.
     *
     * @param seed of the order of the images and the dropout, the same for every call that is to be compared
     * @param most batches read at most
     * @param stop ends it
     * @throws StopSignal.Stopped if asked to
     */
    public static Batches batches(
            Backend backend,
            Network network,
            WeightSource weights,
            WeightSource.Progress progress,
            Images images,
            Normalisation normalisation,
            int batchSize,
            long seed,
            int most,
            StopSignal stop) {
        int full = Math.min(batchSize, images.count());
        double[] losses = new double[Math.min(most, images.count() / full)];
        double[] errors = new double[losses.length];
        // shuffled: a part may come sorted by class, and a batch of one class has statistics of its own
        DataLoader.Options drawn = new DataLoader.Options(true, true, Augmentation.none(), seed);
        try (DataLoader loader = new DataLoader(images, full, drawn);
                Arena arena = new Arena(backend.memory());
                BatchTensors tensors = BatchTensors.passing(backend, images, normalisation, full)) {
            int b = 0;
            for (Batch batch : loader.epoch(0)) {
                if (b == losses.length) {
                    break;
                }
                arena.reset();
                Tape tape = new Tape(backend, arena, true, () -> stop.check(CHOICE));
                tensors.load(batch);
                BatchTensors.OnDevice on = tensors.augmented(full, arena, network.activationType());
                weights.begin(tape, progress);
                Ops.ClassLoss result = Ops.softmaxCrossEntropy(
                        tape, network.forward(tape, tape.constant(on.x()), weights, seed + b), on.labels(), 0);
                losses[b] = backend.readDoubles(result.loss().value())[0];
                errors[b] = 1 - (double) backend.readInts(result.correct())[0] / full;
                b++;
            }
        }
        return new Batches(losses, errors);
    }
}

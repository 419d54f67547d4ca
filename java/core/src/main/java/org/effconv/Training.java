package org.effconv;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.effconv.data.Dataset;
import org.effconv.error.EffconvException;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.io.Json;
import org.effconv.io.SizesFile;
import org.effconv.nn.Architecture;
import org.effconv.nn.Network;
import org.effconv.nn.NetworkPlan;
import org.effconv.run.RunInputs;
import org.effconv.tensor.Construction;
import org.effconv.train.FixedSizes;
import org.effconv.train.MemoryNeed;
import org.effconv.train.Normalisation;
import org.effconv.train.Phase;
import org.effconv.train.RunConfig;
import org.effconv.train.RunFolder;
import org.effconv.train.TrainedWeights;

/** Trains an architecture with given kernel sizes, as an ordinary CNN. */
public final class Training extends Job<Training> {
    static final String PHASE = "train";
    private static final String WARM = "warmStart";

    private final int[] sizes;
    private SearchResult warmStart; // null also in a run that goes on, after its first epoch
    private boolean warm;

    private Training(Settings settings, Architecture architecture, int[] sizes) {
        super("train", settings, architecture);
        this.sizes = sizes.clone();
    }

    private Training(Path folder) {
        super("train", folder);
        Path file = folder.resolve("config.json");
        JsonNode identity = RunConfig.read(folder).identity();
        sizes = Json.convert(identity.path("sizes"), int[].class, file + ": identity.sizes");
        warm = identity.path(WARM).asBoolean();
    }

    /** @param sizes one odd kernel size per sized layer, in network order */
    public static Training of(String architecture, int[] sizes) {
        return of(architecture(architecture), sizes);
    }

    public static Training of(Architecture architecture, int[] sizes) {
        return new Training(Settings.standard(), architecture, sizes);
    }

    /** With all settings given. */
    public static Training of(Settings settings, Architecture architecture, int[] sizes) {
        return new Training(settings, architecture, sizes);
    }

    /** With all settings given, and one size for all layers. */
    public static Training uniform(Settings settings, Architecture architecture, Dataset data, int size) {
        return new Training(settings, architecture, plan(architecture, data).uniformSizes(size));
    }

    /**
     * With all settings given, and sizes from a sizes.json.
     *
     * @throws InvalidInput if the file is not of this architecture: names file, field, value and what was expected
     */
    public static Training fromFile(Settings settings, Architecture architecture, Dataset data, Path file) {
        List<String> layers = plan(architecture, data).sizedLayerNames();
        return new Training(
                settings,
                architecture,
                SizesFile.read(file, architecture.name(), layers).sizes());
    }

    /** Continues the run in a folder; its settings are the run's. */
    public static Training resume(Path folder) {
        return new Training(folder);
    }

    @Override
    Training self() {
        return this;
    }

    /** Epochs of the training. */
    public Training epochs(int epochs) {
        return set(Settings.EPOCHS, epochs);
    }

    /** Starts from the kernels that a search predicted instead of fresh ones. */
    public Training warmStart(SearchResult found) {
        if (!Arrays.equals(found.sizes(), sizes)) {
            throw new InvalidInput(
                    "warm start from sizes " + Arrays.toString(found.sizes()) + ", expected " + Arrays.toString(sizes));
        }
        warmStart = found;
        warm = true;
        return this;
    }

    @Override
    String withoutCheckpoint() {
        return warm
                ? "this training started from predicted kernels, which are nowhere else; expected a whole copy of that file, or the training to "
                        + "begin anew, in another folder"
                : super.withoutCheckpoint();
    }

    @Override
    void addIdentity(ObjectNode identity) {
        identity.set("sizes", Json.tree(sizes));
        if (warm) {
            identity.put(WARM, true);
        }
    }

    /**
     * Trains on the dataset's training part and reads its test part once, after the last epoch.
     *
     * @return the trained network: close it before the device
     * @throws InvalidInput if settings, data and architecture do not fit together
     * @throws EffconvException.JobFailed if the loss is no longer finite
     */
    public TrainingResult run(Device device, Dataset images) {
        Dataset data = select(images, settings());
        try (Device.Claim claim = device.claim()) {
            RunInputs inputs = inputs(device, data);
            MemoryNeed.ofTraining(
                    inputs.compute(),
                    inputs.plan(),
                    data,
                    inputs.training(),
                    inputs.plan().parameters(sizes),
                    out() != null);
            if (warm && warmStart == null && !Files.exists(RunFolder.checkpoint(out(), PHASE))) {
                throw new InvalidInput(out()
                        + ": this training started from predicted kernels, and has no checkpoint: they are gone; expected it to "
                        + "begin anew, in another folder");
            }
            return inFolder(device, data, context -> train(context, device, inputs));
        }
    }

    private TrainingResult train(Phase.Context context, Device device, RunInputs inputs) {
        try (Construction construction = new Construction()) {
            TrainingResult result = construction.own(train(
                    context,
                    device,
                    inputs,
                    new Stage(PHASE, sizes, warmStart, null, Resolution.testPart(settings()))));
            if (context.folder() != null) {
                sizesFile(inputs.plan(), sizes).write(context.folder().file("sizes.json"));
                result.model().write(context.folder().file("model.safetensors"));
            }
            construction.done();
            return result;
        }
    }

    private static SizesFile sizesFile(NetworkPlan plan, int[] sizes) {
        List<String> names = plan.sizedLayerNames();
        return new SizesFile(
                plan.architecture().name(),
                plan.parameters(sizes),
                null,
                IntStream.range(0, sizes.length)
                        .mapToObj(i -> new SizesFile.Layer(names.get(i), sizes[i], Double.NaN))
                        .toList());
    }

    /**
     * A training within a job.
     *
     * @param phase its name in the run folder
     * @param sizes one odd size per sized layer
     * @param warmStart whose predicted kernels it starts from; null: fresh ones
     * @param left where it was left when sizes were chosen, to go on from there; null: from the start
     * @param testPart when the test part is read
     */
    record Stage(String phase, int[] sizes, SearchResult warmStart, Phase.Left left, Phase.TestPart testPart) {}

    static TrainingResult train(Phase.Context context, Device device, RunInputs inputs, Stage stage) {
        NetworkPlan plan = inputs.plan();
        try (Construction construction = new Construction()) {
            Network network = construction.own(inputs.network());
            TrainedWeights weights = construction.own(
                    stage.warmStart == null
                            ? inputs.weights(stage.sizes)
                            : inputs.weights(stage.sizes, stage.warmStart.weights()));
            Phase.Outcome outcome = Phase.run(
                    context,
                    stage.phase,
                    network,
                    weights,
                    inputs.training(),
                    new FixedSizes(plan, stage.sizes),
                    stage.testPart,
                    stage.left);
            TrainedModel model = new TrainedModel(
                    device,
                    network,
                    weights,
                    Normalisation.of(context.data()),
                    context.data().classNames());
            construction.done();
            return new TrainingResult(model, outcome);
        }
    }
}

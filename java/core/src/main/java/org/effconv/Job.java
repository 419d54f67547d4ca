package org.effconv;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.effconv.EffconvException.InvalidInput;
import org.effconv.backend.OptimizerRule;
import org.effconv.data.Augmentation;
import org.effconv.data.Dataset;
import org.effconv.data.Datasets;
import org.effconv.data.LoadListener;
import org.effconv.io.Json;
import org.effconv.nn.Architecture;
import org.effconv.nn.NetworkPlan;
import org.effconv.train.Checkpoint;
import org.effconv.train.OptimizerSettings;
import org.effconv.train.Phase;
import org.effconv.train.RunFolder;
import org.effconv.train.Schedule;
import org.effconv.train.StopSignal;
import org.effconv.train.TrainingListener;
import org.effconv.train.TrainingOptions;

/**
 * What all jobs have in common: settings, listeners and, if asked for, a run folder. Builder methods change the job and
 * return it; a job can be run more than once, but a run folder serves one run.
 *
 * @param <J> the job itself
 */
public abstract class Job<J extends Job<J>> {
    private static final double MOMENTUM = 0.9;
    private static final long VALIDATION_SEED = 0;

    private final String command;
    private Settings settings;
    private Architecture architecture;
    private final List<TrainingListener> listeners = new ArrayList<>();
    private StopSignal stop = new StopSignal();
    private Path out;
    private ObjectNode resumed; // the config.json of the run to continue; null for a new one

    Job(String command, Settings settings, Architecture architecture) {
        this.command = command;
        this.settings = settings.with(Settings.ARCH, architecture.name());
        this.architecture = architecture;
    }

    /** The job of an existing run folder. */
    Job(String command, Path folder) {
        this.command = command;
        resumed = RunFolder.config(folder);
        String source = folder.resolve("config.json").toString();
        String made = resumed.path("command").asText();
        if (!made.equals(command)) {
            throw new InvalidInput(source + ": command '" + made + "', expected '" + command + "'");
        }
        if (!(resumed.path("identity").path("settings") instanceof ObjectNode stored)
                || !(resumed.path("identity").path("architecture") instanceof ObjectNode described)) {
            throw new InvalidInput(source + ": identity.settings or identity.architecture is missing");
        }
        settings = Settings.fromJson(stored, source);
        architecture = Architecture.parse(Json.line(described), source + ": identity.architecture");
        out = folder;
    }

    /**
     * A built-in architecture by name, or one of the user's own by the path of its .json file.
     *
     * @throws InvalidInput if there is none
     */
    public static Architecture architecture(String nameOrFile) {
        return nameOrFile.endsWith(".json") ? Architecture.read(Path.of(nameOrFile)) : Architecture.named(nameOrFile);
    }

    abstract J self();

    /** Changes any setting of the table. */
    public <T> J set(Setting<T> setting, T value) {
        settings = settings.with(setting, value);
        return self();
    }

    public J seed(long seed) {
        return set(Settings.SEED, seed);
    }

    /** Images in a batch. */
    public J batch(int images) {
        return set(Settings.BATCH, images);
    }

    /** Peak learning rate. */
    public J learningRate(double rate) {
        return set(Settings.LR, rate);
    }

    public J listener(TrainingListener listener) {
        listeners.add(listener);
        return self();
    }

    /** A way to end the run from another thread. */
    public J stopSignal(StopSignal signal) {
        stop = signal;
        return self();
    }

    /** Writes a run folder: metrics, checkpoints, results. It must not hold another run. */
    public J out(Path folder) {
        out = folder;
        return self();
    }

    public Settings settings() {
        return settings;
    }

    public Architecture architecture() {
        return architecture;
    }

    /** The run folder; null if none is written. */
    public Path out() {
        return out;
    }

    // ---- for the jobs -------------------------------------------------------------------------------------------

    NetworkPlan plan(Dataset data) {
        return plan(architecture, data);
    }

    /**
     * Opens the data that settings name, and no more of it than {@link #select} would keep.
     *
     * @throws InvalidInput as {@link Datasets#open(String)} and {@link #select}
     */
    public static Dataset data(Settings settings) {
        return select(Datasets.open(settings.get(Settings.DATA), orAll(settings.get(Settings.TRAIN_IMAGES)),
                orAll(settings.get(Settings.TEST_IMAGES)), LoadListener.silent()), settings);
    }

    private static int orAll(int count) {
        return count == 0 ? Integer.MAX_VALUE : count;
    }

    /**
     * The images that jobs of these settings use: the asked number of a dataset's images, and a validation part split off
     * the training part. The split is the same at every seed, so that all runs of a comparison see the same images.
     *
     * @throws InvalidInput if a part would be empty
     */
    public static Dataset select(Dataset data, Settings settings) {
        Dataset taken = data.take(orAll(settings.get(Settings.TRAIN_IMAGES)), orAll(settings.get(Settings.TEST_IMAGES)));
        double fraction = settings.get(Settings.VALIDATION);
        return fraction == 0 || taken.validation().isPresent() ? taken : taken.withValidation(fraction, VALIDATION_SEED);
    }

    static NetworkPlan plan(Architecture architecture, Dataset data) {
        return architecture.plan(new NetworkPlan.Input(data.height(), data.width(), data.channels(), data.classes()));
    }

    /** What a run is: a run folder or a checkpoint continues only with the same. */
    private ObjectNode identity(Device device, Dataset data) {
        ObjectNode identity = Json.object();
        identity.set("settings", settings.toJson());
        identity.set("architecture", Json.parse(architecture.json(), architecture.name()));
        ObjectNode d = identity.putObject("data");
        d.put("trainImages", data.train().count()).put("testImages", data.test().count());
        d.put("validationImages", data.validation().map(v -> v.count()).orElse(0));
        d.put("height", data.height()).put("width", data.width()).put("channels", data.channels()).put("classes", data.classes());
        d.set("mean", Json.tree(data.mean()));
        d.set("std", Json.tree(data.std()));
        identity.putObject("device").put("name", device.name()).put("threads", device.threads())
                .put("activations", device.activationType().name());
        addIdentity(identity);
        return identity;
    }

    /** Adds what this kind of job depends on beyond its settings. */
    void addIdentity(ObjectNode identity) {}

    /** Checks, without writing, that {@link #open} will be able to; called before anything expensive. */
    void checkFolder(Device device, Dataset data) {
        options(data, 1); // refuses what does not go together
        if (resumed != null) {
            List<String> differences = Checkpoint.differences(resumed.path("identity"), identity(device, data));
            if (!differences.isEmpty()) {
                throw new InvalidInput(out + ": the run cannot go on here: " + String.join("; ", differences));
            }
        } else if (out != null) {
            RunFolder.requireFree(out);
        }
    }

    /** The context of the job's phases; creates the run folder of a new run. Close its folder. */
    Phase.Context open(Device device, Dataset data) {
        ObjectNode identity = identity(device, data);
        return new Phase.Context(device.backend(), data, folder(identity), identity, List.copyOf(listeners), stop);
    }

    private RunFolder folder(ObjectNode identity) {
        if (out == null) {
            return null;
        }
        if (resumed != null) {
            return RunFolder.open(out);
        }
        ObjectNode config = Json.object().put("command", command).put("format", 1);
        config.set("identity", identity);
        return RunFolder.create(out, config);
    }

    TrainingOptions options(Dataset data, int epochs) {
        boolean adam = settings.get(Settings.OPTIMIZER).equals("adamw");
        OptimizerRule rule = (adam ? OptimizerRule.adamW() : OptimizerRule.sgd(MOMENTUM)).withClipNorm(settings.get(Settings.CLIP));
        double rate = settings.get(Settings.LR) > 0 ? settings.get(Settings.LR) : adam ? Settings.ADAMW_RATE : Settings.SGD_RATE;
        double decay = settings.get(Settings.WEIGHT_DECAY) >= 0 ? settings.get(Settings.WEIGHT_DECAY)
                : adam ? Settings.ADAMW_DECAY : Settings.SGD_DECAY;
        Schedule schedule = Schedule.named(settings.get(Settings.SCHEDULE), settings.get(Settings.WARMUP));
        return new TrainingOptions(epochs, settings.get(Settings.BATCH), new OptimizerSettings(rule, rate, decay, schedule),
                settings.get(Settings.SMOOTHING), augmentation(data), settings.get(Settings.SEED));
    }

    // Planted images lose their meaning when moved or mirrored; grey images are often characters, which mirroring changes.
    private Augmentation augmentation(Dataset data) {
        if (!settings.get(Settings.AUGMENT) || data.name().startsWith("planted:")) {
            return Augmentation.none();
        }
        return new Augmentation(Math.min(Augmentation.MAX_PAD, Math.min(data.height(), data.width()) / 8), data.channels() == 3);
    }
}

package org.effconv;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import org.effconv.data.Augmentation;
import org.effconv.data.Dataset;
import org.effconv.data.Datasets;
import org.effconv.data.ReadOptions;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.error.EffconvException.JobFailed;
import org.effconv.io.Json;
import org.effconv.io.ShellWord;
import org.effconv.latency.LatencyTable;
import org.effconv.nn.Architecture;
import org.effconv.nn.NetworkPlan;
import org.effconv.run.RunInputs;
import org.effconv.train.Checkpoint;
import org.effconv.train.DataIdentity;
import org.effconv.train.Phase;
import org.effconv.train.RunConfig;
import org.effconv.train.RunFolder;
import org.effconv.train.StopSignal;
import org.effconv.train.TrainingListener;

/**
 * What all jobs have in common: settings, listeners and, if asked for, a run folder. Builder methods change the job and
 * return it; a job can be run more than once, but a run folder serves one run.
 *
 * @param <J> the job itself
 */
public abstract class Job<J extends Job<J>> {
    private static final long VALIDATION_SEED = 0;
    private static final String TABLE = "latencyTable";

    private final String command;
    private Settings settings;
    private Architecture architecture;
    private final List<TrainingListener> listeners = new ArrayList<>();
    private StopSignal stop = new StopSignal();
    private Path out;
    private RunConfig resumed; // of the run to continue; null for a new one
    private LatencyTable table; // what a budget of time is counted by; null: not read yet, or not needed

    Job(String command, Settings settings, Architecture architecture) {
        this.command = command;
        this.settings = settings.with(Settings.ARCH, architecture.name());
        this.architecture = architecture;
    }

    /** The job of an existing run folder. */
    Job(String command, Path folder) {
        this.command = command;
        resumed = RunConfig.read(folder);
        String source = folder.resolve(RunConfig.FILE).toString();
        if (!resumed.command().equals(command)) {
            throw new InvalidInput(source + ": command '" + resumed.command() + "', expected '" + command + "'");
        }
        if (!(resumed.identity().path("architecture") instanceof ObjectNode described)) {
            throw new InvalidInput(source + ": identity.architecture is missing");
        }
        settings = settings(resumed, source);
        architecture = Architecture.parse(Json.line(described), source + ": identity.architecture");
        if (resumed.identity().path(TABLE) instanceof ObjectNode json) {
            table = LatencyTable.parse(json, source + ": identity." + TABLE);
        }
        out = folder;
    }

    private static Settings settings(RunConfig config, String source) {
        if (!(config.identity().path("settings") instanceof ObjectNode identity)) {
            throw new InvalidInput(source + ": identity.settings is missing");
        }
        ObjectNode all = identity.deepCopy();
        all.setAll(config.places());
        return Settings.fromJson(all, source);
    }

    /**
     * The images of the run in a folder, as it used them.
     *
     * @throws InvalidInput if there is no run, or one that cannot be read, or its data are not there any more or have
     *     changed
     */
    public static Dataset data(Path folder) {
        RunConfig config;
        Settings settings;
        try {
            config = RunConfig.read(folder);
            settings = settings(config, folder.resolve(RunConfig.FILE).toString());
        } catch (InvalidInput e) {
            throw new InvalidInput(e.getMessage() + "; expected --data to name the data", e);
        }
        Dataset data = data(settings, "expected --data to name the data, if they were moved");
        List<String> differences = Checkpoint.differences(config.identity().path("data"), DataIdentity.of(data));
        if (!differences.isEmpty()) {
            throw new InvalidInput(settings.get(Settings.DATA) + ": these are not the data of the run in " + folder
                    + ": " + Checkpoint.told(differences) + "; expected --data to name some");
        }
        return data;
    }

    private static Dataset data(Settings settings, String wayOut) {
        try {
            return data(settings);
        } catch (InvalidInput e) {
            throw new InvalidInput(e.getMessage() + "; " + wayOut, e);
        }
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
        if (setting == Settings.LATENCY_TABLE) {
            table = null;
        }
        return self();
    }

    /** Takes from other settings where the job finds what it reads: those of the named settings that are places. */
    public J places(Settings from, Collection<Setting<?>> named) {
        named.stream().filter(Setting::isPlace).forEach(place -> copy(place, from));
        return self();
    }

    private <T> void copy(Setting<T> setting, Settings from) {
        set(setting, from.get(setting));
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

    /** What a budget of time is counted by, in place of the file that {@link Settings#LATENCY_TABLE} names. */
    public J latencyTable(LatencyTable counted) {
        table = counted;
        return self();
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

    /**
     * The latency table, if the budget counts time; a file is read once, so that it may change or go while the job
     * runs.
     */
    Optional<LatencyTable> latencyTable() {
        if (!settings.countTime()) {
            return Optional.empty();
        }
        if (table == null) {
            table = Resolution.latencyTable(settings);
        }
        return Optional.of(table);
    }

    /** What this job runs with, of its settings, the data and the device. */
    RunInputs inputs(Device device, Dataset data) {
        return Resolution.inputs(settings, device.compute(), plan(data), data);
    }

    NetworkPlan plan(Dataset data) {
        return plan(architecture, data);
    }

    /**
     * Opens the data that settings name, and no more of it than {@link #select} would keep.
     *
     * @throws InvalidInput as {@link Datasets#open(String)} and {@link #select}
     */
    public static Dataset data(Settings settings) {
        return select(Datasets.open(settings.get(Settings.DATA), reading(settings)), settings);
    }

    /**
     * Opens the data that this job's settings name, as {@link #data(Settings)}.
     *
     * @throws InvalidInput if they cannot be opened; of a run that goes on, with what to do if they were moved
     */
    public Dataset data() {
        return resumed == null
                ? data(settings)
                : data(
                        settings,
                        "if the data of this run were moved, go on with: --resume " + ShellWord.of(out)
                                + " --data DATA");
    }

    /** How settings ask for a dataset to be read. */
    public static ReadOptions reading(Settings settings) {
        ReadOptions options = ReadOptions.standard()
                .images(orAll(settings.get(Settings.TRAIN_IMAGES)), orAll(settings.get(Settings.TEST_IMAGES)))
                .imageSize(settings.get(Settings.IMAGE_SIZE));
        long memory = settings.get(Settings.DATA_MEMORY);
        double heldOut = settings.get(Settings.VALIDATION);
        return options.memory(memory == 0 ? options.memory() : memory)
                .heldOut(heldOut == 0 ? options.heldOut() : heldOut);
    }

    private static int orAll(int count) {
        return count == 0 ? Integer.MAX_VALUE : count;
    }

    /**
     * The images that jobs of these settings use: the asked number of a dataset's images, and a validation part split
     * off the training part. The split is the same at every seed, so that all runs of a comparison see the same images.
     *
     * @throws InvalidInput if a part would be empty
     */
    public static Dataset select(Dataset data, Settings settings) {
        Dataset taken =
                data.take(orAll(settings.get(Settings.TRAIN_IMAGES)), orAll(settings.get(Settings.TEST_IMAGES)));
        double fraction = settings.get(Settings.VALIDATION);
        return fraction == 0 || taken.validation().isPresent()
                ? taken
                : taken.withValidation(fraction, VALIDATION_SEED);
    }

    static NetworkPlan plan(Architecture architecture, Dataset data) {
        return architecture.plan(new NetworkPlan.Input(data.height(), data.width(), data.channels(), data.classes()));
    }

    /** What a run is: a run folder or a checkpoint continues only with the same. */
    private ObjectNode identity(Device device, Dataset data, Augmentation augmentation) {
        ObjectNode identity = Json.object();
        identity.set("settings", settings.identity());
        identity.set("architecture", Json.parse(architecture.json(), architecture.name()));
        identity.set("data", DataIdentity.of(data));
        identity.set("augmentation", Json.tree(augmentation));
        identity.putObject("device")
                .put("name", device.name())
                .put("threads", device.threads())
                .put("activations", device.activationType().name());
        addIdentity(identity);
        return identity;
    }

    /** Adds what this kind of job depends on beyond its settings. */
    void addIdentity(ObjectNode identity) {}

    /** A run's identity holds the table that its budget is counted by. */
    void addLatencyTable(ObjectNode identity) {
        latencyTable().ifPresent(counted -> identity.set(TABLE, counted.toJson()));
    }

    /**
     * Runs the job's phases, in its run folder if it has one. Whether that can be is checked first, without writing:
     * call this once everything else has been checked.
     *
     * @throws InvalidInput if the folder is taken, or holds a run that is not this one
     * @throws JobFailed if anything is found to be wrong after that
     */
    <R> R inFolder(Device device, Dataset data, Function<Phase.Context, R> phases) {
        Augmentation augmentation =
                Resolution.training(settings, data).augmentation(); // refuses what does not go together
        ObjectNode identity = identity(device, data, augmentation);
        requireFolder(identity);
        try (Phase.Context context =
                new Phase.Context(device.backend(), data, folder(identity), identity, List.copyOf(listeners), stop)) {
            try {
                return phases.apply(context);
            } catch (
                    InvalidInput e) { // the job has begun, so that its caller must not be told that nothing was written
                throw new JobFailed(e.getMessage(), e);
            }
        }
    }

    private void requireFolder(ObjectNode identity) {
        if (out == null) {
            return;
        }
        if (resumed == null) {
            RunFolder.requireFree(out);
            return;
        }
        List<String> differences = Checkpoint.differences(resumed.identity(), identity);
        if (!differences.isEmpty()) {
            throw new InvalidInput(out + ": the run cannot go on here: " + Checkpoint.told(differences)
                    + "; expected what it began with");
        }
        RunFolder.requireWhole(out, identity, withoutCheckpoint());
    }

    /** What comes of a phase whose checkpoint is removed, as the end of a message. */
    String withoutCheckpoint() {
        return "once that file is removed, its phase begins anew";
    }

    private RunFolder folder(ObjectNode identity) {
        if (out == null) {
            return null;
        }
        RunConfig config = new RunConfig(command, identity, settings.places());
        return resumed != null ? RunFolder.open(out, config) : RunFolder.create(out, config);
    }
}

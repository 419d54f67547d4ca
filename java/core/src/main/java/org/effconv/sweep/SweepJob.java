package org.effconv.sweep;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.effconv.Device;
import org.effconv.FlexConvTraining;
import org.effconv.Job;
import org.effconv.KernelSizeSearch;
import org.effconv.SearchResult;
import org.effconv.Setting;
import org.effconv.Settings;
import org.effconv.SystemInfo;
import org.effconv.Training;
import org.effconv.TrainingResult;
import org.effconv.data.Dataset;
import org.effconv.error.EffconvException;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.io.AtomicFile;
import org.effconv.io.Folders;
import org.effconv.io.Json;
import org.effconv.io.JsonLines;
import org.effconv.latency.LatencyTable;
import org.effconv.nn.Architecture;
import org.effconv.train.Checkpoint;
import org.effconv.train.DataIdentity;
import org.effconv.train.Phase;
import org.effconv.train.RunConfig;

/**
 * What one process of a sweep does in its folder: reads job.json, runs the search or training (or goes on with it, from
 * its last checkpoint), writes result.json in one move.
 */
public final class SweepJob {
    private static final String JOB = "job.json";
    private static final String PLACES =
            "places.json"; // where the job finds what it reads: they may change while it is not finished
    private static final String RESULT = "result.json";
    private static final String RUN = "run"; // the run folder with its checkpoints

    private SweepJob() {}

    /**
     * Writes what {@link #run} reads. What the folder has of another job (an architecture's file may change between two
     * calls of a sweep) is removed, its result too; of the same job it stays, wherever its data are now.
     */
    static void prepare(Path folder, SweepRun run, SweepPlan plan) {
        ObjectNode job = Json.object().put("kind", run.kind().name());
        job.set("data", plan.dataIdentity(run));
        job.set("settings", run.settings().identity());
        job.set(
                "architecture",
                Json.parse(run.architecture().json(), run.architecture().name()));
        job.set("sizes", Json.tree(run.sizes()));
        if (run.settings().countTime()) {
            job.set(SweepResults.TABLE, plan.table().toJson());
        }
        byte[] text = Json.pretty(job).getBytes(StandardCharsets.UTF_8);
        Path file = folder.resolve(JOB);
        try {
            if (!Files.isRegularFile(file) || !Arrays.equals(Files.readAllBytes(file), text)) {
                Folders.remove(folder);
                Files.createDirectories(folder);
                AtomicFile.write(file, out -> out.write(text));
            }
            AtomicFile.write(folder.resolve(PLACES), Json.pretty(run.settings().places()));
        } catch (IOException e) {
            throw new UncheckedIOException("cannot prepare " + folder + ": " + e, e);
        }
    }

    /** Whether {@link #run} came to its end in a folder. */
    static boolean ended(Path folder) {
        return Files.exists(folder.resolve(RESULT));
    }

    /**
     * What {@link #run} has written: "result" and "environment"; null if it did not come to its end.
     *
     * @throws InvalidInput if the file is damaged
     */
    public static ObjectNode result(Path folder) {
        Path file = folder.resolve(RESULT);
        if (!ended(folder)) {
            return null;
        }
        ObjectNode all = Json.read(file);
        for (String key : List.of("result", "environment")) {
            Json.convert(all.path(key), ObjectNode.class, file + ": " + key);
        }
        return all;
    }

    /** Runs the job in a folder to its end. */
    public static void run(Path folder) {
        Path file = folder.resolve(JOB);
        ObjectNode job = Json.read(file);
        ObjectNode given = Json.convert(job.path("settings"), ObjectNode.class, file + ": settings");
        given.setAll(Json.read(folder.resolve(PLACES)));
        Settings settings = Settings.fromJson(given, file.toString());
        Architecture architecture = Architecture.parse(Json.line(job.path("architecture")), file + ": architecture");
        Dataset data = Job.data(settings);
        List<String> differences = Checkpoint.differences(job.path("data"), DataIdentity.of(data));
        if (!differences.isEmpty()) {
            throw new InvalidInput(
                    data.name() + ": has changed since the sweep was begun: " + Checkpoint.told(differences));
        }
        LatencyTable table = job.path(SweepResults.TABLE) instanceof ObjectNode json
                ? LatencyTable.parse(json, file + ": " + SweepResults.TABLE)
                : null;
        ObjectNode result;
        Device opened;
        try (Device device = Device.open(settings)) {
            opened = device;
            result = switch (SweepRun.Kind.valueOf(job.path("kind").asText())) {
                case SEARCH -> search(folder.resolve(RUN), settings, architecture, table, device, data);
                case TRAINING -> train(
                        folder.resolve(RUN),
                        settings,
                        architecture,
                        Json.convert(job.path("sizes"), int[].class, file + ": sizes"),
                        device,
                        data);
                case CONTINUOUS -> trainContinuous(folder.resolve(RUN), settings, architecture, device, data);
            };
        }
        if (opened.liveBytes() != 0) {
            throw new EffconvException(opened.liveBytes()
                    + " bytes of native memory were never given back; this is a bug, please report it");
        }
        result.set("images", images(data));
        ObjectNode all = Json.object();
        all.set("result", result);
        all.set("environment", SystemInfo.environment(opened));
        AtomicFile.write(folder.resolve(RESULT), Json.pretty(all));
    }

    private static <J extends Job<J>> J moved(J resumed, Settings settings) {
        return resumed.places(settings, Settings.table());
    }

    private static ObjectNode search(
            Path folder,
            Settings settings,
            Architecture architecture,
            LatencyTable table,
            Device device,
            Dataset data) {
        KernelSizeSearch search = RunConfig.isIn(folder)
                ? moved(KernelSizeSearch.resume(folder), settings)
                : KernelSizeSearch.of(settings, architecture).out(folder);
        SearchResult found = search.latencyTable(table).run(device, data);
        ObjectNode json = Json.object();
        json.set("layers", Json.tree(found.layers()));
        json.set("sizes", Json.tree(found.sizes()));
        json.set("softSizes", Json.tree(found.softSizes()));
        json.set("candidates", found.candidatesToJson());
        json.put("parameters", found.parameters());
        found.work().put(json.putObject(RunWork.KEY));
        return time(json, folder, batch(settings, data), found.seconds(), found.steps());
    }

    private static ObjectNode train(
            Path folder, Settings settings, Architecture architecture, int[] sizes, Device device, Dataset data) {
        Training training = RunConfig.isIn(folder)
                ? moved(Training.resume(folder), settings)
                : Training.of(settings, architecture, sizes).out(folder);
        try (TrainingResult trained = training.run(device, data)) {
            ObjectNode json = Json.object();
            json.set("sizes", Json.tree(trained.model().sizes()));
            json.put("parameters", trained.model().parameters());
            accuracy(
                    json,
                    trained.validationAccuracy(),
                    trained.testAccuracy(),
                    trained.testLoss(),
                    trained.bestEpochTestAccuracy());
            trained.work().put(json.putObject(RunWork.KEY));
            return time(json, folder, batch(settings, data), trained.seconds(), trained.steps());
        }
    }

    private static ObjectNode trainContinuous(
            Path folder, Settings settings, Architecture architecture, Device device, Dataset data) {
        FlexConvTraining training = RunConfig.isIn(folder)
                ? moved(FlexConvTraining.resume(folder), settings)
                : FlexConvTraining.of(settings, architecture).out(folder);
        FlexConvTraining.Result trained = training.run(device, data);
        Phase.Outcome outcome = trained.outcome();
        ObjectNode json = Json.object();
        json.set("sizes", Json.tree(trained.sizes()));
        json.put("parameters", trained.parameters());
        accuracy(
                json,
                outcome.validation() == null ? Double.NaN : outcome.validation().accuracy(),
                outcome.test().accuracy(),
                outcome.test().loss(),
                outcome.bestTest());
        json.set("ownSettings", own(settings, training.settings()));
        outcome.work().put(json.putObject(RunWork.KEY));
        return time(json, folder, batch(training.settings(), data), outcome.seconds(), outcome.steps());
    }

    // What a method sets for itself.
    private static ObjectNode own(Settings asked, Settings used) {
        ObjectNode own = Json.object();
        for (Setting<?> s : Settings.table()) {
            if (!asked.get(s).equals(used.get(s))) {
                own.set(s.key(), Json.tree(used.get(s)));
            }
        }
        return own;
    }

    private static void accuracy(ObjectNode json, double validation, double test, double testLoss, double best) {
        if (Double.isFinite(validation)) {
            json.put("validationAccuracy", validation);
        }
        json.put("testAccuracy", test).put("testLoss", testLoss);
        if (Double.isFinite(best)) {
            json.put("bestEpochTestAccuracyChosenOnTest", best);
        }
    }

    private static int batch(Settings settings, Dataset data) {
        return Math.min(settings.get(Settings.BATCH), data.train().count());
    }

    // The step time is that of the median epoch: the first one warms up. Of a search's first phase; in one run it may
    // have no whole epoch: the mean then.
    private static ObjectNode time(ObjectNode json, Path folder, int batch, double seconds, long steps) {
        List<ObjectNode> metrics = JsonLines.read(folder.resolve("metrics.jsonl"));
        double[] rates = metrics.stream()
                .filter(m -> m.path("phase").equals(metrics.get(0).path("phase")))
                .mapToDouble(m -> m.path("imagesPerSecond").asDouble())
                .filter(rate -> rate > 0)
                .sorted()
                .toArray();
        json.put("seconds", seconds).put("steps", steps);
        if (rates.length > 0) {
            json.put(
                    "stepMillis",
                    1000 * batch / rates[(rates.length - 1) / 2]); // of an even number the slower one, as ever
        } else if (steps > 0) {
            json.put("stepMillis", 1000 * seconds / steps);
        }
        return json;
    }

    private static ObjectNode images(Dataset data) {
        return Json.object()
                .put("train", data.train().count())
                .put("validation", data.validation().map(v -> v.count()).orElse(0))
                .put("test", data.test().count());
    }
}

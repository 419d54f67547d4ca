package org.effconv.report;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;
import org.effconv.data.Images;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.io.ElementType;
import org.effconv.io.Json;
import org.effconv.io.JsonLines;
import org.effconv.train.ModelFile;
import org.effconv.train.Phase;
import org.effconv.train.RunConfig;
import org.effconv.train.RunFolder;
import org.effconv.train.StepLog;

/**
 * What a run folder holds, as far as it is there: a run may have been interrupted, or be of an older version.
 *
 * @param summary empty without summary.json
 * @param sizes of sizes.json; empty without it
 * @param metrics lines of metrics.jsonl
 * @param steps lines of steps.jsonl
 * @param courses of the phases that were run to a step, by name, in order
 * @param test the test images, where they could be had
 * @param notes what is not there, and why, for people
 */
record RunFiles(
        Path folder,
        RunConfig config,
        ObjectNode summary,
        ObjectNode sizes,
        List<ObjectNode> metrics,
        List<ObjectNode> steps,
        Map<String, Phase.Course> courses,
        Optional<ModelFile> model,
        Optional<Images> test,
        List<String> notes) {

    /**
     * @param images gives the test images; what it throws is told by a note
     * @throws InvalidInput if the folder holds no run
     */
    static RunFiles read(Path run, Supplier<Images> images) {
        RunConfig config = RunConfig.read(run);
        List<String> notes = new ArrayList<>();
        ObjectNode summary = object(run.resolve("summary.json"), notes);
        if (summary.isEmpty()) {
            notes.add("The run has not come to its end: it is under way, or was interrupted. Accuracies and comparison"
                    + " follow once it has; below is what there is.");
        }
        if (!summary.isEmpty() && summary.findPath("classes").isMissingNode()) {
            notes.add("Counts by class are not in this run's summary.json, which is of an older version. 'effconv eval'"
                    + " prints them.");
        }
        Map<String, Phase.Course> courses = new LinkedHashMap<>();
        for (String phase : RunFolder.phases(run, "candidate")) { // not all: some are not tried
            told(() -> Phase.course(run, phase, config.identity()).orElseThrow(), notes)
                    .ifPresent(course -> courses.put(phase, course));
        }
        Path model = run.resolve("model.safetensors");
        boolean tested = !summary.findPath("mostConfused").isEmpty();
        return new RunFiles(
                run,
                config,
                summary,
                object(run.resolve("sizes.json"), notes),
                told(() -> JsonLines.read(run.resolve("metrics.jsonl")), notes).orElse(List.of()),
                told(() -> JsonLines.read(run.resolve(StepLog.FILE)), notes).orElse(List.of()),
                courses,
                Files.exists(model) ? told(() -> ModelFile.read(model, ElementType.F32), notes) : Optional.empty(),
                tested ? told(images, notes) : Optional.empty(),
                notes);
    }

    private static ObjectNode object(Path file, List<String> notes) {
        return Files.exists(file) ? told(() -> Json.read(file), notes).orElse(Json.object()) : Json.object();
    }

    // A page shows what can be read and says what cannot.
    private static <T> Optional<T> told(Supplier<T> read, List<String> notes) {
        try {
            return Optional.of(read.get());
        } catch (InvalidInput e) {
            notes.add(e.getMessage());
            return Optional.empty();
        }
    }

    JsonNode identity(String key) {
        return config.identity().path(key);
    }

    String setting(String key) {
        return config.identity().path("settings").path(key).asText();
    }

    /** Name of the data, or the folder that they are in. */
    String data() {
        return config.places().path("data").asText("unknown data");
    }

    String architecture() {
        return identity("architecture").path("name").asText("unknown architecture");
    }

    int testImages() {
        return identity("data").path("test").path("images").asInt();
    }

    /** Counts of the network that was learned, or trained, on the test part; missing in older runs. */
    JsonNode testCounts() {
        return summary.has("learned") ? summary.path("learned").path("test") : summary.path("test");
    }

    List<ObjectNode> metricsOf(String phase) {
        return metrics.stream()
                .filter(m -> m.path("phase").asText().equals(phase))
                .toList();
    }
}

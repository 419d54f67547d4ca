package org.effconv.train;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.io.Json;
import org.effconv.io.Safetensors;
import org.effconv.io.TensorData;
import org.effconv.tensor.Shape;

/**
 * Where a phase of a run stood after an epoch, or within one: one safetensors file, replaced in one move. Data order,
 * augmentation, dropout and schedule are functions of (seed, epoch, step), so the counters stand for them.
 *
 * @param identity what the run is (settings, architecture, data): a checkpoint continues only a run of equal identity
 * @param progress of the phase
 * @param tensors parameters, moments, running statistics
 * @param state what the weight source keeps beyond its parameters
 */
public record Checkpoint(
        ObjectNode identity, Progress progress, Map<String, TensorData> tensors, Map<String, double[]> state) {
    private static final String FORMAT = "effconv-checkpoint-4";
    private static final String STATE = "state/";
    private static final int TOLD = 4; // differences in a message

    /**
     * How far a phase is.
     *
     * @param phase its name
     * @param epochs epochs done
     * @param seconds time they took
     * @param loss class loss of the last one's steps, on average
     * @param bestTest largest test accuracy of any; NaN unless the test part was read after each
     * @param work of those epochs
     */
    public record Progress(String phase, int epochs, double seconds, double loss, double bestTest, Work work) {
        static Progress none(String phase) {
            return new Progress(phase, 0, 0, Double.NaN, Double.NaN, Work.NONE);
        }

        Progress of(String other) {
            return new Progress(other, epochs, seconds, loss, bestTest, work);
        }
    }

    public void write(Path file) {
        Map<String, TensorData> all = new LinkedHashMap<>(tensors);
        state.forEach((name, values) -> all.put(STATE + name, TensorData.of(Shape.of(values.length), values)));
        Map<String, String> metadata = new LinkedHashMap<>();
        metadata.put("format", FORMAT);
        metadata.put("identity", Json.line(identity));
        metadata.put("phase", progress.phase);
        metadata.put("epochs", Integer.toString(progress.epochs));
        metadata.put("seconds", Double.toString(progress.seconds));
        metadata.put("loss", Double.toString(progress.loss));
        metadata.put("bestTest", Double.toString(progress.bestTest));
        metadata.put("multiplyAdds", Double.toString(progress.work.multiplyAdds()));
        metadata.put("processorSeconds", Double.toString(progress.work.processorSeconds()));
        new Safetensors(metadata, all).write(file);
    }

    /**
     * The checkpoint in {@code file}; empty if there is none.
     *
     * @throws InvalidInput if the file is damaged or belongs to another run or phase: says what differs
     */
    public static Optional<Checkpoint> read(Path file, String phase, ObjectNode identity) {
        if (!Files.exists(file)) {
            return Optional.empty();
        }
        Safetensors stored = Safetensors.read(file);
        String format = stored.metadata().get("format");
        if (!FORMAT.equals(format)) {
            throw new InvalidInput(file + ": format '" + format + "', expected '" + FORMAT + "'");
        }
        ObjectNode found = Json.parse(text(stored, "identity", file), file + " (identity)");
        List<String> differences = differences(found, identity);
        if (!differences.isEmpty()) {
            throw new InvalidInput(file + ": is a checkpoint of another run: " + told(differences));
        }
        if (!text(stored, "phase", file).equals(phase)) {
            throw new InvalidInput(file + ": is a checkpoint of phase '" + text(stored, "phase", file)
                    + "', expected one of '" + phase + "'");
        }
        Map<String, TensorData> tensors = new LinkedHashMap<>();
        Map<String, double[]> state = new LinkedHashMap<>();
        stored.tensors().forEach((name, data) -> {
            if (name.startsWith(STATE)) {
                state.put(name.substring(STATE.length()), data.doubles());
            } else {
                tensors.put(name, data);
            }
        });
        return Optional.of(new Checkpoint(found, progress(stored, phase, file), tensors, state));
    }

    private static Progress progress(Safetensors stored, String phase, Path file) {
        try {
            Work work = new Work(number(stored, "multiplyAdds", file), number(stored, "processorSeconds", file));
            return new Progress(
                    phase,
                    Integer.parseInt(text(stored, "epochs", file)),
                    number(stored, "seconds", file),
                    number(stored, "loss", file),
                    number(stored, "bestTest", file),
                    work);
        } catch (NumberFormatException e) {
            throw new InvalidInput(file + ": metadata: " + e.getMessage(), e);
        }
    }

    private static double number(Safetensors stored, String key, Path file) {
        return Double.parseDouble(text(stored, key, file));
    }

    private static String text(Safetensors stored, String key, Path file) {
        String text = stored.metadata().get(key);
        if (text == null) {
            throw new InvalidInput(file + ": metadata '" + key + "' is missing");
        }
        return text;
    }

    /** What differs between two objects, one text per innermost field: "settings.lr is 0.1 there and 0.2 here". */
    public static List<String> differences(JsonNode there, JsonNode here) {
        List<String> found = new ArrayList<>();
        compare("", there, here, found);
        return found;
    }

    /** Differences in a sentence; the first few, if they are many. */
    public static String told(List<String> differences) {
        int more = differences.size() - TOLD;
        return String.join("; ", differences.subList(0, Math.min(TOLD, differences.size())))
                + (more > 0 ? "; and " + more + " more" : "");
    }

    private static void compare(String path, JsonNode there, JsonNode here, List<String> found) {
        if (there instanceof ObjectNode a && here instanceof ObjectNode b) {
            TreeSet<String> names = new TreeSet<>();
            a.fieldNames().forEachRemaining(names::add);
            b.fieldNames().forEachRemaining(names::add);
            for (String name : names) {
                compare(path.isEmpty() ? name : path + "." + name, a.path(name), b.path(name), found);
            }
        } else if (!there.toString().equals(here.toString())) {
            found.add(path + " is " + shown(there) + " there and " + shown(here) + " here");
        }
    }

    private static String shown(JsonNode node) {
        if (node.isMissingNode()) {
            return "absent";
        }
        String text = node.isTextual() ? "'" + node.textValue() + "'" : node.toString();
        return text.length() <= 80 ? text : text.substring(0, 77) + "...";
    }
}

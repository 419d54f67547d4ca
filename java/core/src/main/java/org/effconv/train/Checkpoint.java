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
import org.effconv.EffconvException.InvalidInput;
import org.effconv.io.Json;
import org.effconv.io.Safetensors;
import org.effconv.io.TensorData;
import org.effconv.tensor.Shape;

/**
 * Where a phase of a run stood after an epoch: one safetensors file, replaced in one move. Data order, augmentation,
 * dropout and schedule are functions of (seed, epoch, step), so the counters stand for them.
 *
 * @param identity what the run is (settings, architecture, data): a checkpoint continues only a run of equal identity
 * @param epochs   epochs done
 * @param seconds  time they took
 * @param tensors  parameters, moments, running statistics
 * @param state    what the weight source keeps beyond its parameters
 */
public record Checkpoint(
        ObjectNode identity, int epochs, double seconds, Map<String, TensorData> tensors, Map<String, double[]> state) {
    private static final String FORMAT = "effconv-checkpoint-2";
    private static final String STATE = "state/";

    public void write(Path file) {
        Map<String, TensorData> all = new LinkedHashMap<>(tensors);
        state.forEach((name, values) -> all.put(STATE + name, TensorData.of(Shape.of(values.length), values)));
        Map<String, String> metadata = new LinkedHashMap<>();
        metadata.put("format", FORMAT);
        metadata.put("identity", Json.line(identity));
        metadata.put("epochs", Integer.toString(epochs));
        metadata.put("seconds", Double.toString(seconds));
        new Safetensors(metadata, all).write(file);
    }

    /**
     * The checkpoint in {@code file}; empty if there is none.
     *
     * @throws InvalidInput if the file is damaged or belongs to another run: says what differs
     */
    public static Optional<Checkpoint> read(Path file, ObjectNode identity) {
        if (!Files.exists(file)) {
            return Optional.empty();
        }
        Safetensors stored = Safetensors.read(file);
        stored.requireCrc32(file, stored.tensors().keySet());
        String format = stored.metadata().get("format");
        if (!FORMAT.equals(format)) {
            throw new InvalidInput(file + ": format '" + format + "', expected '" + FORMAT + "'");
        }
        ObjectNode found = Json.parse(text(stored, "identity", file), file + " (identity)");
        List<String> differences = differences(found, identity);
        if (!differences.isEmpty()) {
            throw new InvalidInput(file + ": is a checkpoint of another run: " + String.join("; ", differences));
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
        try {
            return Optional.of(new Checkpoint(
                    found,
                    Integer.parseInt(text(stored, "epochs", file)),
                    Double.parseDouble(text(stored, "seconds", file)),
                    tensors,
                    state));
        } catch (NumberFormatException e) {
            throw new InvalidInput(file + ": metadata: " + e.getMessage(), e);
        }
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

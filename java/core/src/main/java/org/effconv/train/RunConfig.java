package org.effconv.train;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.Set;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.io.AtomicFile;
import org.effconv.io.Json;

/**
 * config.json: everything needed to repeat a run.
 *
 * @param command kind of job
 * @param identity what the run is: it goes on only as the same
 * @param places where it finds what it reads; these may change
 */
public record RunConfig(String command, ObjectNode identity, ObjectNode places) {
    /** Its name in a run folder. */
    public static final String FILE = "config.json";

    private static final int FORMAT = 2;
    private static final Set<String> KEYS = Set.of("command", "format", "identity", "places");

    /** Whether a folder holds a run. */
    public static boolean isIn(Path folder) {
        return Files.exists(folder.resolve(FILE));
    }

    /**
     * The configuration of the run in a folder.
     *
     * @throws InvalidInput if there is no run, or its file is damaged or of another version
     */
    public static RunConfig read(Path folder) {
        Path file = folder.resolve(FILE);
        if (!isIn(folder)) {
            throw new InvalidInput(folder + ": holds no run, " + FILE + " is missing");
        }
        ObjectNode json = Json.read(file);
        if (!json.path("format").isInt() || json.path("format").intValue() != FORMAT) {
            throw new InvalidInput(file + ": format " + (json.has("format") ? json.get("format") : "is missing")
                    + ", expected " + FORMAT + "; a run goes on with the version of EffConv that began it");
        }
        for (Iterator<String> names = json.fieldNames(); names.hasNext(); ) {
            String name = names.next();
            if (!KEYS.contains(name)) {
                throw new InvalidInput(
                        file + ": '" + name + "' is unknown, expected command, format, identity and places alone");
            }
        }
        if (!json.path("command").isTextual()) {
            throw new InvalidInput(file + ": command is " + json.get("command") + ", expected a text");
        }
        return new RunConfig(
                json.path("command").textValue(), object(json, "identity", file), object(json, "places", file));
    }

    private static ObjectNode object(ObjectNode json, String name, Path file) {
        JsonNode value = json.path(name);
        if (value instanceof ObjectNode object) {
            return object;
        }
        throw new InvalidInput(
                file + ": " + name + " is " + (value.isMissingNode() ? "missing" : value) + ", expected an object");
    }

    void write(Path folder) {
        ObjectNode json = Json.object().put("command", command).put("format", FORMAT);
        json.set("places", places);
        json.set("identity", identity);
        AtomicFile.write(folder.resolve(FILE), Json.pretty(json));
    }
}

package org.effconv.io;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.effconv.error.EffconvException.InvalidInput;

/**
 * sizes.json: the kernel size of each sized layer of an architecture.
 *
 * @param architecture name
 * @param parameters of the network of these sizes
 * @param budget that the sizes were searched for under; null if they were not
 * @param layers in network order
 */
public record SizesFile(String architecture, long parameters, Budget budget, List<Layer> layers) {
    private static final int LARGEST = 33;
    private static final String FORMAT = "effconv-sizes-1";

    /**
     * @param cost what it counts: parameters, macs or latency (milliseconds)
     * @param asked in that unit; NaN if there was a price instead
     * @param spent by the network of these sizes
     */
    public record Budget(String cost, double asked, double spent) {}

    /**
     * @param name of the layer
     * @param size k
     * @param soft v as the search left it; NaN if the size was not searched for
     */
    public record Layer(String name, int size, double soft) {}

    public int[] sizes() {
        return layers.stream().mapToInt(Layer::size).toArray();
    }

    public void write(Path file) {
        ObjectNode json = Json.object();
        json.put("format", FORMAT).put("architecture", architecture).put("parameters", parameters);
        if (budget != null) {
            json.put("cost", budget.cost).put("spent", budget.spent);
            if (Double.isFinite(budget.asked)) {
                json.put("budget", budget.asked);
            }
        }
        ArrayNode list = json.putArray("layers");
        for (Layer l : layers) {
            ObjectNode entry = list.addObject().put("name", l.name).put("size", l.size);
            if (Double.isFinite(l.soft)) {
                entry.put("soft", l.soft);
            }
        }
        AtomicFile.write(file, Json.pretty(json));
    }

    /**
     * Reads a file whole and checks it against the architecture it is for.
     *
     * @param expectedArchitecture its name
     * @param expectedLayers names of its sized layers, in order
     * @throws InvalidInput naming file, field, value and what was expected
     */
    public static SizesFile read(Path file, String expectedArchitecture, List<String> expectedLayers) {
        ObjectNode json = Json.read(file);
        JsonNode format = json.path("format"); // files from before it had one are the same otherwise
        if (!format.isMissingNode() && !format.asText().equals(FORMAT)) {
            throw new InvalidInput(file + ": format " + format + ", expected \"" + FORMAT + "\", or none");
        }
        String architecture = json.path("architecture").asText("");
        if (!architecture.equals(expectedArchitecture)) {
            throw new InvalidInput(
                    file + ": architecture '" + architecture + "', expected '" + expectedArchitecture + "'");
        }
        JsonNode list = json.path("layers");
        if (!list.isArray() || list.size() != expectedLayers.size()) {
            throw new InvalidInput(file + ": layers: " + (list.isArray() ? list.size() + " entries" : "no list")
                    + ", expected " + expectedLayers.size() + ", one per sized layer of " + expectedArchitecture);
        }
        List<Layer> layers = new ArrayList<>();
        for (int i = 0; i < list.size(); i++) {
            JsonNode entry = list.get(i);
            String at = file + ": layers[" + i + "]";
            if (!entry.path("name").asText("").equals(expectedLayers.get(i))) {
                throw new InvalidInput(
                        at + ".name: " + entry.path("name") + ", expected \"" + expectedLayers.get(i) + "\"");
            }
            JsonNode size = entry.path("size");
            if (!size.isInt() || size.intValue() < 1 || size.intValue() > LARGEST || size.intValue() % 2 == 0) {
                throw new InvalidInput(at + ".size: " + size + ", expected an odd integer from 1 to " + LARGEST);
            }
            layers.add(new Layer(
                    expectedLayers.get(i), size.intValue(), entry.path("soft").asDouble(Double.NaN)));
        }
        return new SizesFile(architecture, json.path("parameters").asLong(), budget(json), layers);
    }

    private static Budget budget(ObjectNode json) {
        if (!json.path("spent").isNumber()) {
            return null;
        }
        return new Budget(
                json.path("cost").asText(),
                json.path("budget").asDouble(Double.NaN),
                json.path("spent").asDouble());
    }
}

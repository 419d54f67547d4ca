package org.effconv.nn.layer;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import java.util.regex.Pattern;
import org.effconv.error.EffconvException.InvalidInput;

/**
 * Reads the layer lists of an architecture; every error names the source, the field, its value and what was expected.
 */
public final class LayerParser {
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9_-]{1," + NetworkLimits.NAME + "}");

    private final String source;
    private final OptionalInt defaultKmax;
    private int written;
    private int nesting;

    /**
     * @param source names the text in errors
     * @param defaultKmax of convolutions without a {@code kmax} of their own; empty if the image decides
     */
    public LayerParser(String source, OptionalInt defaultKmax) {
        this.source = source;
        this.defaultKmax = defaultKmax;
    }

    /**
     * The layers of a list, which are no more than allowed once repetitions are unrolled.
     *
     * @param path of the list, for errors
     */
    public List<Layer> layers(JsonNode node, String path) {
        if (!(node instanceof ArrayNode list)) {
            throw Fields.wrong(source, path, node, "a list of layers");
        }
        if (nesting > NetworkLimits.NESTING) {
            throw new InvalidInput(source + ": field " + Fields.shortened(path) + " stands in " + nesting
                    + " repetitions and residual blocks; expected at most " + NetworkLimits.NESTING
                    + " in one another");
        }
        nesting++;
        List<Layer> layers = each(list, path);
        nesting--;
        // Lists within this one have passed, so that the sum cannot overflow.
        long unrolled = Layer.unrolled(layers);
        if (unrolled > NetworkLimits.LAYERS) {
            throw new InvalidInput(source + ": field " + path + " holds " + NetworkLimits.number(unrolled)
                    + " layers, repetitions unrolled; expected at most " + NetworkLimits.number(NetworkLimits.LAYERS));
        }
        return layers;
    }

    private List<Layer> each(ArrayNode list, String path) {
        List<Layer> layers = new ArrayList<>();
        Map<String, Integer> ordinals = new HashMap<>();
        Set<String> names = new HashSet<>();
        for (int i = 0; i < list.size(); i++) {
            String at = path + "[" + i + "]";
            if (!(list.get(i) instanceof ObjectNode object)) {
                throw Fields.wrong(source, at, list.get(i), "an object with a field \"type\"");
            }
            if (++written > NetworkLimits.LAYERS) {
                throw new InvalidInput(source + ": field " + at + " is layer " + NetworkLimits.number(written)
                        + "; expected at most " + NetworkLimits.number(NetworkLimits.LAYERS));
            }
            Layer layer = layer(new Fields(source, at, object), ordinals);
            if (!names.add(layer.name())) {
                throw new InvalidInput(source + ": field " + at + ".name: \"" + layer.name()
                        + "\" is used twice in this list; expected a name of its own");
            }
            layers.add(layer);
        }
        return List.copyOf(layers);
    }

    private Layer layer(Fields f, Map<String, Integer> ordinals) {
        String type = f.text("type", null);
        String name = f.text("name", type + ordinals.merge(type, 1, Integer::sum));
        if (f.has("name") && !NAME.matcher(name).matches()) {
            throw f.wrong("name", "letters, digits, _ and - only, at most " + NetworkLimits.NAME);
        }
        LayerTypes.Reader reader = LayerTypes.reader(type);
        if (reader == null) {
            throw f.wrong("type", LayerTypes.expected());
        }
        Layer layer = reader.read(name, f, this);
        f.refuseOthers("a layer of type " + type);
        return layer;
    }

    /** {@code kmax} of convolutions without one of their own. */
    OptionalInt defaultKmax() {
        return defaultKmax;
    }

    /** The layers of a field, one or more. */
    List<Layer> atLeastOne(Fields f, String field) {
        List<Layer> layers = layers(f.node(field), f.at(field));
        if (layers.isEmpty()) {
            throw f.wrong(field, "at least one layer");
        }
        return layers;
    }
}

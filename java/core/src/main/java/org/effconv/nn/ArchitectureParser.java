package org.effconv.nn;

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
import java.util.TreeSet;
import java.util.regex.Pattern;
import org.effconv.backend.Activation;
import org.effconv.backend.Pooling;
import org.effconv.error.EffconvException.InvalidInput;

/**
 * Reads the layer lists of an architecture; every error names the source, the field, its value and what was expected.
 */
final class ArchitectureParser {
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9_-]{1," + NetworkLimits.NAME + "}");
    private static final int SHORT = 60;

    private final String source;
    private final OptionalInt defaultKmax;
    private int written;
    private int nesting;

    ArchitectureParser(String source, OptionalInt defaultKmax) {
        this.source = source;
        this.defaultKmax = defaultKmax;
    }

    /** The layers of a list, which are no more than allowed once repetitions are unrolled. */
    List<LayerSpec> layers(JsonNode node, String path) {
        if (!(node instanceof ArrayNode list)) {
            throw wrong(source, path, node, "a list of layers");
        }
        if (nesting > NetworkLimits.NESTING) {
            throw new InvalidInput(source + ": field " + shortened(path) + " stands in " + nesting
                    + " repetitions and residual blocks; expected at most " + NetworkLimits.NESTING
                    + " in one another");
        }
        nesting++;
        List<LayerSpec> specs = each(list, path);
        nesting--;
        // Lists within this one have passed, so that the sum cannot overflow.
        long unrolled = LayerSpec.unrolled(specs);
        if (unrolled > NetworkLimits.LAYERS) {
            throw new InvalidInput(source + ": field " + path + " holds " + NetworkLimits.number(unrolled)
                    + " layers, repetitions unrolled; expected at most " + NetworkLimits.number(NetworkLimits.LAYERS));
        }
        return specs;
    }

    private List<LayerSpec> each(ArrayNode list, String path) {
        List<LayerSpec> specs = new ArrayList<>();
        Map<String, Integer> ordinals = new HashMap<>();
        Set<String> names = new HashSet<>();
        for (int i = 0; i < list.size(); i++) {
            String at = path + "[" + i + "]";
            if (!(list.get(i) instanceof ObjectNode object)) {
                throw wrong(source, at, list.get(i), "an object with a field \"type\"");
            }
            if (++written > NetworkLimits.LAYERS) {
                throw new InvalidInput(source + ": field " + at + " is layer " + NetworkLimits.number(written)
                        + "; expected at most " + NetworkLimits.number(NetworkLimits.LAYERS));
            }
            LayerSpec spec = layer(new Fields(source, at, object), ordinals);
            if (!names.add(spec.name())) {
                throw new InvalidInput(source + ": field " + at + ".name: \"" + spec.name()
                        + "\" is used twice in this list; expected a name of its own");
            }
            specs.add(spec);
        }
        return List.copyOf(specs);
    }

    private LayerSpec layer(Fields f, Map<String, Integer> ordinals) {
        String type = f.text("type", null);
        String name = f.text("name", type + ordinals.merge(type, 1, Integer::sum));
        if (f.has("name") && !NAME.matcher(name).matches()) {
            throw f.wrong("name", "letters, digits, _ and - only, at most " + NetworkLimits.NAME);
        }
        LayerSpec spec =
                switch (type) {
                    case "conv" -> conv(name, f);
                    case "batchNorm" -> new LayerSpec.BatchNorm(name);
                    case "relu" -> new LayerSpec.Activate(name, Activation.RELU);
                    case "gelu" -> new LayerSpec.Activate(name, Activation.GELU);
                    case "pool" -> pool(name, f);
                    case "globalAveragePool" -> new LayerSpec.GlobalAveragePool(name);
                    case "linear" -> new LayerSpec.Linear(
                            name, f.integerOr("outputs", "classes", 1, NetworkLimits.CHANNELS), f.flag("bias", true));
                    case "dropout" -> new LayerSpec.Dropout(name, f.fraction("rate"));
                    case "residual" -> residual(name, f);
                    case "repeat" -> new LayerSpec.Repeat(name, f.integer("times", 1, 1000), atLeastOne(f, "layers"));
                    default -> throw f.wrong(
                            "type",
                            "conv, batchNorm, relu, gelu, pool, globalAveragePool, linear, dropout, residual or repeat");
                };
        f.refuseOthers("a layer of type " + type);
        return spec;
    }

    private LayerSpec conv(String name, Fields f) {
        OptionalInt groups =
                f.has("groups") ? f.integerOr("groups", "depthwise", 1, NetworkLimits.CHANNELS) : OptionalInt.of(1);
        if (groups.isPresent() && !f.has("channels")) {
            throw f.wrong("channels", "the number of output channels, or \"same\"");
        }
        OptionalInt channels =
                f.has("channels") ? f.integerOr("channels", "same", 1, NetworkLimits.CHANNELS) : OptionalInt.empty();
        OptionalInt kernel = f.has("kernel") ? f.oddOr("kernel", "learned") : OptionalInt.empty();
        for (String field : List.of("kmax", "defaultKernel")) {
            if (kernel.isPresent() && f.has(field)) {
                throw f.wrong(field, "no such field beside a fixed kernel");
            }
        }
        OptionalInt kmax = f.has("kmax") ? f.oddOr("kmax", null) : defaultKmax;
        int defaultKernel =
                f.has("defaultKernel") ? f.oddOr("defaultKernel", null).getAsInt() : 3;
        return new LayerSpec.Conv(
                name,
                channels,
                kernel,
                defaultKernel,
                kmax,
                f.has("stride") ? f.integer("stride", 1, 2) : 1,
                groups,
                f.flag("bias", false));
    }

    private static LayerSpec pool(String name, Fields f) {
        String kind = f.text("kind", null);
        if (!kind.equals("max") && !kind.equals("average")) {
            throw f.wrong("kind", "\"max\" or \"average\"");
        }
        int size = f.integer("size", 1, 64);
        int stride = f.has("stride") ? f.integer("stride", 1, 64) : size;
        int padding = f.has("padding") ? f.integer("padding", 0, size - 1) : 0;
        return new LayerSpec.Pool(
                name, new Pooling(kind.equals("max") ? Pooling.Kind.MAX : Pooling.Kind.AVERAGE, size, stride, padding));
    }

    private LayerSpec residual(String name, Fields f) {
        List<LayerSpec> body = atLeastOne(f, "body");
        List<LayerSpec> shortcut = f.has("shortcut") ? layers(f.node("shortcut"), f.at("shortcut")) : List.of();
        String activation = f.text("activation", "none");
        if (!activation.equals("none") && !activation.equals("relu")) {
            throw f.wrong("activation", "\"none\" or \"relu\"");
        }
        return new LayerSpec.Residual(
                name, body, shortcut, activation.equals("relu") ? Activation.RELU : Activation.NONE);
    }

    private List<LayerSpec> atLeastOne(Fields f, String field) {
        List<LayerSpec> layers = layers(f.node(field), f.at(field));
        if (layers.isEmpty()) {
            throw f.wrong(field, "at least one layer");
        }
        return layers;
    }

    static InvalidInput wrong(String source, String field, JsonNode value, String expected) {
        String found = value == null || value.isMissingNode() ? "is missing" : "is " + shortened(value.toString());
        return new InvalidInput(source + ": field " + field + " " + found + "; expected " + expected);
    }

    private static String shortened(String text) {
        return text.length() <= SHORT ? text : text.substring(0, SHORT - 3) + "...";
    }

    /** The fields of one object, each read at most once; what nobody asked for is refused. */
    static final class Fields {
        private final String source;
        private final String path;
        private final ObjectNode object;
        private final Set<String> known = new TreeSet<>();

        Fields(String source, String path, ObjectNode object) {
            this.source = source;
            this.path = path;
            this.object = object;
        }

        String at(String field) {
            return path.isEmpty() ? field : path + "." + field;
        }

        boolean has(String field) {
            known.add(field);
            return object.has(field);
        }

        JsonNode node(String field) {
            known.add(field);
            return object.path(field);
        }

        InvalidInput wrong(String field, String expected) {
            return ArchitectureParser.wrong(source, at(field), node(field), expected);
        }

        /** @param fallback for an absent field; null if the field must be there */
        String text(String field, String fallback) {
            if (fallback != null && !has(field)) {
                return fallback;
            }
            if (!node(field).isTextual()) {
                throw wrong(field, "a text");
            }
            return node(field).textValue();
        }

        boolean flag(String field, boolean fallback) {
            if (!has(field)) {
                return fallback;
            }
            if (!node(field).isBoolean()) {
                throw wrong(field, "true or false");
            }
            return node(field).booleanValue();
        }

        int integer(String field, int least, int most) {
            JsonNode n = node(field);
            if (!n.isInt() || n.intValue() < least || n.intValue() > most) {
                throw wrong(field, "a whole number from " + least + " to " + most);
            }
            return n.intValue();
        }

        /** A whole number, or empty for {@code word}. */
        OptionalInt integerOr(String field, String word, int least, int most) {
            JsonNode n = node(field);
            if (n.isTextual() && n.textValue().equals(word)) {
                return OptionalInt.empty();
            }
            if (!n.isInt() || n.intValue() < least || n.intValue() > most) {
                throw wrong(field, "a whole number from " + least + " to " + most + ", or \"" + word + "\"");
            }
            return OptionalInt.of(n.intValue());
        }

        /** A kernel size, or empty for {@code word} (null if there is no such word). */
        OptionalInt oddOr(String field, String word) {
            JsonNode n = node(field);
            if (word != null && n.isTextual() && n.textValue().equals(word)) {
                return OptionalInt.empty();
            }
            if (!n.isInt() || n.intValue() < 1 || n.intValue() > NetworkLimits.KERNEL || n.intValue() % 2 == 0) {
                throw wrong(
                        field,
                        "an odd number from 1 to " + NetworkLimits.KERNEL
                                + (word == null ? "" : ", or \"" + word + "\""));
            }
            return OptionalInt.of(n.intValue());
        }

        double fraction(String field) {
            JsonNode n = node(field);
            if (!n.isNumber() || !(n.doubleValue() >= 0 && n.doubleValue() < 1)) {
                throw wrong(field, "a number from 0 to below 1");
            }
            return n.doubleValue();
        }

        void refuseOthers(String what) {
            object.fieldNames().forEachRemaining(field -> {
                if (!known.contains(field)) {
                    throw new InvalidInput(source + ": field " + at(shortened(field)) + " is unknown; " + what
                            + " has the fields " + String.join(", ", known));
                }
            });
        }
    }
}

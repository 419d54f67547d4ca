package org.effconv.nn.layer;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeSet;
import org.effconv.error.EffconvException.InvalidInput;

/**
 * The fields of one object of an architecture; what nobody asked for is refused. All readers throw {@link InvalidInput}
 * for a value of another kind: it names the source, the field, the value and what was expected.
 */
public final class Fields {
    private static final int SHORT = 60;

    private final String source;
    private final String path;
    private final ObjectNode object;
    private final Set<String> known = new TreeSet<>();

    /**
     * @param source names the text in errors
     * @param path of the object in it; empty for the whole
     */
    public Fields(String source, String path, ObjectNode object) {
        this.source = source;
        this.path = path;
        this.object = object;
    }

    /** The full path of a field, for errors. */
    public String at(String field) {
        return path.isEmpty() ? field : path + "." + field;
    }

    /** Whether a field is there; asking makes it known. */
    public boolean has(String field) {
        known.add(field);
        return object.has(field);
    }

    /** A field's value, or a missing node. */
    public JsonNode node(String field) {
        known.add(field);
        return object.path(field);
    }

    /** To be thrown where a field is not what was expected. */
    public InvalidInput wrong(String field, String expected) {
        return wrong(source, at(field), node(field), expected);
    }

    /**
     * A text.
     *
     * @param fallback for an absent field; null if the field must be there
     */
    public String text(String field, String fallback) {
        if (fallback != null && !has(field)) {
            return fallback;
        }
        if (!node(field).isTextual()) {
            throw wrong(field, "a text");
        }
        return node(field).textValue();
    }

    /** True or false. */
    public boolean flag(String field, boolean fallback) {
        if (!has(field)) {
            return fallback;
        }
        if (!node(field).isBoolean()) {
            throw wrong(field, "true or false");
        }
        return node(field).booleanValue();
    }

    /** A whole number from {@code least} to {@code most}; the field must be there. */
    public int integer(String field, int least, int most) {
        JsonNode n = node(field);
        if (!n.isInt() || n.intValue() < least || n.intValue() > most) {
            throw wrong(field, "a whole number from " + least + " to " + most);
        }
        return n.intValue();
    }

    /** A whole number, or empty for {@code word}. */
    public OptionalInt integerOr(String field, String word, int least, int most) {
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
    public OptionalInt oddOr(String field, String word) {
        JsonNode n = node(field);
        if (word != null && n.isTextual() && n.textValue().equals(word)) {
            return OptionalInt.empty();
        }
        if (!n.isInt() || n.intValue() < 1 || n.intValue() > NetworkLimits.KERNEL || n.intValue() % 2 == 0) {
            throw wrong(
                    field,
                    "an odd number from 1 to " + NetworkLimits.KERNEL + (word == null ? "" : ", or \"" + word + "\""));
        }
        return OptionalInt.of(n.intValue());
    }

    /** A number from 0 to below 1. */
    public double fraction(String field) {
        JsonNode n = node(field);
        if (!n.isNumber() || !(n.doubleValue() >= 0 && n.doubleValue() < 1)) {
            throw wrong(field, "a number from 0 to below 1");
        }
        return n.doubleValue();
    }

    /**
     * Called last.
     *
     * @param what the object is, for the error
     * @throws InvalidInput if the object has a field that nobody asked for
     */
    public void refuseOthers(String what) {
        object.fieldNames().forEachRemaining(field -> {
            if (!known.contains(field)) {
                throw new InvalidInput(source + ": field " + at(shortened(field)) + " is unknown; " + what
                        + " has the fields " + String.join(", ", known));
            }
        });
    }

    static InvalidInput wrong(String source, String field, JsonNode value, String expected) {
        String found = value == null || value.isMissingNode() ? "is missing" : "is " + shortened(value.toString());
        return new InvalidInput(source + ": field " + field + " " + found + "; expected " + expected);
    }

    static String shortened(String text) {
        return text.length() <= SHORT ? text : text.substring(0, SHORT - 3) + "...";
    }
}

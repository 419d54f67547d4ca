package org.effconv.nn;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalInt;
import java.util.regex.Pattern;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.io.Digest;
import org.effconv.io.Json;
import org.effconv.nn.layer.Fields;
import org.effconv.nn.layer.Layer;
import org.effconv.nn.layer.LayerParser;
import org.effconv.nn.layer.NetworkLimits;

/**
 * An immutable, checked description of a network whose convolution sizes are open. It is written in JSON, the built-in
 * ones too; see {@code org/effconv/nn/*.json} beside this class. {@link #plan} binds it to an input.
 */
public final class Architecture {
    private static final List<String> BUILT_INS = BuiltIns.names();

    private static final Pattern NO_NAME =
            Pattern.compile("[/\\\\\\p{Cntrl}]"); // run folders are named after architectures

    private final String source;
    private final String name;
    private final String description;
    private final List<Layer> layers;
    private final String json;

    private Architecture(String source, String name, String description, List<Layer> layers, String json) {
        this.source = source;
        this.name = name;
        this.description = description;
        this.layers = layers;
        this.json = json;
    }

    /** Names that {@link #named} knows, in alphabetical order. */
    public static List<String> builtIns() {
        return BUILT_INS;
    }

    /** @throws InvalidInput if there is no such built-in */
    public static Architecture named(String name) {
        if (!BUILT_INS.contains(name)) {
            throw new InvalidInput("architecture \"" + name + "\" is unknown; expected one of "
                    + String.join(", ", BUILT_INS) + ", or the path of a .json file");
        }
        String resource = name + ".json";
        try (InputStream in = Architecture.class.getResourceAsStream(resource)) {
            if (in == null) {
                throw new IllegalStateException("the library's jar lacks " + resource);
            }
            return parse(new String(in.readAllBytes(), StandardCharsets.UTF_8), resource);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /**
     * @throws InvalidInput if the file cannot be read or its contents are wrong: names file, field, value and
     *     expectation
     */
    public static Architecture read(Path file) {
        return of(Json.read(file, NetworkLimits.FILE), file.toString());
    }

    /**
     * @param source names the text in errors
     * @throws InvalidInput as {@link #read}
     */
    public static Architecture parse(String json, String source) {
        return of(Json.parse(json, source), source);
    }

    private static Architecture of(ObjectNode root, String source) {
        Fields f = new Fields(source, "", root);
        String name = f.text("name", null);
        if (name.isBlank()
                || name.length() > NetworkLimits.NAME
                || NO_NAME.matcher(name).find()) {
            throw f.wrong(
                    "name",
                    "1 to " + NetworkLimits.NAME
                            + " characters, none of them a slash, a backslash or a control character");
        }
        String description = f.text("description", "");
        OptionalInt kmax = f.has("kmax") ? f.oddOr("kmax", null) : OptionalInt.empty();
        List<Layer> layers = new LayerParser(source, kmax).layers(f.node("layers"), "layers");
        f.refuseOthers("an architecture");
        if (!Layer.learnKernels(layers)) {
            throw new InvalidInput(
                    source + ": field layers holds no convolution with a learned kernel; expected at least one");
        }
        return new Architecture(source, name, description, layers, Json.line(root));
    }

    /** Where it was read, for errors: a file, or a part of one. */
    String source() {
        return source;
    }

    public String name() {
        return name;
    }

    /** One sentence for people; may be empty. */
    public String description() {
        return description;
    }

    /** The description on one line: equal for equal architectures read from differently formatted files. */
    public String json() {
        return json;
    }

    /** Tells architectures of one name apart: the {@link Digest} of {@link #json}. */
    public String digest() {
        return Digest.of(json);
    }

    List<Layer> layers() {
        return layers;
    }

    /**
     * Infers all shapes.
     *
     * @throws InvalidInput if the images are smaller than the network needs, or its layers do not fit together
     */
    public NetworkPlan plan(NetworkPlan.Input input) {
        return NetworkPlan.of(this, input);
    }

    @Override
    public boolean equals(Object o) {
        return o instanceof Architecture other && json.equals(other.json);
    }

    @Override
    public int hashCode() {
        return json.hashCode();
    }

    @Override
    public String toString() {
        return "Architecture " + name;
    }
}

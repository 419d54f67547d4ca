package org.effconv.io;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectWriter;
import com.fasterxml.jackson.databind.cfg.CoercionAction;
import com.fasterxml.jackson.databind.cfg.CoercionInputShape;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.type.LogicalType;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import org.effconv.error.EffconvException.InvalidInput;

/**
 * JSON files with errors that name the file: duplicate keys, trailing text and values of another kind (3.7 or "3" for
 * an integer) are refused.
 */
public final class Json {
    private static final ObjectMapper MAPPER = JsonMapper.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
            .disable(DeserializationFeature.ACCEPT_FLOAT_AS_INT)
            .disable(MapperFeature.ALLOW_COERCION_OF_SCALARS)
            .withCoercionConfig(
                    LogicalType.Textual, texts -> texts.setCoercion(CoercionInputShape.Integer, CoercionAction.Fail)
                            .setCoercion(CoercionInputShape.Float, CoercionAction.Fail)
                            .setCoercion(CoercionInputShape.Boolean, CoercionAction.Fail))
            .build();
    private static final ObjectWriter PRETTY = MAPPER.writerWithDefaultPrettyPrinter();

    private static final int MOST_BYTES = 256 << 20;

    private Json() {}

    public static ObjectNode object() {
        return MAPPER.createObjectNode();
    }

    /** Any value (record, map, list, number, node) as a tree. */
    public static JsonNode tree(Object value) {
        return MAPPER.valueToTree(value);
    }

    /** @throws InvalidInput if the file is missing, unreadable, longer than any of EffConv's or holds no JSON object */
    public static ObjectNode read(Path file) {
        return read(file, MOST_BYTES);
    }

    /**
     * @param most bytes that the file may have
     * @throws InvalidInput as {@link #read(Path)}
     */
    public static ObjectNode read(Path file, int most) {
        return parse(text(bytes(file, most), file.toString()), file.toString());
    }

    /** All bytes of a file of lines. */
    static byte[] bytes(Path file) {
        return bytes(file, MOST_BYTES);
    }

    private static byte[] bytes(Path file, int most) {
        if (Files.isDirectory(file)) {
            throw new InvalidInput(file + ": is a folder, expected a file");
        }
        try (InputStream in = Files.newInputStream(file)) {
            byte[] bytes = in.readNBytes(most + 1); // and no more, whatever the file's length
            if (bytes.length > most) {
                throw new InvalidInput(file + ": is longer than " + most + " bytes; expected at most that many");
            }
            return bytes;
        } catch (NoSuchFileException e) {
            throw new InvalidInput(file + ": no such file");
        } catch (IOException e) {
            throw new InvalidInput(file + ": cannot be read: " + e, e);
        }
    }

    /** Bytes as text. */
    static String text(byte[] bytes, String source) {
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(bytes))
                    .toString();
        } catch (CharacterCodingException e) {
            throw new InvalidInput(source + ": holds bytes that are no text, expected JSON in UTF-8", e);
        }
    }

    /**
     * @param source names the text in errors
     * @throws InvalidInput if the text is not one JSON object
     */
    public static ObjectNode parse(String text, String source) {
        JsonNode node;
        try {
            node = MAPPER.readTree(text);
        } catch (JsonProcessingException e) {
            boolean lines = text.indexOf('\n') >= 0;
            String where = e.getLocation() == null
                    ? ""
                    : lines
                            ? " at line " + e.getLocation().getLineNr()
                            : " at column " + e.getLocation().getColumnNr();
            throw new InvalidInput(source + ": no valid JSON" + where + ": " + e.getOriginalMessage(), e);
        }
        if (!(node instanceof ObjectNode object)) {
            boolean nothing = node == null || node.isMissingNode();
            throw new InvalidInput(source + ": expected a JSON object, found "
                    + (nothing ? "nothing" : node.getNodeType().toString().toLowerCase(java.util.Locale.ROOT)));
        }
        return object;
    }

    /**
     * @param source names the node in errors
     * @throws InvalidInput if the node is not of this type
     */
    public static <T> T convert(JsonNode node, Class<T> type, String source) {
        try {
            T value = MAPPER.treeToValue(node, type);
            if (value != null) {
                return value;
            }
        } catch (JsonProcessingException e) {
            throw new InvalidInput(source + ": " + e.getOriginalMessage(), e);
        }
        throw new InvalidInput(source + ": is missing, expected " + type.getSimpleName());
    }

    /** Indented, with a line end. */
    public static String pretty(Object value) {
        try {
            return PRETTY.writeValueAsString(value) + "\n";
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("no JSON for " + value.getClass(), e);
        }
    }

    /** On one line, without a line end. */
    public static String line(Object value) {
        try {
            return MAPPER.writeValueAsString(value);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("no JSON for " + value.getClass(), e);
        }
    }
}

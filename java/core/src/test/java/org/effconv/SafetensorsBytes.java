package org.effconv;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.zip.CRC32;
import org.effconv.io.Json;
import org.effconv.io.TensorData;

/** Safetensors files as another program writes them: tensors in the order of the map, any metadata, any padding. */
public final class SafetensorsBytes {
    private SafetensorsBytes() {}

    /** @param padding spaces behind the header */
    public static Path write(Path file, Map<String, String> metadata, Map<String, TensorData> tensors, int padding) {
        ObjectNode header = Json.object();
        long offset = 0;
        for (Map.Entry<String, TensorData> e : tensors.entrySet()) {
            TensorData t = e.getValue();
            long end = offset + t.bytes().limit();
            ObjectNode entry = header.putObject(e.getKey());
            entry.putArray("data_offsets").add(offset).add(end);
            entry.set("shape", Json.tree(t.shape().dims()));
            entry.put("dtype", t.type().name());
            offset = end;
        }
        if (metadata != null) {
            header.set("__metadata__", Json.tree(metadata));
        }
        byte[] json = (Json.line(header) + " ".repeat(padding)).getBytes(StandardCharsets.UTF_8);
        ByteBuffer all =
                ByteBuffer.allocate(Math.toIntExact(8 + json.length + offset)).order(ByteOrder.LITTLE_ENDIAN);
        all.putLong(json.length).put(json);
        tensors.values().forEach(t -> all.put(t.bytes()));
        try {
            return Files.write(file, all.array());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** All metadata of a file, whatever it is for. */
    public static Map<String, String> metadata(Path file) throws IOException {
        Map<String, String> texts = new LinkedHashMap<>();
        header(Files.readAllBytes(file))
                .path("__metadata__")
                .properties()
                .forEach(e -> texts.put(e.getKey(), e.getValue().textValue()));
        return texts;
    }

    /** Where a file's values begin. */
    public static int valuesAt(byte[] file) {
        return 8 + (int) ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN).getLong();
    }

    private static ObjectNode header(byte[] file) {
        return Json.parse(new String(Arrays.copyOfRange(file, 8, valuesAt(file)), StandardCharsets.UTF_8), "header");
    }

    /** The checksum of files of the first version: of the values one after the other. */
    public static String crc32(Collection<TensorData> written) {
        CRC32 crc = new CRC32();
        written.forEach(t -> crc.update(t.bytes()));
        return Long.toHexString(crc.getValue());
    }
}

package org.effconv.io;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.effconv.error.EffconvException.InvalidInput;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SizesFileTest {
    private static final SizesFile FULL = new SizesFile(
            "mine",
            120,
            new SizesFile.Budget("macs", 1e6, 9e5),
            List.of(new SizesFile.Layer("first", 3, 2.5), new SizesFile.Layer("second", 5, Double.NaN)));
    private static final SizesFile BARE =
            new SizesFile("mine", 120, null, List.of(new SizesFile.Layer("first", 3, Double.NaN)));

    @TempDir
    Path folder;

    private ObjectNode written(SizesFile sizes) {
        Path file = folder.resolve("sizes.json");
        sizes.write(file);
        return Json.read(file);
    }

    @Test
    void whatWasWrittenIsReadAgain() {
        written(FULL);
        assertEquals(FULL, SizesFile.read(folder.resolve("sizes.json"), "mine", List.of("first", "second")));
    }

    @Test
    void aFileFromBeforeItHadAFormatIsRead() throws Exception {
        Path file = folder.resolve("sizes.json");
        ObjectNode json = written(BARE);
        json.remove("format");
        Files.writeString(file, json.toString());
        assertEquals(BARE, SizesFile.read(file, "mine", List.of("first")));
    }

    @Test
    void anotherFormatIsRefused() throws Exception {
        Path file = folder.resolve("sizes.json");
        Files.writeString(file, written(BARE).put("format", "effconv-sizes-2").toString());
        String message = assertThrows(InvalidInput.class, () -> SizesFile.read(file, "mine", List.of("first")))
                .getMessage();
        assertEquals(file + ": format \"effconv-sizes-2\", expected \"effconv-sizes-1\", or none", message);
    }

    @Test
    void theSchemaHasWhatIsWritten() {
        ObjectNode schema = Json.read(Path.of("../../docs/reference/sizes.schema.json"));
        JsonNode layers = schema.path("properties").path("layers").path("items");
        for (SizesFile sizes : List.of(FULL, BARE)) {
            ObjectNode json = written(sizes);
            requireKeys(schema, json);
            assertEquals(schema.path("properties").path("format").path("const"), json.path("format"));
            json.path("layers").forEach(layer -> requireKeys(layers, layer));
        }
    }

    private static void requireKeys(JsonNode schema, JsonNode value) {
        value.fieldNames()
                .forEachRemaining(key -> assertTrue(schema.path("properties").has(key), key));
        schema.path("required").forEach(key -> assertTrue(value.has(key.asText()), key.asText()));
    }
}

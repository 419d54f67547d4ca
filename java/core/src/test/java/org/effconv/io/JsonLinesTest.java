package org.effconv.io;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.effconv.error.EffconvException.InvalidInput;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class JsonLinesTest {
    private static final String WHOLE = "{\"n\":1}\n{\"n\":2}\n";

    @TempDir
    Path folder;

    // Latin-1 gives each character the byte of its number: bytes that are no UTF-8 can be written down.
    private Path file(String bytes) throws IOException {
        return Files.write(folder.resolve("lines.jsonl"), bytes.getBytes(StandardCharsets.ISO_8859_1));
    }

    private static List<Integer> numbers(Path file) {
        return JsonLines.read(file).stream().map(json -> json.path("n").asInt()).toList();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"n\":3",
                "\0\0\0\0",
                "\u00ff\u00fe",
                "\u00ff\u00fe\n",
                "\0\0\0\n",
                "{\"n\":\u00e4\n",
                "3\n",
                "\n",
                "\u00c3"
            })
    void whatATornWriteLeavesAtTheEndCountsAsNotWritten(String torn) throws IOException {
        Path file = file(WHOLE + torn);
        assertEquals(List.of(1, 2), numbers(file));
        assertEquals(List.of(), JsonLines.retain(file, json -> true));
        assertEquals(WHOLE, Files.readString(file));
        JsonLines.append(file, Json.object().put("n", 3));
        assertEquals(List.of(1, 2, 3), numbers(file));
    }

    @ParameterizedTest
    @ValueSource(strings = {"\u00ff\u00fe", "\0\0", "{\"n\":", "3", ""})
    void aDamagedLineWithOthersBehindItIsRefusedByFileAndLine(String damaged) throws IOException {
        byte[] before = Files.readAllBytes(file("{\"n\":1}\n" + damaged + "\n{\"n\":3}\n"));
        Path file = folder.resolve("lines.jsonl");
        for (String message : List.of(
                assertThrows(InvalidInput.class, () -> JsonLines.read(file)).getMessage(),
                assertThrows(InvalidInput.class, () -> JsonLines.retain(file, json -> true))
                        .getMessage())) {
            assertTrue(message.startsWith(file + " line 2: "), message);
        }
        assertArrayEquals(before, Files.readAllBytes(file));
    }

    @Test
    void linesThatAreNotKeptAreHandedBack() throws IOException {
        Path file = file(WHOLE);
        assertEquals(
                List.of(Json.object().put("n", 2)),
                JsonLines.retain(file, json -> json.path("n").asInt() < 2));
        assertEquals(List.of(1), numbers(file));
    }

    @Test
    void aFolderInThePlaceOfTheFileIsNamed() throws IOException {
        Path file = Files.createDirectories(folder.resolve("lines.jsonl"));
        String message =
                assertThrows(InvalidInput.class, () -> JsonLines.read(file)).getMessage();
        assertEquals(file + ": is a folder, expected a file", message);
        assertEquals(
                message, assertThrows(InvalidInput.class, () -> Json.read(file)).getMessage());
    }

    @Test
    void bytesThatAreNoTextAreNoJson() throws IOException {
        String message = assertThrows(InvalidInput.class, () -> Json.read(file("{\"a\": \"\u00ff\"}")))
                .getMessage();
        assertTrue(message.contains("lines.jsonl: holds bytes that are no text, expected JSON in UTF-8"), message);
    }
}

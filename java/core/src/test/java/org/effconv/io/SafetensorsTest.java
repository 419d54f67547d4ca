package org.effconv.io;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.effconv.SafetensorsBytes;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.tensor.Shape;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SafetensorsTest {
    @TempDir
    Path folder;

    @Test
    void whatIsWrittenIsReadBack() {
        Map<String, TensorData> tensors = new LinkedHashMap<>();
        tensors.put("z", TensorData.of(Shape.of(2, 3), 1f, -0f, Float.NaN, 4f, Float.MIN_VALUE, 6f));
        tensors.put("a", TensorData.of(Shape.of(), Math.PI));
        tensors.put("empty", TensorData.of(Shape.of(0, 4), new float[0]));
        tensors.put("i \"quoted\"", TensorData.of(Shape.of(3), 7, -8, Integer.MIN_VALUE));
        Path file = folder.resolve("x.safetensors");
        new Safetensors(Map.of("key", "value\n\"e"), tensors).write(file);

        Safetensors back = Safetensors.read(file);
        assertEquals(Map.of("key", "value\n\"e"), back.metadata());
        assertEquals(List.copyOf(tensors.keySet()), List.copyOf(back.tensors().keySet()));
        assertArrayEquals(tensors.get("z").floats(), back.tensors().get("z").floats());
        assertArrayEquals(new double[] {Math.PI}, back.tensors().get("a").doubles());
        assertEquals(Shape.of(0, 4), back.tensors().get("empty").shape());
        assertArrayEquals(
                new int[] {7, -8, Integer.MIN_VALUE},
                back.tensors().get("i \"quoted\"").ints());
        assertEquals(List.of("x.safetensors"), names());
    }

    @Test
    void readsAFileOfTheFormatWrittenByHand() throws IOException {
        Path file = file("{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8);
        assertArrayEquals(
                new float[2], Safetensors.read(file).tensors().get("w").floats());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "{\"w\":{\"dtype\":\"F17\",\"shape\":[2],\"data_offsets\":[0,4]}} | 4 | dtype \"F17\", expected one of [F64, F32,",
                "{\"w\":{\"dtype\":\"F4\",\"shape\":[3],\"data_offsets\":[0,1]}} | 1 | expected 1 bytes for F4 [3]",
                "{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}} | 7 | holds 7 bytes of values, its header names 8",
                "{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}} | 9 | holds 9 bytes of values, its header names 8",
                "{\"w\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}} | 8 | expected 12 bytes",
                "{\"w\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,8]}} | 8 | expected extents of 0",
                "{\"w\":{\"dtype\":\"F32\",\"shape\":[65536,65536,65536,65536],\"data_offsets\":[0,0]}} | 0 | more than 2147483647 elements",
                "{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}} | 12 | begins at byte 4, expected 0",
                "{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"v\":{\"dtype\":\"I32\",\"shape\":[2],\"data_offsets\":[4,12]}} | 12 | begins at byte 4, expected 8",
                "{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"w\":{\"dtype\":\"I32\",\"shape\":[2],\"data_offsets\":[8,16]}} | 16 | Duplicate",
                "{\"w\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":{\"a\":0,\"b\":4}}} | 4 | expected [begin, end]",
                "{\"w\":{\"dtype\":\"F32\",\"shape\":[2000000000],\"data_offsets\":[0,8000000000]}} | 0 | up to 2 GiB",
                "{\"w\":3} | 0 | dtype",
                "[1] | 0 | expected a JSON object",
                "{{ | 0 | no valid JSON",
                "{\"__metadata__\":{\"sha256\":\"1\"},\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}} | 8 | damaged",
            })
    void aBrokenFileIsNamedAndRefused(String header, int bytes, String message) throws IOException {
        Path file = file(header, bytes);
        InvalidInput e = assertThrows(InvalidInput.class, () -> Safetensors.read(file));
        assertTrue(e.getMessage().startsWith(file.toString()), e.getMessage());
        assertTrue(e.getMessage().contains(message), e.getMessage());
    }

    @Test
    void tensorsOfEveryTypeAreRead() throws IOException {
        int[] bitsOfFour = {256, 128, 64, 64, 256, 128, 64, 32, 256, 128, 64, 32, 32, 256, 32, 32, 32, 24, 24, 16};
        for (ElementType type : ElementType.values()) {
            int bytes = bitsOfFour[type.ordinal()] / 8;
            Path file = file(
                    "{\"w\":{\"dtype\":\"" + type + "\",\"shape\":[4],\"data_offsets\":[0," + bytes + "]}}", bytes);
            assertEquals(
                    bytes, Safetensors.read(file).tensors().get("w").bytes().limit(), type.name());
        }
    }

    /** As the format is documented, so that other programs can check it. */
    @Test
    void theChecksumIsOfTheTensorsByName() throws Exception {
        Map<String, TensorData> tensors = new LinkedHashMap<>();
        tensors.put("z", TensorData.of(Shape.of(2, 1), 1f, 2f));
        tensors.put("a", TensorData.of(Shape.of(), 3));
        Path file = folder.resolve("x");
        new Safetensors(Map.of("key", "value"), tensors).write(file);
        MessageDigest digest = MessageDigest.getInstance("SHA-256");
        digest.update("a I32 \n".getBytes(StandardCharsets.UTF_8));
        digest.update(new byte[] {3, 0, 0, 0});
        digest.update("z F32 2,1\n".getBytes(StandardCharsets.UTF_8));
        digest.update(new byte[] {0, 0, (byte) 0x80, 0x3f, 0, 0, 0, 0x40});
        assertEquals(
                HexFormat.of().formatHex(digest.digest()),
                SafetensorsBytes.metadata(file).get("sha256"));
    }

    @Test
    void theChecksumHoldsInAnyOrderAndNoticesEveryChange() throws IOException {
        Map<String, TensorData> tensors = new LinkedHashMap<>();
        tensors.put("z", TensorData.of(Shape.of(2, 3), 1f, 2f, 3f, 4f, 5f, 6f));
        tensors.put("a", TensorData.of(Shape.of(2), 7.0, 8.0));
        Path file = folder.resolve("x");
        new Safetensors(Map.of("key", "value"), tensors).write(file);
        Map<String, String> metadata = SafetensorsBytes.metadata(file);
        metadata.put("more", "text");
        for (int padding = 0; padding < 10; padding++) {
            Safetensors back = Safetensors.read(
                    SafetensorsBytes.write(folder.resolve("other"), metadata, new TreeMap<>(tensors), padding));
            assertEquals(Map.of("key", "value", "more", "text"), back.metadata());
            assertEquals(tensors, back.tensors());
        }
        List<Map<String, TensorData>> others = List.of(
                Map.of("a", tensors.get("a")),
                Map.of("a", tensors.get("a"), "y", tensors.get("z")),
                Map.of(
                        "a",
                        tensors.get("a"),
                        "z",
                        TensorData.of(Shape.of(3, 2), tensors.get("z").floats())),
                Map.of("a", TensorData.of(Shape.of(2), 7.0, 8.5), "z", tensors.get("z")),
                Map.of(
                        "a",
                        new TensorData(
                                ElementType.I64, Shape.of(2), tensors.get("a").bytes()),
                        "z",
                        tensors.get("z")));
        for (Map<String, TensorData> other : others) {
            Path changed = SafetensorsBytes.write(folder.resolve("other"), metadata, other, 0);
            assertTrue(assertThrows(InvalidInput.class, () -> Safetensors.read(changed))
                    .getMessage()
                    .contains("damaged"));
        }
    }

    @Test
    void theCrcOfEarlierFilesIsOfTheValuesAsTheyWereWritten() {
        Map<String, TensorData> tensors = new LinkedHashMap<>();
        tensors.put("z", TensorData.of(Shape.of(1), 1f));
        tensors.put("a", TensorData.of(Shape.of(1), 2f));
        Map<String, String> metadata = Map.of("crc32", SafetensorsBytes.crc32(tensors.values()));
        Path file = SafetensorsBytes.write(folder.resolve("x"), metadata, new TreeMap<>(tensors), 0);
        Safetensors back = Safetensors.read(file);
        back.requireCrc32(file, List.of("z", "a"));
        assertThrows(InvalidInput.class, () -> back.requireCrc32(file, List.of("a", "z")));
    }

    @Test
    void everyTruncationIsRefused() throws IOException {
        Path whole = folder.resolve("whole");
        new Safetensors(Map.of(), Map.of("w", TensorData.of(Shape.of(3), 1f, 2f, 3f))).write(whole);
        byte[] bytes = Files.readAllBytes(whole);
        for (int n = 0; n < bytes.length; n++) {
            Path cut = Files.write(folder.resolve("cut"), java.util.Arrays.copyOf(bytes, n));
            assertThrows(InvalidInput.class, () -> Safetensors.read(cut), n + " of " + bytes.length + " bytes");
        }
        bytes[bytes.length - 1] ^= 1;
        Path flipped = Files.write(folder.resolve("flipped"), bytes);
        assertThrows(InvalidInput.class, () -> Safetensors.read(flipped));
        assertThrows(InvalidInput.class, () -> Safetensors.read(folder.resolve("absent")));
    }

    @Test
    void aFailedWriteLeavesTheOldFile() throws IOException {
        Path file = Files.writeString(folder.resolve("f"), "old");
        assertThrows(
                RuntimeException.class,
                () -> AtomicFile.write(file, out -> {
                    out.write(1);
                    throw new IOException("disk full");
                }));
        assertEquals("old", Files.readString(file));
        assertEquals(List.of("f"), names());
    }

    private List<String> names() {
        try (var files = Files.list(folder)) {
            return files.map(p -> p.getFileName().toString()).toList();
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    private Path file(String header, int bytes) throws IOException {
        byte[] json = header.getBytes(StandardCharsets.UTF_8);
        ByteBuffer b = ByteBuffer.allocate(8 + json.length + bytes).order(ByteOrder.LITTLE_ENDIAN);
        b.putLong(json.length).put(json);
        return Files.write(folder.resolve("f"), b.array());
    }

    @Test
    void onlyMatricesOfWholeBytesAreTransposed() {
        TensorData halves = new TensorData(ElementType.F4, Shape.of(2, 2), ByteBuffer.allocate(2));
        assertThrows(IllegalArgumentException.class, () -> halves.transposed(2, 2, Shape.of(2, 2)));
        TensorData bytes = new TensorData(ElementType.U8, Shape.of(2, 2), ByteBuffer.allocate(4));
        assertThrows(IllegalArgumentException.class, () -> bytes.transposed(0, 2, Shape.of(2, 2)));
    }
}

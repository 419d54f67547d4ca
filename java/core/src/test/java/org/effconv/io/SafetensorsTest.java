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
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.effconv.EffconvException.InvalidInput;
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
        assertArrayEquals(new int[] {7, -8, Integer.MIN_VALUE}, back.tensors().get("i \"quoted\"").ints());
        assertEquals(List.of("x.safetensors"), names());
    }

    @Test
    void readsAFileOfTheFormatWrittenByHand() throws IOException {
        Path file = file("{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8);
        assertArrayEquals(new float[2], Safetensors.read(file).tensors().get("w").floats());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "{\"w\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[0,4]}} | 4 | dtype \"F16\", expected F32, F64 or I32",
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
                "{\"__metadata__\":{\"crc32\":\"1\"},\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}} | 8 | damaged",
            })
    void aBrokenFileIsNamedAndRefused(String header, int bytes, String message) throws IOException {
        Path file = file(header, bytes);
        InvalidInput e = assertThrows(InvalidInput.class, () -> Safetensors.read(file));
        assertTrue(e.getMessage().startsWith(file.toString()), e.getMessage());
        assertTrue(e.getMessage().contains(message), e.getMessage());
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
        assertThrows(RuntimeException.class, () -> AtomicFile.write(file, out -> {
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
}

package org.effconv.io;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.zip.CRC32;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.tensor.Shape;

/**
 * Named tensors in the safetensors format: eight bytes of header length (little-endian), a JSON header {@code {name:
 * {"dtype", "shape", "data_offsets"}, "__metadata__": {text: text}}}, then the values, little-endian and without gaps.
 *
 * <p>Files written here carry a checksum in their metadata, which is checked when it is there: the SHA-256 over all
 * tensors in the order of their names, of each the line {@code name dtype extent,extent,...\n} in UTF-8 and then the
 * bytes of its values. So it holds for the same tensors in whatever order and with whatever padding a file has them,
 * and whatever else its metadata says.
 *
 * @param metadata text by key, without the checksum
 * @param tensors by name, in file order
 */
public record Safetensors(Map<String, String> metadata, Map<String, TensorData> tensors) {
    private static final String METADATA = "__metadata__";
    private static final String CHECKSUM = "sha256";
    private static final String CRC = "crc32"; // of files from before the checksum
    private static final long LARGEST_HEADER = 100L << 20;

    private static final int LARGEST_TENSOR = Integer.MAX_VALUE - 16; // bytes that an array holds

    private record Range(String name, ElementType type, Shape shape, long begin, long end) {
        static final Comparator<Range> IN_FILE =
                Comparator.comparingLong(Range::begin).thenComparingLong(Range::end);
    }

    /** Replaces {@code file} in one move (see {@link AtomicFile}). */
    public void write(Path file) {
        ObjectNode header = Json.object();
        ObjectNode texts = header.putObject(METADATA);
        metadata.forEach(texts::put);
        texts.put(CHECKSUM, checksum());
        long offset = 0;
        for (Map.Entry<String, TensorData> e : tensors.entrySet()) {
            TensorData t = e.getValue();
            ObjectNode entry = header.putObject(e.getKey());
            entry.put("dtype", t.type().name());
            var shape = entry.putArray("shape");
            for (int d : t.shape().dims()) {
                shape.add(d);
            }
            long end = offset + t.bytes().limit();
            entry.putArray("data_offsets").add(offset).add(end);
            offset = end;
        }
        byte[] json = padded(Json.line(header));
        AtomicFile.write(file, out -> {
            out.write(ByteBuffer.allocate(8)
                    .order(ByteOrder.LITTLE_ENDIAN)
                    .putLong(json.length)
                    .array());
            out.write(json);
            for (TensorData t : tensors.values()) {
                ByteBuffer b = t.bytes();
                out.write(b.array(), b.arrayOffset(), b.limit());
            }
        });
    }

    /**
     * Reads a whole file; every entry is checked before any is handed out.
     *
     * @throws InvalidInput naming the file and what is wrong with it
     */
    public static Safetensors read(Path file) {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            return read(file, channel);
        } catch (NoSuchFileException e) {
            throw new InvalidInput(file + ": no such file");
        } catch (IOException e) {
            throw new InvalidInput(file + ": cannot be read: " + e, e);
        }
    }

    private static Safetensors read(Path file, FileChannel channel) throws IOException {
        long size = channel.size();
        if (size < 8) {
            throw new InvalidInput(file + ": truncated: " + size + " bytes, a safetensors file has at least 8");
        }
        long length = bytes(file, channel, 0, 8).getLong();
        if (length < 2 || length > LARGEST_HEADER || length > size - 8) {
            throw new InvalidInput(file + ": no safetensors file, or truncated: header length " + length
                    + " in a file of " + size + " bytes");
        }
        String json = StandardCharsets.UTF_8
                .decode(bytes(file, channel, 8, (int) length))
                .toString();
        ObjectNode header = Json.parse(json.trim(), file + " (header)");
        Map<String, String> metadata = metadata(file, header);
        List<Range> ranges = ranges(file, header, size - 8 - length);
        Map<String, TensorData> tensors = new LinkedHashMap<>();
        for (Range r : ranges) {
            tensors.put(r.name, new TensorData(r.type, r.shape, bytes(file, channel, 8 + length + r.begin, (int)
                    (r.end - r.begin))));
        }
        String expected = metadata.remove(CHECKSUM);
        Safetensors stored = new Safetensors(metadata, tensors);
        if (expected != null) {
            stored.require(file, CHECKSUM, expected, stored.checksum());
        }
        return stored;
    }

    /**
     * Checks the CRC-32 of the values, one after the other as they were written, which files from before the checksum
     * carry. It depends on the order in which they were written; whoever knows that can check a file that another
     * library has put into another order.
     *
     * @param file named in errors
     * @param order names of all tensors, as they were written
     * @throws InvalidInput if there is such a number and the values have another
     */
    public void requireCrc32(Path file, Collection<String> order) {
        if (metadata.containsKey(CRC)) {
            CRC32 crc = new CRC32();
            order.forEach(name -> crc.update(tensors.get(name).bytes()));
            require(file, CRC, metadata.get(CRC), Long.toHexString(crc.getValue()));
        }
    }

    private void require(Path file, String key, String expected, String found) {
        if (!found.equals(expected)) {
            throw new InvalidInput(file + ": damaged, or changed since it was written: the tensors have " + key + " "
                    + found + ", the metadata says " + expected + "; whoever changed them on purpose removes '" + key
                    + "' from the metadata");
        }
    }

    private String checksum() {
        MessageDigest digest = Digest.sha256();
        new TreeMap<>(tensors).forEach((name, t) -> {
            String shape =
                    IntStream.of(t.shape().dims()).mapToObj(Integer::toString).collect(Collectors.joining(","));
            digest.update((name + " " + t.type() + " " + shape + "\n").getBytes(StandardCharsets.UTF_8));
            digest.update(t.bytes());
        });
        return HexFormat.of().formatHex(digest.digest());
    }

    private static ByteBuffer bytes(Path file, FileChannel channel, long from, int count) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(count).order(ByteOrder.LITTLE_ENDIAN);
        while (bytes.hasRemaining()) {
            if (channel.read(bytes, from + bytes.position()) < 0) {
                throw new InvalidInput(file + ": became shorter while it was read");
            }
        }
        return bytes.flip();
    }

    private static Map<String, String> metadata(Path file, ObjectNode header) {
        Map<String, String> texts = new TreeMap<>();
        JsonNode node = header.remove(METADATA);
        if (node == null) {
            return texts;
        }
        for (Map.Entry<String, JsonNode> e : node.properties()) {
            if (!e.getValue().isTextual()) {
                throw new InvalidInput(file + ": metadata '" + e.getKey() + "': expected text, found " + e.getValue());
            }
            texts.put(e.getKey(), e.getValue().textValue());
        }
        return texts;
    }

    private static List<Range> ranges(Path file, ObjectNode header, long available) {
        List<Range> ranges = new ArrayList<>();
        for (Map.Entry<String, JsonNode> e : header.properties()) {
            ranges.add(range(file, e.getKey(), e.getValue()));
        }
        List<Range> byOffset = new ArrayList<>(ranges);
        byOffset.sort(Range.IN_FILE);
        long next = 0;
        for (Range r : byOffset) {
            if (r.begin != next) {
                throw new InvalidInput(file + ": tensor '" + r.name + "' begins at byte " + r.begin + ", expected "
                        + next + " (neither gaps nor overlaps are allowed)");
            }
            next = r.end;
        }
        if (next != available) {
            throw new InvalidInput(
                    file + ": holds " + available + " bytes of values, its header names " + next + " (truncated?)");
        }
        return ranges;
    }

    private static Range range(Path file, String name, JsonNode entry) {
        String at = file + ": tensor '" + name + "': ";
        ElementType type = type(entry.path("dtype"), at);
        JsonNode dims = entry.path("shape");
        if (!dims.isArray()) {
            throw new InvalidInput(at + "shape " + dims + ", expected a list of extents");
        }
        int[] shape = new int[dims.size()];
        long count = 1;
        for (int i = 0; i < shape.length; i++) {
            JsonNode d = dims.get(i);
            if (!d.isInt() || d.intValue() < 0) {
                throw new InvalidInput(at + "shape " + dims + ", expected extents of 0 to " + Integer.MAX_VALUE);
            }
            shape[i] = d.intValue();
            count = Math.multiplyHigh(count, shape[i]) == 0 ? count * shape[i] : Long.MAX_VALUE;
            if (count < 0 || count > Integer.MAX_VALUE) {
                throw new InvalidInput(at + "shape " + dims + " has more than " + Integer.MAX_VALUE + " elements");
            }
        }
        JsonNode offsets = entry.path("data_offsets");
        if (!offsets.isArray()
                || offsets.size() != 2
                || !offsets.get(0).isIntegralNumber()
                || !offsets.get(1).isIntegralNumber()) {
            throw new InvalidInput(at + "data_offsets " + offsets + ", expected [begin, end]");
        }
        long begin = offsets.get(0).longValue();
        long end = offsets.get(1).longValue();
        long bits = type.bits(count);
        if (begin < 0 || end - begin != bits / 8 || bits % 8 != 0) {
            throw new InvalidInput(
                    at + "data_offsets " + offsets + ", expected " + bits / 8 + " bytes for " + type + " " + dims);
        }
        if (end - begin > LARGEST_TENSOR) {
            throw new InvalidInput(at + (end - begin) + " bytes; tensors of up to 2 GiB are read");
        }
        return new Range(name, type, Shape.of(shape), begin, end);
    }

    private static ElementType type(JsonNode dtype, String at) {
        try {
            return ElementType.valueOf(dtype.asText());
        } catch (IllegalArgumentException e) {
            throw new InvalidInput(
                    at + "dtype " + dtype + ", expected one of " + Arrays.toString(ElementType.values()), e);
        }
    }

    // The format asks for a header that ends on a multiple of eight bytes, filled up with spaces.
    private static byte[] padded(String json) {
        byte[] text = json.getBytes(StandardCharsets.UTF_8);
        byte[] all = Arrays.copyOf(text, (text.length + 7) / 8 * 8);
        Arrays.fill(all, text.length, all.length, (byte) ' ');
        return all;
    }
}

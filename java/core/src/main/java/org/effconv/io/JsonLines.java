package org.effconv.io;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Predicate;
import org.effconv.error.EffconvException.InvalidInput;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A file of one JSON object a line, which grows at its end. A line cut by a kill, or torn by a power cut, counts as not
 * written.
 */
public final class JsonLines {
    private static final Logger LOG = LoggerFactory.getLogger(JsonLines.class);

    private JsonLines() {}

    /**
     * Appends a line and waits until the disk has it. What a killed writer left of a line must have been dropped before
     * ({@link #retain}).
     */
    public static void append(Path file, ObjectNode json) {
        ByteBuffer rest = ByteBuffer.wrap((Json.line(json) + "\n").getBytes(StandardCharsets.UTF_8));
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.APPEND)) {
            while (rest.hasRemaining()) {
                channel.write(rest);
            }
            channel.force(false);
        } catch (IOException e) {
            throw new UncheckedIOException("cannot write " + file + ": " + e, e);
        }
    }

    /**
     * All whole lines; none if there is no file.
     *
     * @throws InvalidInput if the file cannot be read or a line but the last is no JSON object in UTF-8: names file and
     *     line
     */
    public static List<ObjectNode> read(Path file) {
        return lines(file).stream().map(Line::json).toList();
    }

    /**
     * Drops the lines that are not to be kept, and one that was cut; the others stay as they are.
     *
     * @return the lines that were not to be kept
     * @throws InvalidInput as {@link #read}; the file is then as it was
     */
    public static List<ObjectNode> retain(Path file, Predicate<ObjectNode> kept) {
        List<ObjectNode> dropped = new ArrayList<>();
        if (!Files.exists(file)) {
            return dropped;
        }
        StringBuilder text = new StringBuilder();
        for (Line line : lines(file)) {
            if (kept.test(line.json)) {
                text.append(line.text).append('\n');
            } else {
                dropped.add(line.json);
            }
        }
        AtomicFile.write(file, text.toString());
        return dropped;
    }

    private record Line(String text, ObjectNode json) {}

    // Each line is on the disk before the next is begun, so that only the last can be torn: cut, or of bytes that a
    // file system had
    // reserved and not yet written when the power went.
    private static List<Line> lines(Path file) {
        if (!Files.exists(file)) {
            return List.of();
        }
        byte[] bytes = Json.bytes(file);
        List<Line> lines = new ArrayList<>();
        int begin = 0;
        for (int end = lineEnd(bytes, begin); end < bytes.length; end = lineEnd(bytes, begin)) {
            String source = file + " line " + (lines.size() + 1);
            try {
                String text = Json.text(Arrays.copyOfRange(bytes, begin, end), source);
                lines.add(new Line(text, Json.parse(text, source)));
            } catch (InvalidInput e) {
                if (lineEnd(bytes, end + 1) < bytes.length) {
                    throw e;
                }
                LOG.warn("{}; it is the last one and counts as not written", e.getMessage());
                break;
            }
            begin = end + 1;
        }
        return lines;
    }

    // Of the line that begins at an index; the length of all if it has none.
    private static int lineEnd(byte[] bytes, int from) {
        int at = from;
        while (at < bytes.length && bytes[at] != '\n') {
            at++;
        }
        return at;
    }
}

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
import java.util.List;
import java.util.function.Predicate;
import org.effconv.EffconvException.InvalidInput;

/** A file of one JSON object a line, which grows at its end. A line cut by a kill counts as not written. */
public final class JsonLines {
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
     * @throws InvalidInput if the file cannot be read or a line is no JSON object: names file and line
     */
    public static List<ObjectNode> read(Path file) {
        List<ObjectNode> objects = new ArrayList<>();
        int number = 0;
        for (String line : lines(file)) {
            number++;
            objects.add(Json.parse(line, file + " line " + number));
        }
        return objects;
    }

    /** Drops the lines that are not to be kept, and one that was cut; the others stay as they are. */
    public static void retain(Path file, Predicate<ObjectNode> kept) {
        if (!Files.exists(file)) {
            return;
        }
        StringBuilder text = new StringBuilder();
        int number = 0;
        for (String line : lines(file)) {
            number++;
            if (kept.test(Json.parse(line, file + " line " + number))) {
                text.append(line).append('\n');
            }
        }
        AtomicFile.write(file, text.toString());
    }

    private static List<String> lines(Path file) {
        if (!Files.exists(file)) {
            return List.of();
        }
        try {
            String text = Files.readString(file);
            return text.substring(0, text.lastIndexOf('\n') + 1).lines().toList();
        } catch (IOException e) {
            throw new InvalidInput(file + ": cannot be read: " + e, e);
        }
    }
}

package org.effconv.train;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.effconv.EffconvException.InvalidInput;
import org.effconv.io.AtomicFile;
import org.effconv.io.FileLock;
import org.effconv.io.Json;
import org.effconv.io.JsonLines;
import org.effconv.tensor.Construction;

/**
 * The folder of one run: config.json, log.txt, metrics.jsonl, sizes.json, model.safetensors, summary.json and .txt,
 * checkpoint/. One process at a time works in it (checkpoint/lock).
 */
public final class RunFolder implements AutoCloseable {
    private static final String CONFIG = "config.json";
    private static final String CHECKPOINT = "checkpoint";
    private static final String LOCK = "lock";

    private final Path path;
    private final FileLock lock;

    private RunFolder(Path path, FileLock lock) {
        this.path = path;
        this.lock = lock;
    }

    /**
     * Checks, without writing, that a new run may use {@code path}.
     *
     * @throws InvalidInput if something is there already
     */
    public static void requireFree(Path path) {
        if (Files.exists(path.resolve(CONFIG))) {
            throw new InvalidInput(path + ": holds another run (config.json); choose another folder, or continue that run with --resume "
                    + path);
        }
        if (Files.exists(path) && !isUnused(path)) {
            throw new InvalidInput(path + ": is not an empty folder, expected one or a name that is not taken");
        }
        Path there = path.toAbsolutePath(); // or the nearest folder above it
        while (there != null && !Files.exists(there)) {
            there = there.getParent();
        }
        if (there == null || !Files.isDirectory(there) || !Files.isWritable(there)) {
            throw new InvalidInput(path + ": cannot be made, " + there + " is no folder one may write to");
        }
    }

    // Empty, or what a run that was killed while it made its folder has left: a lock, and a config.json that was not finished.
    private static boolean isUnused(Path path) {
        return onlyHas(path, entry -> AtomicFile.isLeftoverOf(entry, CONFIG)
                || entry.endsWith(CHECKPOINT) && onlyHas(entry, inner -> inner.endsWith(LOCK) && Files.isRegularFile(inner)));
    }

    private static boolean onlyHas(Path folder, Predicate<Path> known) {
        if (!Files.isDirectory(folder)) {
            return false;
        }
        try (Stream<Path> content = Files.list(folder)) {
            return content.allMatch(known);
        } catch (IOException e) {
            throw new InvalidInput(folder + ": cannot be read: " + e, e);
        }
    }

    /** Makes the folder of a new run. */
    public static RunFolder create(Path path, ObjectNode config) {
        requireFree(path);
        try {
            Files.createDirectories(path.resolve(CHECKPOINT));
        } catch (IOException e) {
            throw new UncheckedIOException("cannot create " + path + ": " + e, e);
        }
        try (Construction construction = new Construction()) {
            RunFolder folder = construction.own(lock(path));
            AtomicFile.removeLeftovers(path);
            AtomicFile.write(folder.file(CONFIG), Json.pretty(config));
            construction.done();
            return folder;
        }
    }

    /**
     * The configuration of the run in {@code path}; writes nothing.
     *
     * @throws InvalidInput if there is no run
     */
    public static ObjectNode config(Path path) {
        if (!Files.exists(path.resolve(CONFIG))) {
            throw new InvalidInput(path + ": holds no run, config.json is missing");
        }
        return Json.read(path.resolve(CONFIG));
    }

    /** Opens the folder of a run that is to go on. */
    public static RunFolder open(Path path) {
        config(path);
        try (Construction construction = new Construction()) {
            RunFolder folder = construction.own(lock(path));
            AtomicFile.removeLeftovers(path);
            AtomicFile.removeLeftovers(path.resolve(CHECKPOINT));
            construction.done();
            return folder;
        }
    }

    private static RunFolder lock(Path path) {
        return FileLock.take(path.resolve(CHECKPOINT).resolve(LOCK)).map(lock -> new RunFolder(path, lock))
                .orElseThrow(() -> new InvalidInput(path + ": somebody else is working on this run"));
    }

    public Path path() {
        return path;
    }

    public Path file(String name) {
        return path.resolve(name);
    }

    /** The checkpoint of a phase. */
    public Path checkpoint(String phase) {
        return path.resolve(CHECKPOINT).resolve(phase + ".safetensors");
    }

    public void appendMetrics(EpochMetrics metrics) {
        JsonLines.append(file("metrics.jsonl"), metrics.toJson());
    }

    /** Drops lines of epochs that will be run again: those of {@code phase} after {@code epochsDone}, and a line cut by a kill. */
    public void rewindMetrics(String phase, int epochsDone) {
        JsonLines.retain(file("metrics.jsonl"),
                json -> !json.path("phase").asText().equals(phase) || json.path("epoch").asInt() <= epochsDone);
    }

    /** The largest test accuracy that metrics.jsonl has of a phase; NaN if it has none. */
    double bestTestAccuracy(String phase) {
        return JsonLines.read(file("metrics.jsonl")).stream()
                .filter(json -> json.path("phase").asText().equals(phase) && json.path("testAccuracy").isNumber())
                .mapToDouble(json -> json.path("testAccuracy").asDouble())
                .max()
                .orElse(Double.NaN);
    }

    /** The loss that metrics.jsonl has of the last epoch of a phase; NaN if it has none. */
    double lastLoss(String phase) {
        return JsonLines.read(file("metrics.jsonl")).stream()
                .filter(json -> json.path("phase").asText().equals(phase))
                .mapToDouble(json -> json.path("loss").asDouble())
                .reduce(Double.NaN, (before, last) -> last);
    }

    @Override
    public void close() {
        lock.close();
    }
}

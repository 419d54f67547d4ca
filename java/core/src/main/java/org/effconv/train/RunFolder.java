package org.effconv.train;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.io.AtomicFile;
import org.effconv.io.FileLock;
import org.effconv.io.JsonLines;
import org.effconv.io.ShellWord;
import org.effconv.tensor.Construction;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The folder of one run: config.json, log.txt, metrics.jsonl, sizes.json, model.safetensors, summary.json and .txt,
 * checkpoint/. One process at a time works in it (checkpoint/lock).
 */
public final class RunFolder implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(RunFolder.class);
    private static final String CONFIG = RunConfig.FILE;
    private static final String METRICS = "metrics.jsonl";
    private static final List<String> FILES = List.of(
            METRICS,
            "log.txt",
            "sizes.json",
            "budgets.json",
            "model.safetensors",
            "summary.json",
            "summary.txt",
            StepLog.FILE,
            "report.html");
    private static final String CHECKPOINT = "checkpoint";
    private static final String SUFFIX = ".safetensors";
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
            throw new InvalidInput(path
                    + ": holds another run (config.json); choose another folder, or continue that run with --resume "
                    + ShellWord.of(path));
        }
        if (Files.exists(path) && !isUnused(path, CONFIG, CHECKPOINT)) {
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

    /**
     * Whether a folder is empty, or has no more than what is left of a process that was killed while it made it.
     *
     * @param first the file that it writes first, which may not be finished
     * @param locks the folder with its lock
     */
    public static boolean isUnused(Path path, String first, String locks) {
        return onlyHas(
                path,
                entry -> AtomicFile.isLeftoverOf(entry, first)
                        || entry.endsWith(locks)
                                && onlyHas(entry, inner -> inner.endsWith(LOCK) && Files.isRegularFile(inner)));
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
    public static RunFolder create(Path path, RunConfig config) {
        requireFree(path);
        try {
            Files.createDirectories(path.resolve(CHECKPOINT));
        } catch (IOException e) {
            throw new UncheckedIOException("cannot create " + path + ": " + e, e);
        }
        try (Construction construction = new Construction()) {
            RunFolder folder = construction.own(lock(path));
            AtomicFile.removeLeftovers(path);
            config.write(path);
            construction.done();
            return folder;
        }
    }

    /**
     * Checks, without writing, that the run in {@code path} can go on: its files can be read and are its own.
     *
     * @param withoutCheckpoint what comes of a phase whose checkpoint is removed, as the end of a message
     * @throws InvalidInput naming the file that is not
     */
    public static void requireWhole(Path path, ObjectNode identity, String withoutCheckpoint) {
        Path checkpoints = path.resolve(CHECKPOINT);
        if (Files.exists(checkpoints) && !Files.isDirectory(checkpoints)) {
            throw new InvalidInput(checkpoints + ": is a file, expected the folder of the run's checkpoints");
        }
        for (Path folder : List.of(path, checkpoints)) {
            if (Files.exists(folder) && !Files.isWritable(folder)) {
                throw new InvalidInput(
                        folder
                                + ": cannot be written to, and a run goes on in its own folder; expected one that can, a copy maybe");
            }
        }
        for (String name : FILES) {
            if (Files.isDirectory(path.resolve(name))) {
                throw new InvalidInput(path.resolve(name) + ": is a folder, expected a file of the run, or nothing");
            }
        }
        try {
            JsonLines.read(path.resolve(METRICS));
        } catch (InvalidInput e) {
            throw new InvalidInput(
                    e.getMessage() + "; once that line is removed, or the file, the run goes on without what it told",
                    e);
        }
        if (Files.exists(checkpoints)) {
            try (DirectoryStream<Path> found = Files.newDirectoryStream(checkpoints, "*" + SUFFIX)) {
                for (Path file : found) {
                    requireCheckpoint(file, identity, withoutCheckpoint);
                }
            } catch (IOException e) {
                throw new InvalidInput(checkpoints + ": cannot be read: " + e, e);
            }
        }
    }

    private static void requireCheckpoint(Path file, ObjectNode identity, String without) {
        String name = file.getFileName().toString();
        try {
            Checkpoint.read(file, name.substring(0, name.length() - SUFFIX.length()), identity);
        } catch (InvalidInput e) {
            throw new InvalidInput(e.getMessage() + "; " + without, e);
        }
    }

    /**
     * Opens the folder of a run that is to go on.
     *
     * @param config with the places that the run has from now on
     */
    public static RunFolder open(Path path, RunConfig config) {
        boolean moved = !Checkpoint.differences(RunConfig.read(path).places(), config.places())
                .isEmpty();
        try {
            Files.createDirectories(
                    path.resolve(CHECKPOINT)); // may have been removed, to save room; the run then begins anew
        } catch (IOException e) {
            throw new UncheckedIOException("cannot create " + path.resolve(CHECKPOINT) + ": " + e, e);
        }
        try (Construction construction = new Construction()) {
            RunFolder folder = construction.own(lock(path));
            AtomicFile.removeLeftovers(path);
            AtomicFile.removeLeftovers(path.resolve(CHECKPOINT));
            if (moved) {
                config.write(path);
            }
            construction.done();
            return folder;
        }
    }

    private static RunFolder lock(Path path) {
        return FileLock.take(path.resolve(CHECKPOINT).resolve(LOCK))
                .map(lock -> new RunFolder(path, lock))
                .orElseThrow(() -> new InvalidInput(path + ": somebody else is working on this run"));
    }

    public Path path() {
        return path;
    }

    public Path file(String name) {
        return path.resolve(name);
    }

    /** The checkpoint of a phase. */
    Path checkpoint(String phase) {
        return checkpoint(path, phase);
    }

    /** The checkpoint of a phase of the run in {@code path}. */
    public static Path checkpoint(Path path, String phase) {
        return path.resolve(CHECKPOINT).resolve(phase + SUFFIX);
    }

    /**
     * The phases of the run in {@code path} that have a checkpoint and whose names are {@code kind} and a number, by
     * rising number.
     */
    public static List<String> phases(Path path, String kind) {
        if (!Files.isDirectory(path.resolve(CHECKPOINT))) {
            return List.of();
        }
        try (Stream<Path> files = Files.list(path.resolve(CHECKPOINT))) {
            return files.map(file -> file.getFileName().toString())
                    .filter(name -> name.matches(kind + "[0-9]{1,6}\\" + SUFFIX))
                    .map(name -> name.substring(0, name.length() - SUFFIX.length()))
                    .sorted(Comparator.comparingInt(name -> Integer.parseInt(name.substring(kind.length()))))
                    .toList();
        } catch (IOException e) {
            throw new InvalidInput(path.resolve(CHECKPOINT) + ": cannot be read: " + e, e);
        }
    }

    public void appendMetrics(EpochMetrics metrics) {
        JsonLines.append(file(METRICS), metrics.toJson());
    }

    /**
     * Drops lines of epochs that will be run again: those of {@code phase} after {@code epochsDone}, and a line cut by
     * a kill.
     */
    public void rewindMetrics(String phase, int epochsDone) {
        List<ObjectNode> again = JsonLines.retain(
                file(METRICS), json -> !isOf(json, phase) || json.path("epoch").asInt() <= epochsDone);
        if (again.size() > 1) { // one is what a kill leaves: a line, and no checkpoint yet
            LOG.warn(
                    "{} has no checkpoint of {} epochs of {} that {} tells of: they are run again",
                    path,
                    again.size(),
                    phase,
                    METRICS);
        }
        long told = JsonLines.read(file(METRICS)).stream()
                .filter(json -> isOf(json, phase))
                .count();
        if (told < epochsDone) {
            LOG.warn(
                    "{} tells of {} of the {} epochs of {} that are done: its other lines are lost",
                    file(METRICS),
                    told,
                    epochsDone,
                    phase);
        }
    }

    /** Repeats the lines of a phase as those of another, which goes on from where it was left. */
    public void copyMetrics(String phase, String other) {
        JsonLines.read(file(METRICS)).stream()
                .filter(json -> isOf(json, phase))
                .forEachOrdered(
                        json -> JsonLines.append(file(METRICS), json.deepCopy().put("phase", other)));
    }

    private static boolean isOf(ObjectNode line, String phase) {
        return line.path("phase").asText().equals(phase);
    }

    @Override
    public void close() {
        lock.close();
    }
}

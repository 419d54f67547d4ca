package org.effconv.sweep;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.io.AtomicFile;
import org.effconv.io.FileLock;
import org.effconv.io.Json;
import org.effconv.io.JsonLines;
import org.effconv.tensor.Construction;
import org.effconv.train.Checkpoint;
import org.effconv.train.RunFolder;

/**
 * The folder of a sweep: results.jsonl (a line per finished run), sweep.json (what all runs have in common), work/
 * (runs that are not finished). One process at a time appends to it.
 */
public final class SweepResults implements AutoCloseable {
    /** The file with a line per finished run. */
    public static final String FILE = "results.jsonl";

    static final int FORMAT = 3;
    static final String DATA = "data"; // in sweep.json: the digest of each dataset, by name
    static final String TABLE = "latencyTable"; // the digest of one, there and in rows
    private static final String COMMON = "sweep.json";
    private static final String WORK = "work";

    private final Path folder;
    private final FileLock lock;
    private final Map<String, ObjectNode> rows = new LinkedHashMap<>();

    private SweepResults(Path folder, FileLock lock) {
        this.folder = folder;
        this.lock = lock;
        JsonLines.retain(file(), row -> true); // drops a line that a kill has cut
        for (ObjectNode row : JsonLines.read(file())) {
            if (!row.path("id").isTextual()
                    || !row.path("result").isObject()
                    || !row.path("environment").isObject()) {
                throw new InvalidInput(file() + ": row '" + row.path("id").asText()
                        + "': expected id, result and environment of a finished run");
            }
            rows.put(row.path("id").asText(), row);
        }
    }

    /**
     * What the sweep in a folder calls its datasets, by their digests; empty without one.
     *
     * @throws InvalidInput if its sweep.json is damaged
     */
    public static Map<String, String> dataNames(Path folder) {
        Map<String, String> names = new LinkedHashMap<>();
        if (Files.exists(folder.resolve(COMMON))) {
            Json.read(folder.resolve(COMMON))
                    .path(DATA)
                    .properties()
                    .forEach(e -> names.put(e.getValue().asText(), e.getKey()));
        }
        return names;
    }

    /**
     * Checks, without writing, that the sweep in {@code folder}, if there is one, was made with what {@code common}
     * says.
     *
     * @throws InvalidInput if it was not, or something else is in the folder
     */
    public static void requireSame(Path folder, ObjectNode common) {
        Path file = folder.resolve(COMMON);
        if (Files.exists(file)) {
            ObjectNode there = Json.read(file);
            if (there.path("format").asInt() != FORMAT) {
                throw new InvalidInput(file + ": format " + there.path("format") + ", expected " + FORMAT
                        + "; a sweep goes on with the version of EffConv that began it");
            }
            ObjectNode here = common.deepCopy();
            JsonNode known = there.remove(DATA);
            JsonNode asked = here.remove(DATA); // a list: it may grow
            List<String> differences = Checkpoint.differences(there, here);
            asked.properties().stream()
                    .filter(d -> known != null
                            && known.has(d.getKey())
                            && !known.get(d.getKey()).equals(d.getValue()))
                    .forEach(d -> differences.add("data '" + d.getKey() + "' are not the images that they were"));
            if (!differences.isEmpty()) {
                throw new InvalidInput(folder + ": holds a sweep with other settings: " + Checkpoint.told(differences)
                        + "; expected the same, or another --out");
            }
        } else if (Files.exists(folder) && !RunFolder.isUnused(folder, COMMON, WORK)) {
            throw new InvalidInput(folder + ": is neither a sweep nor an empty folder");
        }
    }

    /** The finished rows in a folder, whoever works in it; writes nothing. */
    public static List<ObjectNode> read(Path folder) {
        return JsonLines.read(folder.resolve(FILE));
    }

    /**
     * Begins a sweep in {@code folder}, or goes on with the one that is there.
     *
     * @throws InvalidInput as {@link #requireSame}, or if another process works there
     */
    public static SweepResults open(Path folder, ObjectNode common) {
        requireSame(folder, common);
        try (Construction construction = new Construction()) {
            Files.createDirectories(folder.resolve(WORK));
            FileLock lock = construction.own(FileLock.take(folder.resolve(WORK).resolve("lock"))
                    .orElseThrow(() -> new InvalidInput(folder + ": somebody else is working on this sweep")));
            AtomicFile.removeLeftovers(folder);
            SweepResults results = new SweepResults(folder, lock);
            ObjectNode all = common.deepCopy();
            dataNames(folder).forEach((digest, name) -> ((ObjectNode) all.path(DATA)).put(name, digest));
            AtomicFile.write(folder.resolve(COMMON), Json.pretty(all));
            construction.done();
            return results;
        } catch (IOException e) {
            throw new UncheckedIOException("cannot begin a sweep in " + folder + ": " + e, e);
        }
    }

    public Path file() {
        return folder.resolve(FILE);
    }

    /** Where a run that is not finished has its files. */
    public Path work(SweepRun run) {
        return folder.resolve(WORK)
                .resolve(run.id().replaceAll("[^A-Za-z0-9.]+", "-") + "-"
                        + Integer.toHexString(run.id().hashCode()));
    }

    /** The row of a finished run; null if it is not finished. */
    public ObjectNode row(String id) {
        return rows.get(id);
    }

    public Collection<ObjectNode> rows() {
        return Collections.unmodifiableCollection(rows.values());
    }

    /** Adds the row of a finished run: once this returns, it survives a kill. */
    void append(ObjectNode row) {
        JsonLines.append(file(), row);
        rows.put(row.path("id").asText(), row);
    }

    @Override
    public void close() {
        lock.close();
    }
}

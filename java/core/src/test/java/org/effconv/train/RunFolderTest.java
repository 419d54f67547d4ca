package org.effconv.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.util.Arrays;
import java.util.Map;
import org.effconv.Settings;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.io.Folders;
import org.effconv.io.Json;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class RunFolderTest {
    private static final RunConfig CONFIG =
            new RunConfig("test", Json.object().put("what", 1), Json.object().put("data", "/here"));

    private static final String ANEW = "its phase begins anew";

    @TempDir
    Path folder;

    @Test
    void whatAKillLeavesWhileTheFolderIsMadeIsTakenUp() throws IOException {
        Path path = folder.resolve("run");
        Files.createDirectories(path.resolve("checkpoint"));
        Files.createFile(path.resolve("checkpoint/lock"));
        Path cut = Files.writeString(path.resolve(".config.json.0815.partial"), "{");
        RunFolder.requireFree(path);
        RunFolder.create(path, CONFIG).close();
        assertTrue(Files.exists(path.resolve("config.json")));
        assertFalse(Files.exists(cut));
        assertThrows(InvalidInput.class, () -> RunFolder.requireFree(path));
    }

    @ParameterizedTest
    @ValueSource(strings = {"notes.txt", "checkpoint/search.safetensors", ".config.json", "other/lock", "lock"})
    void aFolderWithAnythingElseIsRefused(String name) throws IOException {
        Path path = folder.resolve("run");
        Files.createDirectories(path.resolve("checkpoint"));
        Files.createFile(path.resolve("checkpoint/lock"));
        Files.createDirectories(path.resolve(name).getParent());
        Files.writeString(path.resolve(name), "mine");
        assertThrows(InvalidInput.class, () -> RunFolder.requireFree(path));
    }

    @Test
    void aRunThatGoesOnKeepsItsIdentityAndTakesNewPlaces() {
        Path path = folder.resolve("run");
        RunFolder.create(path, CONFIG).close();
        assertEquals(CONFIG, RunConfig.read(path));
        RunConfig moved = new RunConfig("test", CONFIG.identity(), Json.object().put("data", "/there"));
        RunFolder.open(path, moved).close();
        assertEquals(moved, RunConfig.read(path));
    }

    @Test
    void theConfigurationOfARunThatWasNotMovedStaysAsItIs() throws IOException {
        Path path = folder.resolve("run");
        Settings settings = Settings.standard();
        RunConfig config = new RunConfig("train", settings.identity(), settings.places());
        RunFolder.create(path, config).close();
        Path file = path.resolve("config.json");
        Files.setLastModifiedTime(file, FileTime.fromMillis(0));
        RunFolder.open(path, config).close();
        assertEquals(FileTime.fromMillis(0), Files.getLastModifiedTime(file));
        Settings moved = settings.with(Settings.DATA, "/there");
        RunFolder.open(path, new RunConfig("train", moved.identity(), moved.places()))
                .close();
        assertEquals("/there", RunConfig.read(path).places().path("data").asText());
    }

    @Test
    void aDamagedLineOfMetricsIsRefusedWithTheWayOut() throws IOException {
        Path path = folder.resolve("run");
        withCheckpoint(path).close();
        Files.writeString(path.resolve("metrics.jsonl"), "{}\ndamaged\n{}\n");
        String message = assertThrows(InvalidInput.class, () -> RunFolder.requireWhole(path, CONFIG.identity(), ANEW))
                .getMessage();
        assertTrue(message.contains("metrics.jsonl line 2") && message.contains("once that line is removed"), message);
        Files.writeString(path.resolve("metrics.jsonl"), "{}\n{}\n");
        RunFolder.requireWhole(path, CONFIG.identity(), ANEW);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "\"format\" : 2|\"format\" : 1|format 1, expected 2",
                "\"format\" : 2,||format is missing, expected 2",
                "\"format\" : 2|\"format\" : 2, \"more\" : 1|more' is unknown",
                "\"command\" : \"test\",||command is null, expected a text",
                "\"identity\" :|\"places\" :|Duplicate field 'places'",
                "{\"what\" : 1}|3|identity is 3, expected an object"
            })
    void aConfigurationOfAnotherFormIsRefused(String from, String to, String part) throws IOException {
        Path path = folder.resolve("run");
        RunFolder.create(path, CONFIG).close();
        Path file = path.resolve("config.json");
        String text = Json.line(Json.read(file)).replace(":", " : ").replace(",\"", ", \"");
        assertTrue(text.contains(from), text);
        Files.writeString(file, text.replace(from, to == null ? "" : to));
        String message =
                assertThrows(InvalidInput.class, () -> RunConfig.read(path)).getMessage();
        assertTrue(message.startsWith(file.toString()) && message.contains(part), message);
    }

    private static RunFolder withCheckpoint(Path path) {
        RunFolder run = RunFolder.create(path, CONFIG);
        new Checkpoint(CONFIG.identity(), new Checkpoint.Progress("train", 1, 0, 0, 0, Work.NONE), Map.of(), Map.of())
                .write(run.checkpoint("train"));
        return run;
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "metrics.jsonl",
                "log.txt",
                "sizes.json",
                "model.safetensors",
                "summary.json",
                "checkpoint/train.safetensors"
            })
    void aFolderInThePlaceOfAFileIsFoundBeforeTheRunGoesOn(String name) throws IOException {
        Path path = folder.resolve("run");
        withCheckpoint(path).close();
        RunFolder.requireWhole(path, CONFIG.identity(), ANEW);
        Files.deleteIfExists(path.resolve(name));
        Files.createDirectories(path.resolve(name));
        String message = assertThrows(InvalidInput.class, () -> RunFolder.requireWhole(path, CONFIG.identity(), ANEW))
                .getMessage();
        assertTrue(message.startsWith(path.resolve(name).toString()), message);
    }

    @Test
    void aDamagedCheckpointIsFoundBeforeTheRunGoesOn() throws IOException {
        Path path = folder.resolve("run");
        Path file;
        try (RunFolder run = withCheckpoint(path)) {
            file = run.checkpoint("train");
        }
        byte[] whole = Files.readAllBytes(file);
        for (int length : new int[] {0, 7, whole.length / 2, whole.length - 1}) {
            Files.write(file, Arrays.copyOf(whole, length));
            String message = assertThrows(
                            InvalidInput.class, () -> RunFolder.requireWhole(path, CONFIG.identity(), ANEW))
                    .getMessage();
            assertTrue(message.startsWith(file.toString()) && message.endsWith("; " + ANEW), message);
        }
        Files.write(file, whole);
        Files.copy(file, file.resolveSibling("uniform.safetensors"));
        String message = assertThrows(InvalidInput.class, () -> RunFolder.requireWhole(path, CONFIG.identity(), ANEW))
                .getMessage();
        assertTrue(message.contains("of phase 'train', expected one of 'uniform'"), message);
    }

    @Test
    void theFolderOfCheckpointsMayBeGoneAndMustBeAFolder() throws IOException {
        Path path = folder.resolve("run");
        RunFolder.create(path, CONFIG).close();
        Folders.remove(path.resolve("checkpoint"));
        RunFolder.requireWhole(path, CONFIG.identity(), ANEW); // it begins anew
        RunFolder.open(path, CONFIG).close();
        Folders.remove(path.resolve("checkpoint"));
        Files.createFile(path.resolve("checkpoint"));
        String message = assertThrows(InvalidInput.class, () -> RunFolder.requireWhole(path, CONFIG.identity(), ANEW))
                .getMessage();
        assertTrue(message.contains("checkpoint: is a file, expected the folder"), message);
    }

    /** Prints whether another process may lock a file. */
    public static final class Other {
        public static void main(String[] arguments) throws IOException {
            try (FileChannel channel = FileChannel.open(Path.of(arguments[0]), StandardOpenOption.WRITE)) {
                System.out.print(channel.tryLock() == null ? "refused" : "taken");
            }
        }
    }

    private static String other(Path lock) throws IOException {
        Process process = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-cp",
                        System.getProperty("java.class.path"),
                        Other.class.getName(),
                        lock.toString())
                .redirectErrorStream(true)
                .start();
        return new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    }

    @Test
    void aSecondHolderThatIsRefusedDoesNotEndTheLock() throws IOException {
        Path path = folder.resolve("run");
        Path lock = path.resolve("checkpoint/lock");
        try (RunFolder first = RunFolder.create(path, CONFIG)) {
            assertEquals("refused", other(lock));
            assertThrows(InvalidInput.class, () -> RunFolder.open(path, CONFIG));
            assertThrows(InvalidInput.class, () -> RunFolder.open(folder.resolve("./run"), CONFIG));
            assertEquals("refused", other(lock));
        }
        assertEquals("taken", other(lock));
        RunFolder.open(path, CONFIG).close();
    }

    @Test
    void aFolderThatIsBeingMadeBelongsToItsMaker() {
        Path path = folder.resolve("run");
        RunFolder first = RunFolder.create(path, CONFIG);
        try (first) {
            assertThrows(InvalidInput.class, () -> RunFolder.create(path, CONFIG));
        }
    }
}

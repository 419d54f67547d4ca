package org.effconv.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.effconv.EffconvException.InvalidInput;
import org.effconv.io.Json;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RunFolderTest {
    private static final ObjectNode CONFIG = Json.object().put("command", "test");

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

    /** Prints whether another process may lock a file. */
    public static final class Other {
        public static void main(String[] arguments) throws IOException {
            try (FileChannel channel = FileChannel.open(Path.of(arguments[0]), StandardOpenOption.WRITE)) {
                System.out.print(channel.tryLock() == null ? "refused" : "taken");
            }
        }
    }

    private static String other(Path lock) throws IOException {
        Process process = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-cp",
                System.getProperty("java.class.path"), Other.class.getName(), lock.toString()).redirectErrorStream(true).start();
        return new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    }

    @Test
    void aSecondHolderThatIsRefusedDoesNotEndTheLock() throws IOException {
        Path path = folder.resolve("run");
        Path lock = path.resolve("checkpoint/lock");
        try (RunFolder first = RunFolder.create(path, CONFIG)) {
            assertEquals("refused", other(lock));
            assertThrows(InvalidInput.class, () -> RunFolder.open(path));
            assertThrows(InvalidInput.class, () -> RunFolder.open(folder.resolve("./run")));
            assertEquals("refused", other(lock));
        }
        assertEquals("taken", other(lock));
        RunFolder.open(path).close();
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

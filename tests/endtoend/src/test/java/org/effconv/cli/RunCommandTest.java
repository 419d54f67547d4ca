package org.effconv.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.effconv.Settings;
import org.effconv.nn.Architecture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RunCommandTest {
    private static String folderOf(String data) {
        Path folder =
                RunCommand.standardFolder(Settings.standard().with(Settings.DATA, data), Architecture.named("cnn6"));
        return folder.getFileName().toString().replaceAll("-\\d{8}-\\d{6}$", "");
    }

    @Test
    void aRunIsNamedAfterItsDataWhateverTheirNameIs() {
        assertEquals("planted-3-cnn6", folderOf("planted:3,train=64"));
        assertEquals("fashion-mnist-cnn6", folderOf("fashion-mnist"));
        assertEquals("cats, dogs-cnn6", folderOf("some,where/cats, dogs"));
        assertEquals("data-cnn6", folderOf("/"));
    }

    @Test
    void aRunGoesOnAsSoonAsItsFolderSaysWhatItIs(@TempDir Path folder) throws IOException {
        Path run = Files.createDirectories(folder.resolve("my run"));
        assertEquals(Optional.empty(), RunCommand.goOn("effconv learn", run));
        Files.createFile(run.resolve("config.json"));
        String how = RunCommand.goOn("effconv learn", run).orElseThrow();
        assertTrue(how.endsWith("with: effconv learn --resume '" + run + "'"), how);
    }
}

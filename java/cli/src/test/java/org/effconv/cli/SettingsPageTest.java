package org.effconv.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** The page of settings says what the code says. */
class SettingsPageTest {
    @Test
    void thePageIsWhatTheCodeWrites() throws IOException {
        String written = SettingsPage.text();
        Path copy = Files.writeString(Path.of("target/settings.md"), written);
        assertEquals(
                written,
                Files.readString(Path.of("../../docs/reference/settings.md")),
                "docs/reference/settings.md is not what the code says; " + copy.toAbsolutePath() + " is");
    }
}

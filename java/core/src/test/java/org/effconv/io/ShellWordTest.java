package org.effconv.io;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ShellWordTest {
    @ParameterizedTest
    @ValueSource(strings = {"runs/a-b_1.json", "planted:3,train=64", "größe"})
    void aPlainWordStaysAsItIs(String word) {
        assertEquals(word, ShellWord.of(word));
    }

    @Test
    void whatAShellWouldReadIsInQuotes() {
        assertEquals("'my run'", ShellWord.of(Path.of("my run")));
        assertEquals("'$x'", ShellWord.of("$x"));
        assertEquals("'it'\\''s'", ShellWord.of("it's"));
        assertEquals("''", ShellWord.of(""));
    }
}

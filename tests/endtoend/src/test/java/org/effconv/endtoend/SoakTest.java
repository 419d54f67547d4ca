package org.effconv.endtoend;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A short run of what {@code soak.sh} does for as long as one likes. */
class SoakTest {
    @TempDir
    Path folder;

    @Test
    void jobsLeaveNothingBehind() throws Exception {
        Soak soak = Soak.cheap(folder);
        Soak.Held first = soak.round(14, 2);
        Soak.Held second = soak.round(14, 2);
        assertEquals(List.of(), soak.faults());
        assertTrue(second.threads() <= first.threads() + 2, "threads grew: " + first + " " + second);
        assertTrue(second.files() <= first.files(), "open files grew: " + first + " " + second);
        assertTrue(second.pointers() <= first.pointers(), "native objects grew: " + first + " " + second);
        try (Stream<Path> left = Files.list(folder)) {
            assertEquals(List.of(), left.toList());
        }
    }

    @Test
    void growthIsTold() {
        Soak.Held held = new Soak.Held(50, 100 << 20, 20, 30, 0, 0);
        assertEquals(List.of(), Soak.growth(List.of(held, held, held)));
        Soak.Held more = new Soak.Held(150, 137 << 20, 23, 31, 1, 0);
        assertEquals(4, Soak.growth(List.of(held, held, more)).size());
    }
}

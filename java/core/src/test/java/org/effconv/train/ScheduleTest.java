package org.effconv.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.effconv.error.EffconvException.InvalidInput;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ScheduleTest {
    @ParameterizedTest
    @CsvSource({
        "cosine, 0.1, 0, 0.1",
        "cosine, 0.1, 9, 1",
        "cosine, 0.1, 10, 1",
        "cosine, 0.1, 55, 0.5",
        "cosine, 0, 0, 1",
        "cosine, 0, 50, 0.5",
        "step, 0, 49, 1",
        "step, 0, 50, 0.1",
        "step, 0, 75, 0.01",
        "step, 0.1, 4, 0.5",
        "constant, 0, 99, 1"
    })
    void factorsOfARunOfAHundredSteps(String name, double warmup, long step, double expected) {
        assertEquals(expected, Schedule.named(name, warmup).factor(step, 100), 1e-12);
    }

    @ParameterizedTest
    @CsvSource({"cosine, 1", "cosine, 7", "step, 3", "constant, 1"})
    void everyStepOfARunMoves(String name, long total) {
        for (double warmup : new double[] {0, 0.1, 0.99}) {
            for (long step = 0; step < total; step++) {
                double factor = Schedule.named(name, warmup).factor(step, total);
                assertTrue(
                        factor > 0 && factor <= 1, name + " " + warmup + " at " + step + "/" + total + ": " + factor);
            }
        }
    }

    @Test
    void wrongValuesAreNamed() {
        assertTrue(assertThrows(InvalidInput.class, () -> Schedule.cosine(1))
                .getMessage()
                .contains("1.0"));
        assertTrue(assertThrows(InvalidInput.class, () -> Schedule.named("line", 0))
                .getMessage()
                .contains("line"));
        assertThrows(InvalidInput.class, () -> new Schedule(Schedule.Kind.STEP, 0, List.of(0.75, 0.5), 0.1));
        assertThrows(InvalidInput.class, () -> Schedule.cosine(Double.NaN));
    }
}

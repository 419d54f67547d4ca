package org.effconv.benchmark;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import java.util.function.DoubleSupplier;
import org.junit.jupiter.api.Test;

class TurnsTest {
    private final StringBuilder order = new StringBuilder();

    private DoubleSupplier side(char name, double seconds) {
        return () -> {
            order.append(name);
            return seconds * order.length();
        };
    }

    @Test
    void sidesTakeTurnsAndKeepTheirOwnTimes() {
        List<double[]> times = Turns.time(List.of(side('a', 1), side('b', 100)), Turns.pairs(3));
        assertEquals("ababab", order.toString());
        assertArrayEquals(new double[] {1, 3, 5}, times.get(0));
        assertArrayEquals(new double[] {200, 400, 600}, times.get(1));
    }

    @Test
    void aSideThatHasUsedItsSecondsRunsThreeTimesAllTheSame() {
        List<double[]> times = Turns.time(List.of(side('a', 10), side('b', 0)), new Sampling(5, 1, false));
        assertEquals("abababbb", order.toString());
        assertEquals(3, times.get(0).length);
        assertEquals(5, times.get(1).length);
    }

    @Test
    void theMedianOfAnEvenNumberLiesBetweenTheMiddleTwo() {
        assertEquals(2.5, Turns.median(new double[] {9, 1, 2, 3}));
        assertEquals(2, Turns.median(new double[] {9, 1, 2}));
    }
}

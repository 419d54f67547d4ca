package org.effconv.choice;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.effconv.error.EffconvException.JobFailed;
import org.junit.jupiter.api.Test;

class SizeRaceTest {
    private static final int[] HEATS = {4, 10};

    private final List<String> trained = new ArrayList<>();

    /**
     * @param early class losses of the candidates up to step 4
     * @param late after it; NaN: the candidate fails there
     */
    private SizeRace.Result race(double[] early, double[] late) {
        trained.clear();
        return SizeRace.run(early.length, HEATS, (candidate, steps) -> {
            trained.add(candidate + " " + steps);
            double[] losses = new double[steps];
            Arrays.setAll(losses, step -> step < 4 ? early[candidate] : late[candidate]);
            if (Arrays.stream(losses).anyMatch(Double::isNaN)) {
                throw new JobFailed("the loss of " + candidate + " is NaN");
            }
            return losses;
        });
    }

    @Test
    void theFirstAndTheBestOfTheOthersGoOnAndTheBetterOneWins() {
        SizeRace.Result result = race(new double[] {4, 2, 1, 3}, new double[] {3, 0, 2, 0});
        assertEquals(List.of("0 4", "1 4", "2 4", "3 4", "0 10", "2 10"), trained);
        assertEquals(2, result.winner());
        assertEquals(
                List.of(10, 4, 10, 4),
                result.entries().stream().map(SizeRace.Entry::steps).toList());
        assertEquals(2, result.entries().get(1).loss());
        assertEquals(2, result.entries().get(2).loss());
    }

    @Test
    void onlyTheSecondHalfOfTheStepsCounts() {
        SizeRace.Result result = SizeRace.run(
                2,
                new int[] {4},
                (candidate, steps) -> candidate == 0 ? new double[] {0, 0, 2, 2, 0} : new double[] {9, 9, 1, 1, 9});
        assertEquals(1, result.winner());
        assertEquals(new SizeRace.Entry(4, 2), result.entries().get(0));
    }

    @Test
    void whoStandsFirstStaysUnlessAnotherIsClearlyAhead() {
        double clear = 1 - SizeRace.CLEARLY;
        assertEquals(
                1,
                race(new double[] {Double.NaN, 1, 1}, new double[] {0, 1, clear + 1e-6})
                        .winner());
        assertEquals(
                2,
                race(new double[] {Double.NaN, 1, 1}, new double[] {0, 1, clear - 1e-6})
                        .winner());
        assertEquals(
                0, race(new double[] {1, 0.5}, new double[] {1, clear + 1e-6}).winner());
        assertEquals(
                1, race(new double[] {1, 0.5}, new double[] {1, clear - 1e-6}).winner());
        assertEquals(0, race(new double[] {9, 1, 2}, new double[] {0, 1, 2}).winner(), "not out after a short heat");
    }

    @Test
    void whoFailsHasLost() {
        double nan = Double.NaN;
        SizeRace.Result result = race(new double[] {nan, 2, 1}, new double[] {1, 1, nan});
        assertEquals(1, result.winner());
        assertTrue(Double.isNaN(result.entries().get(0).loss())
                && Double.isNaN(result.entries().get(2).loss()));
        JobFailed first = new JobFailed("the last to fail");
        assertSame(
                first,
                assertThrows(
                        JobFailed.class,
                        () -> SizeRace.run(1, HEATS, (candidate, steps) -> {
                            throw first;
                        })));
    }

    /**
     * A reference that comes from 100 to 1 in 100 steps, and candidates that are at a part of its way by then, in
     * rising order of cost.
     */
    private SizeRace.Result cheapest(double[] costs, double... speeds) {
        trained.clear();
        return SizeRace.cheapest(costs, 100, (candidate, steps) -> {
            trained.add(candidate + " " + steps);
            double[] all = new double[steps];
            Arrays.setAll(all, step -> 100 - speeds[candidate] * step);
            if (Double.isNaN(speeds[candidate])) {
                throw new JobFailed("the loss is NaN");
            }
            return all;
        });
    }

    @Test
    void theCheapestThatIsAsGoodIsFoundWithFewTrainings() {
        double[] costs = {10, 5, 6, 7, 8, 9};
        for (int good = 1; good <= 5; good++) {
            double[] speeds = {1, 0.5, 0.5, 0.5, 0.5, 0.5};
            Arrays.fill(speeds, good, 6, 1.1);
            assertEquals(good, cheapest(costs, speeds).winner());
            assertTrue(trained.size() <= 4, trained.toString());
        }
        SizeRace.Result none = cheapest(costs, 1, 0.5, 0.5, 0.5, 0.5, 0.5);
        assertEquals(0, none.winner());
        assertEquals(List.of("0 100", "3 100", "4 100", "5 100"), trained);
        assertEquals(new SizeRace.Entry(0, Double.NaN), none.entries().get(1), "not tried");
        assertEquals(0, cheapest(new double[] {10}, 1).winner());
        assertEquals(4, cheapest(costs, 1, 1, 1, Double.NaN, 1, 1).winner(), "who fails is not as good");
        assertThrows(JobFailed.class, () -> cheapest(costs, Double.NaN, 1, 1, 1, 1, 1));
    }

    @Test
    void theLessACandidateCostsTheBetterItMustBegin() {
        assertEquals(1 - SizeRace.SLOWER, SizeRace.asGood(1), 1e-12);
        assertEquals(1, SizeRace.asGood(1 / Math.E), 1e-12);
        double[] costs = {10, 5, 8};
        double limit = SizeRace.asGood(0.5);
        assertEquals(1, cheapest(costs, 1, limit + 0.01, limit + 0.01).winner());
        assertEquals(2, cheapest(costs, 1, limit - 0.02, limit - 0.02).winner());
        assertEquals(0, cheapest(costs, 1, 0.3, 0.3).winner());
    }

    @Test
    void speedIsWhereTheReferenceWas() {
        double[] reference = {9, 8, 7, 6, 5, 4, 3, 2, 1, 0
        }; // mean over the second half of 10 steps 2, of 8 steps 3.5, of 4 steps 6.5
        assertEquals(1, SizeRace.speed(reference, 2, 10));
        assertEquals(1, SizeRace.speed(reference, 0.5, 10), "ahead");
        assertEquals(0.8, SizeRace.speed(reference, 3.5, 10));
        assertEquals(0.4, SizeRace.speed(reference, 6.5, 10));
        assertEquals(0, SizeRace.speed(reference, 10, 10), "nowhere");
        assertEquals(0, SizeRace.speed(reference, Double.NaN, 10));
    }

    @Test
    void heatsSpendWhatTheLosersMay() {
        assertArrayEquals(new int[] {15, 60}, SizeRace.heats(4, 90, 1000)); // 2 x 15 + 60
        assertArrayEquals(new int[] {20, 80}, SizeRace.heats(3, 100, 1000));
        assertArrayEquals(new int[] {90}, SizeRace.heats(2, 90.9, 1000));
        assertArrayEquals(new int[] {1, 1}, SizeRace.heats(4, 0.5, 1000));
        assertArrayEquals(new int[] {15, 30}, SizeRace.heats(4, 90, 30), "no longer than the training");
    }
}

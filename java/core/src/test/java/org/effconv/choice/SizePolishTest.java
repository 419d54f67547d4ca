package org.effconv.choice;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.effconv.backend.Backend;
import org.effconv.backend.cpu.CpuBackend;
import org.effconv.cost.Cost;
import org.effconv.search.SmallSearch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class SizePolishTest {
    private static final int BATCHES = 12;

    private final Backend backend = CpuBackend.open(1);
    private final Cost cost = Cost.parameters(backend, SmallSearch.plan("resnet20", 32, 32, 3, 10));
    private final double target = cost.uniform(5);
    private final int[] start = start();
    private final List<int[]> asked = new ArrayList<>();

    private int[] start() {
        int[] five = new int[cost.layers().size()];
        Arrays.fill(five, 5);
        return five;
    }

    @AfterEach
    void close() {
        backend.close();
    }

    // Of each batch: how far the sizes are from an optimum, noise that the choices share, and noise of their own.
    private double[] losses(int[] sizes, int[] optimum, int batches, double shared, double own) {
        asked.add(sizes.clone());
        double distance = 0;
        for (int l = 0; l < sizes.length; l++) {
            distance += Math.pow(Math.log((double) sizes[l] / optimum[l]), 2);
        }
        double[] losses = new double[Math.min(batches, BATCHES)];
        Random batch = new Random(1);
        Random choice = new Random(Arrays.hashCode(sizes));
        for (int b = 0; b < losses.length; b++) {
            losses[b] = distance + shared * batch.nextGaussian() + own * choice.nextGaussian();
        }
        return losses;
    }

    private List<SizePolish.Move> polish(int[] optimum, double shared, double own, int most) {
        return new SizePolish(cost, target, (sizes, batches) -> losses(sizes, optimum, batches, shared, own))
                .polish(List.of(), start, most, BATCHES, 1_000_000);
    }

    @Test
    void walksToABetterChoiceOfTheSameCostThroughNoiseThatAllShare() {
        int[] optimum = start.clone();
        optimum[2] = 7; // two pairs of layers of equal shape
        optimum[4] = 3;
        optimum[3] = 7;
        optimum[5] = 3;
        List<SizePolish.Move> moves = polish(optimum, 1, 1e-3, 8);
        assertArrayEquals(optimum, moves.get(moves.size() - 1).sizes());
        for (int[] sizes : asked) {
            assertTrue(cost.meets(cost.at(sizes), target), Arrays.toString(sizes));
        }
    }

    /** Or it would be taken for the best of all. */
    @Test
    void aChoiceWhoseLossIsNoNumberIsNotTaken() {
        int[] broken = start.clone();
        broken[2] = 7;
        broken[4] = 3;
        int[] worse = start.clone();
        worse[3] = 7;
        worse[5] = 3;
        SizePolish polish = new SizePolish(cost, target, (sizes, batches) -> {
            double[] losses = losses(sizes, start, batches, 1, 1e-3);
            if (Arrays.equals(sizes, broken)) {
                losses[0] = Double.NaN;
            }
            return losses;
        });
        assertTrue(polish.polish(List.of(broken, worse), start, 1, BATCHES, 1_000_000)
                .isEmpty());
    }

    @Test
    void withoutABudgetGoesARingSmallerAgainAndAgain() {
        Cost one = Cost.parameters(backend, SmallSearch.plan("planted1", 32, 32, 1, 2));
        SizePolish polish = new SizePolish(one, Double.NaN, (sizes, batches) -> {
            double[] losses = new double[Math.min(batches, BATCHES)];
            Arrays.fill(losses, (sizes[0] < 9 ? 1 : 0) + 0.1 * Math.log(one.at(sizes)));
            return losses;
        });
        List<SizePolish.Move> moves = polish.polish(List.of(new int[] {19}), new int[] {17}, 8, BATCHES, 1_000_000);
        assertEquals(
                "[15] [13] [11] [9]",
                String.join(
                        " ", moves.stream().map(m -> Arrays.toString(m.sizes())).toList()));
    }

    @Test
    void staysWhereItIsBest() {
        assertEquals(List.of(), polish(start, 1, 1e-3, 8));
    }

    @Test
    void noiseIsNoReasonToMove() {
        int moved = 0;
        for (int seed = 0; seed < 20; seed++) {
            int salt = seed;
            moved += new SizePolish(cost, target, (sizes, batches) -> {
                        Random noise = new Random(31L * Arrays.hashCode(sizes) + salt);
                        return noise.doubles(Math.min(batches, BATCHES)).toArray();
                    })
                    .polish(List.of(), start, 1, BATCHES, 1_000_000)
                    .size();
        }
        assertTrue(moved <= 5, moved + " of 20 polishes moved by noise alone");
    }

    @Test
    void makesNoMoreMovesThanAllowed() {
        int[] optimum = start.clone();
        optimum[2] = 9;
        optimum[4] = 1;
        assertEquals(1, polish(optimum, 0, 1e-6, 1).size());
    }

    @Test
    void judgesNoMoreBatchesThanAllowed() {
        int[] optimum = start.clone();
        optimum[2] = 9;
        optimum[4] = 1;
        int[] judged = new int[1];
        for (long total : new long[] {BATCHES, 100, 500, 1000}) {
            judged[0] = 0;
            SizePolish polish = new SizePolish(cost, target, (sizes, batches) -> {
                judged[0] += batches;
                return losses(sizes, optimum, batches, 0, 1e-6);
            });
            int moves = polish.polish(List.of(), start, 8, BATCHES, total).size();
            assertTrue(judged[0] <= total, judged[0] + " batches of " + total);
            assertEquals(total == BATCHES ? 0 : 1, Math.min(moves, 1), "moves at " + total);
            assertTrue(total > 500 || polish.cutShort());
        }
    }
}

package org.effconv.choice;

import static org.effconv.search.SmallSearch.uniform;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.effconv.backend.Backend;
import org.effconv.backend.cpu.CpuBackend;
import org.effconv.cost.Cost;
import org.effconv.cost.EqualCost;
import org.effconv.search.SmallSearch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SizeProposalsTest {
    private final Backend backend = CpuBackend.open(1);

    @AfterEach
    void close() {
        backend.close();
    }

    private Cost cost(String architecture) {
        return Cost.parameters(backend, SmallSearch.plan(architecture, 32, 32, 3, 10));
    }

    @ParameterizedTest
    @ValueSource(strings = {"cnn6", "resnet20", "dwnet"})
    void meetTheBudgetAndDiffer(String architecture) {
        Cost cost = cost(architecture);
        double target = cost.uniform(5);
        List<int[]> proposals = SizeProposals.of(uniform(cost, 5), uniform(cost, 5), cost, target, 0.4, 1);
        Set<String> distinct = new HashSet<>();
        for (int[] sizes : proposals) {
            assertTrue(cost.meets(cost.at(sizes), target), Arrays.toString(sizes));
            assertTrue(distinct.add(Arrays.toString(sizes)), "twice: " + Arrays.toString(sizes));
        }
        assertTrue(proposals.size() >= 12, proposals.size() + " proposals");
        int last = cost.layers().size() - 1;
        assertTrue(proposals.stream().anyMatch(sizes -> sizes[last] > sizes[0] + 2), "none that rises");
        assertTrue(proposals.stream().anyMatch(sizes -> sizes[0] > sizes[last] + 2), "none that falls");
    }

    @Test
    void goFurtherTheWayThatTheSizesWent() {
        Cost cost = cost("resnet20");
        double target = cost.uniform(5);
        double[] start = uniform(cost, 5);
        double[] soft = start.clone();
        soft[3] = 6.5;
        soft[9] = 4;
        List<int[]> proposals = SizeProposals.of(EqualCost.scaled(soft, cost, target), start, cost, target, 1e-9, 1);
        assertEquals(7, proposals.get(0)[3], "the plain rounding comes first");
        assertTrue(proposals.stream().anyMatch(sizes -> sizes[3] >= 9 && sizes[9] <= 3));
    }

    @Test
    void drawsAreTheSeeds() {
        Cost cost = cost("cnn6");
        List<int[]> one = SizeProposals.of(uniform(cost, 5), uniform(cost, 5), cost, cost.uniform(5), 0.4, 1);
        List<int[]> same = SizeProposals.of(uniform(cost, 5), uniform(cost, 5), cost, cost.uniform(5), 0.4, 1);
        List<int[]> other = SizeProposals.of(uniform(cost, 5), uniform(cost, 5), cost, cost.uniform(5), 0.4, 2);
        assertEquals(describe(one), describe(same));
        assertTrue(!describe(one).equals(describe(other)));
    }

    private static String describe(List<int[]> choices) {
        return Arrays.deepToString(choices.toArray());
    }

    @Test
    void withoutABudgetTheOddSizesOnEitherSide() {
        List<int[]> one = SizeProposals.roundings(new double[] {3.63}, cost("planted1"));
        assertEquals("[[5]]", describe(one)); // plain: 3
        assertEquals("[[3]]", describe(SizeProposals.roundings(new double[] {4.4}, cost("planted1")))); // plain: 5
        assertEquals(
                "[]", describe(SizeProposals.roundings(new double[] {13.1}, cost("planted1"))), "a ring hardly in use");
        assertEquals(
                "[[3, 3, 7], [1, 5, 7], [3, 5, 7], [1, 3, 5], [3, 3, 5], [1, 5, 5], [3, 5, 5]]",
                describe(SizeProposals.roundings(new double[] {1.3, 3.5, 6.6}, cost("planted3"))));
        List<int[]> many = SizeProposals.roundings(uniform(cost("cnn6"), 3.5), cost("cnn6"));
        assertEquals(6, many.size());
        assertEquals("[3, 5, 3, 3, 3, 3]", Arrays.toString(many.get(1)));
    }
}

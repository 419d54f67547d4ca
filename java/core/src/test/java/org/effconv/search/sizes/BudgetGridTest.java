package org.effconv.search.sizes;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.effconv.autodiff.Parameter;
import org.effconv.backend.Backend;
import org.effconv.backend.cpu.CpuBackend;
import org.effconv.cost.BudgetRange;
import org.effconv.cost.Cost;
import org.effconv.cost.EqualCost;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.nn.WeightSource.Progress;
import org.effconv.predict.SearchSettings;
import org.effconv.search.RangeWeights;
import org.effconv.search.SmallSearch;
import org.effconv.tensor.DataType;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** One search for a range of budgets. */
class BudgetGridTest {
    private static final double[] WORTH = {40, 4, 4, 4, 4, 4};
    private static final int STEPS = 120;

    private final Backend backend = CpuBackend.open(1);
    private final Cost cost = Cost.parameters(backend, SmallSearch.plan("planted3", 32, 32, 1, 2));

    @AfterEach
    void close() {
        backend.close();
    }

    // Pulls -a_l on log v with noise, as in SteadySizesTest.
    private double[] gradient(double[] v, Random random, double noise) {
        double[] gradient = new double[v.length];
        Arrays.setAll(gradient, l -> (-WORTH[l] / v[l] + noise * random.nextGaussian()) / v[l]);
        return gradient;
    }

    private BudgetGrid run(int steps, long seed, double noise) {
        BudgetGrid grid = new BudgetGrid(SearchSettings.standard(), cost, cost.uniform(3), cost.uniform(7));
        Random random = new Random(seed);
        for (int step = 0; step < steps; step++) {
            grid.at(step);
            double[] v = grid.sizes();
            grid.update(v, gradient(v, random, noise), (double) step / steps, steps);
        }
        return grid;
    }

    @Test
    void everyBudgetIsVisitedEquallyOftenAndHeld() {
        BudgetGrid grid = new BudgetGrid(SearchSettings.standard(), cost, cost.uniform(3), cost.uniform(7));
        int[] visits = new int[BudgetGrid.COUNT];
        for (int step = 0; step < 100; step++) {
            int g = grid.budget(step);
            assertEquals(g, grid.budget(step | 1), "two steps that share their draws share their budget");
            visits[g]++;
        }
        assertTrue(Arrays.stream(visits).allMatch(n -> n == 100 / BudgetGrid.COUNT), Arrays.toString(visits));
        grid = run(400, 1, 10);
        for (int g = 0; g < BudgetGrid.COUNT; g++) {
            assertEquals(grid.targets()[g], cost.soft(grid.sizes(g)).total(), 1e-6 * grid.targets()[g]);
        }
    }

    @Test
    void theWorthyLayerGrowsAtEveryBudgetAsInASearchForThatBudgetAlone() {
        BudgetGrid grid = run(2000, 2, 10);
        List<double[]> answers = grid.answers();
        for (int g = 0; g < BudgetGrid.COUNT; g++) {
            double[] alone = alone(grid.targets()[g], 2);
            double[] v = answers.get(g);
            assertTrue(v[0] > v[1] + 1, g + ": " + Arrays.toString(v));
            for (int l = 0; l < v.length; l++) {
                assertEquals(
                        Math.log(alone[l]),
                        Math.log(v[l]),
                        0.25,
                        g + ": " + Arrays.toString(v) + " and alone " + Arrays.toString(alone));
            }
        }
    }

    private double[] alone(double target, long seed) {
        double uniform = EqualCost.uniform(cost, target);
        double[] start = new double[cost.layers().size()];
        Arrays.fill(start, uniform);
        SteadySizes steady = new SteadySizes(SearchSettings.standard(), cost, target, start);
        Random random = new Random(seed);
        for (int step = 0; step < 2000; step++) {
            double[] v = steady.sizes();
            steady.update(v, gradient(v, random, 10), step / 2000.0, 2000);
        }
        return steady.answer();
    }

    private static SearchSettings small() {
        return SearchSettings.standard().change().features(5).hidden(6).build();
    }

    private static void steps(SmallSearch search, int from, int to) {
        for (int step = from; step < to; step++) {
            Progress progress = new Progress(step, STEPS);
            SmallSearch.Run run = search.run(progress);
            run.tape().backward(run.loss());
            search.weights.afterBackward(progress);
            for (Parameter p : search.weights.parameters()) {
                if (run.tape().gradient(p) != null) {
                    search.backend.accumulate(run.tape().gradient(p), -0.05, p.value());
                }
            }
        }
    }

    @Test
    void thePredictorIsToldTheBudgetAndFollowsAtEachOfThem() {
        try (SmallSearch search = new SmallSearch(DataType.F32, "any:k3..k7", small())) {
            Set<Long> seen = new HashSet<>();
            for (int step = 0; step < 20; step += 2) { // frozen: the starts
                steps(search, step, step + 1);
                double[] v = search.weights.sizes();
                seen.add(Math.round(100 * v[1]));
                assertEquals(v[0], v[1], 0.05, "uniform at the start: " + Arrays.toString(v));
            }
            assertEquals(BudgetGrid.COUNT, seen.size(), "sizes seen: " + seen);
            steps(search, 20, STEPS);
            for (int step = STEPS; step < STEPS + 20; step += 2) {
                steps(search, step, step + 1);
                double spent = search.cost.soft(search.weights.sizes()).total();
                double wanted = search.cost.soft(search.weights.wanted()).total();
                assertEquals(wanted, spent, 0.05 * wanted);
            }
        }
    }

    @Test
    void aRestoredSearchIsBitEqual() {
        try (SmallSearch first = new SmallSearch(DataType.F32, "any:k3..k7", small());
                SmallSearch second = new SmallSearch(DataType.F32, "any:k3..k7", small());
                SmallSearch third = new SmallSearch(DataType.F32, "any:k3..k7", small())) {
            steps(first, 0, STEPS);
            steps(second, 0, 77);
            third.loss(new Progress(3, STEPS)); // it has run before it is restored
            for (int i = 0; i < third.weights.parameters().size(); i++) {
                third.backend.write(
                        third.weights.parameters().get(i).value(),
                        second.backend.readFloats(
                                second.weights.parameters().get(i).value()));
            }
            third.weights.restore(second.weights.state());
            steps(third, 77, STEPS);
            for (double target :
                    new double[] {first.cost.uniform(3), 1.7 * first.cost.uniform(3), first.cost.uniform(7)}) {
                assertArrayEquals(
                        ((RangeWeights) first.weights).path().at(target),
                        ((RangeWeights) third.weights).path().at(target),
                        0);
            }
            for (int i = 0; i < first.weights.parameters().size(); i++) {
                assertArrayEquals(
                        first.backend.readFloats(
                                first.weights.parameters().get(i).value()),
                        third.backend.readFloats(
                                third.weights.parameters().get(i).value()),
                        0);
            }
        }
    }

    @Test
    void settingsThatARangeCannotHaveAreRefused() {
        for (SearchSettings settings : List.of(
                small().change().ceiling(true).build(),
                small().change().start(5).build(),
                small().change().update(SearchSettings.Update.GRADIENT).build())) {
            String message = assertThrows(
                            InvalidInput.class,
                            () -> RangeWeights.of(
                                    backend, DataType.F32, cost, BudgetRange.parse("any", "auto"), settings, 1))
                    .getMessage();
            assertTrue(message.contains("expected neither"), message);
        }
    }
}

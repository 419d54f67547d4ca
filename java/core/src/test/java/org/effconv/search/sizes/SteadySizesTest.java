package org.effconv.search.sizes;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.Random;
import org.effconv.backend.Backend;
import org.effconv.backend.cpu.CpuBackend;
import org.effconv.cost.Cost;
import org.effconv.cost.EqualCost;
import org.effconv.error.EffconvException.JobFailed;
import org.effconv.predict.SearchSettings;
import org.effconv.search.SmallSearch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The steady update on a made-up loss: each layer has a worth, a_l / v_l, and noise as large as the signal. */
class SteadySizesTest {
    private static final double[] WORTH = {40, 4, 4, 4, 4, 4};

    private final Backend backend = CpuBackend.open(1);
    private final Cost cost = Cost.parameters(backend, SmallSearch.plan("planted3", 32, 32, 1, 2));
    private final int n = cost.layers().size();

    @AfterEach
    void close() {
        backend.close();
    }

    private SteadySizes run(SteadySizes steady, int from, int to, int steps, long seed) {
        Random random = new Random(seed);
        for (int step = 0; step < to; step++) {
            double[] v = steady.sizes();
            double[] gradient = new double[n];
            for (int l = 0; l < n; l++) {
                gradient[l] = (-WORTH[l] / v[l] + 10 * random.nextGaussian()) / v[l];
            }
            if (step >= from) {
                steady.update(v, gradient, (double) step / steps, steps);
            }
        }
        return steady;
    }

    @Test
    void holdsTheBudgetFromAStartOnItAndFindsTheWorthyLayer() {
        double target = cost.uniform(5);
        for (long seed = 0; seed < 5; seed++) {
            SteadySizes steady = new SteadySizes(
                    SearchSettings.standard(),
                    cost,
                    target,
                    SmallSearch.uniform(cost, EqualCost.uniform(cost, target)));
            run(steady, 0, 250, 500, seed);
            assertEquals(target, cost.soft(steady.sizes()).total(), 1e-6 * target);
            run(steady, 250, 500, 500, seed);
            assertEquals(target, cost.soft(steady.answer()).total(), 1e-6 * target);
            assertTrue(steady.answer()[0] > steady.answer()[1] + 1, Arrays.toString(steady.answer()));
        }
    }

    /** Its running means would stay NaN, and the sizes where they are. */
    @Test
    void aGradientThatIsNoNumberEndsTheSearch() {
        SteadySizes steady =
                new SteadySizes(SearchSettings.standard(), cost, cost.uniform(5), SmallSearch.uniform(cost, 5));
        for (double broken : new double[] {Double.NaN, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY}) {
            double[] gradient = new double[n];
            gradient[1] = broken;
            String message = assertThrows(JobFailed.class, () -> steady.update(steady.sizes(), gradient, 0.5, 100))
                    .getMessage();
            assertTrue(
                    message.startsWith("the loss gradient by the size of layer "
                            + cost.layers().get(1).name() + " is " + broken),
                    message);
        }
    }

    @Test
    void aStartOffTheBudgetIsBroughtOntoItAtOnce() {
        double target = cost.uniform(5);
        for (double start : new double[] {1.5, 3.5, 7, 13}) {
            SteadySizes steady =
                    new SteadySizes(SearchSettings.standard(), cost, target, SmallSearch.uniform(cost, start));
            assertArrayEquals(SmallSearch.uniform(cost, 5), steady.sizes(), 1e-9);
        }
    }

    @Test
    void aShortSearchDoesNotThrowSizesAbout() {
        double target = cost.uniform(5);
        for (long seed = 0; seed < 5; seed++) {
            SteadySizes steady = run(
                    new SteadySizes(SearchSettings.standard(), cost, target, SmallSearch.uniform(cost, 5)),
                    0,
                    10,
                    10,
                    seed);
            for (double v : steady.sizes()) {
                assertEquals(0, Math.log(v / 5), 0.7, Arrays.toString(steady.sizes()));
            }
        }
    }

    @Test
    void aPriceShrinksLayersThatBeginAtTheirLargestSize() {
        double[] largest =
                Arrays.stream(cost.plan().largestSizes()).asDoubleStream().toArray();
        SteadySizes steady = new SteadySizes(SearchSettings.standard(), cost, Double.NaN, largest);
        double[] noise = new double[n];
        for (int step = 0; step < 200; step++) {
            Arrays.fill(noise, step % 2 == 0 ? 1e-3 : -1e-3);
            double[] v = Arrays.stream(steady.sizes()).map(size -> (float) size).toArray(); // as a predictor says them
            steady.update(v, noise, step / 200.0, 200);
        }
        for (int l = 0; l < n; l++) {
            assertTrue(steady.sizes()[l] < largest[l] - 2, Arrays.toString(steady.sizes()));
        }
    }

    @Test
    void thePriceWaitsUntilSomethingIsLearned() {
        double[] largest =
                Arrays.stream(cost.plan().largestSizes()).asDoubleStream().toArray();
        for (double loss : new double[] {Math.log(2), 0.9 * Math.log(2), 0.1}) {
            SteadySizes steady = new SteadySizes(SearchSettings.standard(), cost, Double.NaN, largest);
            double[] noise = new double[n];
            for (int step = 0; step < 200; step++) {
                Arrays.fill(noise, step % 2 == 0 ? 1e-3 : -1e-3);
                steady.observe(loss);
                steady.update(steady.sizes(), noise, step / 200.0, 200);
            }
            double shrunk = largest[0] - steady.sizes()[0];
            assertTrue(
                    loss == Math.log(2) ? shrunk < 2 : shrunk > 3,
                    shrunk + " at a loss of " + loss); // noise alone: 1.3
        }
    }

    @Test
    void staysUnderACeiling() {
        double target = cost.uniform(5);
        SearchSettings settings =
                SearchSettings.standard().change().ceiling(true).build();
        SteadySizes steady = run(new SteadySizes(settings, cost, target, SmallSearch.uniform(cost, 5)), 0, 300, 300, 1);
        assertTrue(cost.soft(steady.sizes()).total() <= target * (1 + 1e-6));
        assertTrue(cost.soft(steady.answer()).total() <= target * (1 + 1e-6));
    }

    @Test
    void aCeilingDoesNotPullTheAnswerUp() {
        SearchSettings settings =
                SearchSettings.standard().change().ceiling(true).build();
        SteadySizes steady = new SteadySizes(settings, cost, cost.uniform(9), SmallSearch.uniform(cost, 9));
        double[] smaller = new double[n]; // the loss wants all layers smaller
        Arrays.fill(smaller, 1);
        for (int step = 0; step < 300; step++) {
            steady.update(steady.sizes(), smaller, step / 300.0, 300);
        }
        double wanted = cost.soft(steady.sizes()).total();
        assertTrue(wanted < 0.9 * cost.uniform(9), wanted + " of " + cost.uniform(9));
        assertEquals(wanted, cost.soft(steady.answer()).total(), 0.05 * wanted);
    }

    @Test
    void continuesBitEqualFromItsState() {
        for (double target : new double[] {cost.uniform(5), Double.NaN}) {
            continuesBitEqual(target);
        }
    }

    private void continuesBitEqual(double target) {
        SteadySizes whole = new SteadySizes(SearchSettings.standard(), cost, target, SmallSearch.uniform(cost, 5));
        SteadySizes first = new SteadySizes(SearchSettings.standard(), cost, target, SmallSearch.uniform(cost, 5));
        SteadySizes second = new SteadySizes(SearchSettings.standard(), cost, target, SmallSearch.uniform(cost, 7));
        Random draws = new Random(4);
        for (int step = 0; step < 100; step++) {
            double[] gradient = draws.doubles(n, -1, 1).toArray();
            double loss = draws.nextDouble(); // 0.69 is chance
            whole.observe(loss);
            whole.update(whole.sizes(), gradient, step / 100.0, 100);
            if (step == 90) {
                second.restore(first.state());
            }
            SteadySizes now = step < 90 ? first : second;
            now.observe(loss);
            now.update(now.sizes(), gradient, step / 100.0, 100);
        }
        assertArrayEquals(whole.answer(), second.answer(), 0);
        assertArrayEquals(whole.sizes(), second.sizes(), 0);
    }
}

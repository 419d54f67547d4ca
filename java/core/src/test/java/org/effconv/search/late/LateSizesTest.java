package org.effconv.search.late;

import static org.junit.jupiter.api.Assertions.*;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.effconv.autodiff.Parameter;
import org.effconv.backend.Backend;
import org.effconv.backend.LateReading;
import org.effconv.backend.cpu.CpuBackend;
import org.effconv.error.EffconvException.JobFailed;
import org.effconv.nn.WeightSource.Progress;
import org.effconv.predict.SearchSettings;
import org.effconv.predict.SizePredictor;
import org.effconv.search.SmallSearch;
import org.effconv.search.sizes.BudgetGrid;
import org.effconv.search.sizes.SizeFollower;
import org.effconv.search.sizes.SteadySizes;
import org.effconv.tensor.DataType;
import org.junit.jupiter.api.Test;

/** The steady update where values are read late: which gradient shows in which step's sizes. */
class LateSizesTest {
    private static final int STEPS = 30;
    private static final int MOVING_FROM = 12;

    private static SearchSettings settings() {
        return SearchSettings.standard()
                .change()
                .closing(0)
                .features(5)
                .hidden(6)
                .build();
    }

    /** A step's sizes, and the gradient that it left. */
    private record Step(double[] sizes, double[] gradient) {}

    private static List<Step> steps(SmallSearch search, int from, int to) {
        List<Step> steps = new ArrayList<>();
        for (int i = from; i < to; i++) {
            Progress progress = new Progress(i, STEPS);
            search.weights.prepare(progress);
            SmallSearch.Run run = search.run(progress);
            run.tape().backward(run.loss());
            search.weights.afterBackward(progress);
            steps.add(new Step(
                    search.weights.sizes(), search.weights.sizeGradient().orElse(null)));
            for (Parameter p : search.weights.parameters()) {
                if (run.tape().gradient(p) != null) {
                    search.backend.accumulate(run.tape().gradient(p), -0.05, p.value());
                }
            }
            search.weights.afterStep(progress);
        }
        return steps;
    }

    private static SmallSearch late() {
        return new SmallSearch(LateReading.of(CpuBackend.open(1)), DataType.F64, "k5", settings());
    }

    @Test
    void theLastGradientIsTakenUpBeforeTheClosingPart() {
        SearchSettings settings = settings().change().closing(0.3).build();
        try (SmallSearch search = new SmallSearch(LateReading.of(CpuBackend.open(1)), DataType.F64, "k5", settings)) {
            steps(search, 0, 22); // the first closing step is 21
            double[] found = search.weights.found().soft();
            steps(search, 22, STEPS);
            search.weights.finishEpoch();
            assertArrayEquals(found, search.weights.found().soft(), 0);
        }
    }

    @Test
    void aBrokenPredictorEndsTheSearchOnceItsSizesAreIn() {
        try (SmallSearch search = late()) {
            steps(search, 0, MOVING_FROM);
            Parameter w = search.weights.parameters().stream()
                    .filter(p -> p.name().equals("size/w"))
                    .findFirst()
                    .orElseThrow();
            search.backend.fill(w.value(), Double.NaN);
            String message = assertThrows(JobFailed.class, () -> steps(search, MOVING_FROM, STEPS))
                    .getMessage();
            assertTrue(message.startsWith("the predicted size of layer dense is NaN"), message);
        }
    }

    // Sizes move in every second pair of steps.
    private static boolean moves(int step) {
        return step >= MOVING_FROM && step / 2 % 2 == 0;
    }

    private static void update(SteadySizes steady, List<Step> steps, int step) {
        double part = STEPS * 0.6;
        steady.update(steps.get(step).sizes, steps.get(step).gradient, (step - STEPS * 0.4) / part, part / 2);
    }

    @Test
    void withoutAPredictorAGradientShowsInTheStepAfterTheNext() {
        try (SmallSearch search = late()) {
            assertTrue(moves(STEPS - 2) && moves(STEPS - 1), "something is left open in the end");
            search.weights.withoutSizePredictor();
            SteadySizes model =
                    new SteadySizes(settings(), search.cost, search.cost.uniform(5), new double[] {5, 5, 5});
            List<Step> steps = steps(search, 0, STEPS);
            for (int i = 0; i < STEPS; i++) {
                if (moves(i - 2)) {
                    update(model, steps, i - 2);
                }
                assertArrayEquals(model.sizes(), steps.get(i).sizes, 1e-12, "step " + i);
            }
            assertTrue(Math.abs(steps.get(STEPS - 1).sizes[0] - 5) > 0.1, "sizes moved");
            update(model, steps, STEPS - 2);
            update(model, steps, STEPS - 1);
            search.weights.finishEpoch();
            assertArrayEquals(model.sizes(), search.weights.wanted(), 1e-12, "nothing is left open");
        }
    }

    @Test
    void throughThePredictorItShowsOneStepLater() {
        try (SmallSearch search = late()) {
            Backend backend = search.backend;
            double[] start = {5, 5, 5};
            SteadySizes model = new SteadySizes(settings(), search.cost, search.cost.uniform(5), start);
            List<Step> steps = steps(search, 0, STEPS);
            try (SizePredictor predictor = new SizePredictor(
                            backend, DataType.F64, search.cost.layers(), start, false, new Random(7));
                    SizeFollower follower = new SizeFollower(backend, predictor)) {
                for (int i = 0; i < STEPS; i++) {
                    if (moves(i - 3)) {
                        update(model, steps, i - 3);
                        follower.moveTo(model.sizes());
                    }
                    assertArrayEquals(
                            backend.readDoubles(follower.predict().v().value()),
                            steps.get(i).sizes,
                            1e-12,
                            "step " + i);
                }
            }
        }
    }

    /** A range of budgets, and a predictor that follows it at once. */
    private static final class Range implements AutoCloseable {
        final SmallSearch search =
                new SmallSearch(LateReading.of(CpuBackend.open(1)), DataType.F64, "any:k3..k7", settings());
        final BudgetGrid grid = grid();
        final SizePredictor predictor = predictor();
        final SizeFollower follower = new SizeFollower(search.backend, predictor);

        BudgetGrid grid() {
            return new BudgetGrid(settings(), search.cost, search.cost.uniform(3), search.cost.uniform(7));
        }

        SizePredictor predictor() {
            double[] start = grid.start(BudgetGrid.middle());
            return new SizePredictor(search.backend, DataType.F64, search.cost.layers(), start, true, new Random(7));
        }

        SizePredictor.Sizes predict(int budget) {
            follower.at(BudgetGrid.position(budget));
            return follower.predict();
        }

        void update(long step, double[] sizes, double[] gradient, double fraction, double steps) {
            grid.at(step);
            grid.update(sizes, gradient, fraction, steps);
            predict(grid.budget(step));
            follower.moveTo(grid.sizes());
        }

        @Override
        public void close() {
            follower.close();
            predictor.close();
            search.close();
        }
    }

    @Test
    void aStepOfARangeHasThePredictorOfThreeStepsBefore() {
        try (Range range = new Range()) {
            for (int i = 0; i < 20 * BudgetGrid.COUNT; i++) {
                range.predict(i % BudgetGrid.COUNT);
                range.follower.moveTo(range.grid.sizes(i % BudgetGrid.COUNT));
            }
            List<Step> steps = steps(range.search, 0, STEPS);
            double part = STEPS - MOVING_FROM;
            for (int i = 0; i < STEPS; i++) {
                if (i - 3 >= MOVING_FROM) {
                    range.update(
                            i - 3,
                            steps.get(i - 3).sizes,
                            steps.get(i - 3).gradient,
                            (i - 3 - MOVING_FROM) / part,
                            part);
                }
                double[] expected = range.search.backend.readDoubles(
                        range.predict(range.grid.budget(i)).v().value());
                assertArrayEquals(
                        expected, steps.get(i).sizes, 1e-3, "step " + i); // both begin that close to the starts
            }
        }
    }

    @Test
    void kernelsOfARangeKnowTheStatesOfTheirBudget() {
        try (Range range = new Range();
                SizePredictor predictor = range.predictor();
                SizeFollower eager = new SizeFollower(range.search.backend, predictor);
                LateSizes late = new LateSizes(
                        range.search.backend,
                        DataType.F64,
                        range.search.cost.layers(),
                        settings(),
                        predictor,
                        eager,
                        range.grid())) {
            Backend backend = range.search.backend;
            double[] gradient = {-1, 0.5, 2};
            List<double[]> sizes = new ArrayList<>();
            for (int i = 0; i < 24; i++) {
                sizes.add(late.sizes(i));
                if (i >= 3) {
                    range.update(i - 3, sizes.get(i - 3), gradient, (i - 3) / 30.0, 30);
                }
                late.prepare(i, sizes.get(i), sizes.get(i), true);
                SizePredictor.Sizes expected = range.predict(range.grid.budget(i));
                assertArrayEquals(backend.readDoubles(expected.v().value()), sizes.get(i), 1e-12, "sizes of step " + i);
                assertArrayEquals(
                        backend.readDoubles(expected.u()),
                        backend.readDoubles(late.condition().u()),
                        1e-12,
                        "states of step " + i);
                backend.write(late.gradient(), gradient);
                late.afterStep(i / 30.0, 30);
            }
            late.finish();
            for (int i = 21; i < 24; i++) {
                range.update(i, sizes.get(i), gradient, i / 30.0, 30);
            }
            double[] expected =
                    backend.readDoubles(range.predict(range.grid.budget(24)).v().value());
            assertArrayEquals(expected, late.sizes(24), 1e-12, "nothing is left open");
        }
    }

    /** The late sizes alone, under gradients of the test's own; beside them a predictor that follows at once. */
    private static final class Alone implements AutoCloseable {
        final SmallSearch search = late();
        final Backend backend = search.backend;
        final double[] start = {5, 5, 5};
        final SizePredictor predictor = predictor();
        final SizeFollower eager = new SizeFollower(backend, predictor);
        final LateSizes late = new LateSizes(
                backend,
                DataType.F64,
                search.cost.layers(),
                settings(),
                predictor,
                eager,
                new SteadySizes(settings(), search.cost, search.cost.uniform(5), start));

        SizePredictor predictor() {
            return new SizePredictor(backend, DataType.F64, search.cost.layers(), start, false, new Random(7));
        }

        @Override
        public void close() {
            late.close();
            eager.close();
            predictor.close();
            search.close();
        }
    }

    @Test
    void kernelsKnowTheStatesBehindTheirSizes() {
        try (Alone alone = new Alone();
                SizePredictor predictor = alone.predictor();
                SizeFollower follower = new SizeFollower(alone.backend, predictor)) {
            SteadySizes model =
                    new SteadySizes(settings(), alone.search.cost, alone.search.cost.uniform(5), alone.start);
            double[] gradient = {-1, 0.5, 2};
            List<double[]> sizes = new ArrayList<>();
            for (int i = 0; i < 8; i++) {
                sizes.add(alone.late.sizes(i));
                if (i >= 3) {
                    model.update(sizes.get(i - 3), gradient, (i - 3) / 20.0, 20);
                    follower.moveTo(model.sizes());
                }
                alone.late.prepare(i, sizes.get(i), sizes.get(i), true);
                SizePredictor.Sizes expected = follower.predict();
                assertArrayEquals(
                        alone.backend.readDoubles(expected.v().value()), sizes.get(i), 1e-12, "sizes of step " + i);
                assertArrayEquals(
                        alone.backend.readDoubles(expected.u()),
                        alone.backend.readDoubles(alone.late.condition().u()),
                        1e-12,
                        "states of step " + i);
                alone.backend.write(alone.late.gradient(), gradient);
                alone.late.afterStep(i / 20.0, 20);
            }
            assertTrue(Math.abs(sizes.get(7)[0] - sizes.get(0)[0]) > 1e-3, Arrays.toString(sizes.get(7)));
        }
    }

    @Test
    void gridsOfAnEpochDependOnNothingBefore() {
        try (Alone alone = new Alone()) {
            double[] below = {2.7, 2.7, 2.7};
            alone.late.prepare(0, below, below, true);
            Object fresh = alone.late.key();
            alone.late.prepare(0, new double[] {2.8, 2.8, 2.8}, below, true);
            alone.late.prepare(0, below, below, true);
            assertNotEquals(fresh, alone.late.key(), "held");
            alone.late.finish();
            alone.late.prepare(0, below, below, true);
            assertEquals(fresh, alone.late.key());
        }
    }

    @Test
    void stepsBetweenThatDoNotLearnLeaveTheGridsOfThoseThatDo() {
        try (Alone alone = new Alone()) {
            double[] below = {2.7, 2.7, 2.7};
            double[] above = {2.8, 2.8, 2.8};
            double[] drawn = {3.5, 3.5, 3.5};
            alone.late.prepare(0, below, drawn, true);
            Object fresh = alone.late.key();
            alone.late.finish();
            alone.late.prepare(0, above, drawn, true);
            Object held = alone.late.key();
            alone.late.prepare(0, above, drawn, false);
            alone.late.prepare(0, below, drawn, true);
            assertEquals(held, alone.late.key());
            assertNotNull(held, "can be repeated");
            assertNotEquals(fresh, held, "smaller grids would do");
        }
    }

    @Test
    void aSearchTakenUpAfterAnEpochIsBitEqual() {
        try (SmallSearch first = late();
                SmallSearch second = late()) {
            steps(first, 0, 20);
            first.weights.finishEpoch();
            steps(second, 0, 5); // it has run before it is restored, and left a step open
            steps(second, MOVING_FROM, MOVING_FROM + 2);
            for (int i = 0; i < first.weights.parameters().size(); i++) {
                second.backend.write(
                        second.weights.parameters().get(i).value(),
                        first.backend.readDoubles(
                                first.weights.parameters().get(i).value()));
            }
            second.weights.restore(first.weights.state());
            List<Step> expected = steps(first, 20, STEPS);
            List<Step> got = steps(second, 20, STEPS);
            for (int i = 0; i < expected.size(); i++) {
                assertArrayEquals(expected.get(i).sizes, got.get(i).sizes, 0, "step " + i);
            }
        }
    }

    @Test
    void stepsKeepTheirMemoryWhateverTheGrids() {
        try (SmallSearch search = late()) {
            List<Object> grids = new ArrayList<>();
            steps(search, MOVING_FROM, MOVING_FROM + 1);
            long bytes = search.stepBytes();
            for (int i = MOVING_FROM + 1; i < STEPS; i++) {
                Progress progress = new Progress(i, STEPS);
                search.weights.prepare(progress);
                grids.add(search.weights.stepKey().orElse(null));
                steps(search, i, i + 1);
            }
            assertTrue(grids.stream().distinct().count() > 1, "grids changed: " + grids);
            assertEquals(bytes, search.stepBytes());
        }
    }

    // Odd draws before sizes move need small grids, so that often the held ones would be too much more work.
    private static long firstShared(SmallSearch late) {
        for (long step = 0; step < MOVING_FROM; step++) {
            late.weights.prepare(new Progress(step, STEPS));
            if (late.weights.stepKey().isPresent()) {
                return step;
            }
        }
        throw new AssertionError("none can be recorded");
    }

    @Test
    void gridsThatAreHeldGiveTheGradientsOfTheirOwn() {
        try (SmallSearch late = late();
                SmallSearch plain = new SmallSearch(DataType.F64, "k5", settings())) {
            plain.weights.drawAsTheyCome();
            for (long step : new long[] {firstShared(late), 20, 21}) { // before sizes move, and after
                Progress progress = new Progress(step, STEPS);
                late.weights.prepare(progress);
                Object key = late.weights.stepKey().orElse(null);
                assertNotNull(key, "a step that can be recorded");
                SmallSearch.Run held = late.run(progress);
                SmallSearch.Run own = plain.run(progress);
                boolean larger = false;
                for (int l = 0; l < 3; l++) {
                    int there =
                            late.weights.weights(held.tape(), l).value().shape().dim(1);
                    int here =
                            plain.weights.weights(own.tape(), l).value().shape().dim(1);
                    assertTrue(there >= here, there + " below " + here);
                    larger |= there > here;
                }
                assertTrue(larger, "some grid is larger than this step's draw needs");
                assertEquals(
                        plain.backend.readDoubles(own.loss().value())[0],
                        late.backend.readDoubles(held.loss().value())[0],
                        1e-12);
                held.tape().backward(held.loss());
                own.tape().backward(own.loss());
                for (int i = 0; i < plain.weights.parameters().size(); i++) {
                    Parameter p = plain.weights.parameters().get(i);
                    Parameter q = late.weights.parameters().get(i);
                    if (own.tape().gradient(p) != null) {
                        assertArrayEquals(
                                plain.backend.readDoubles(own.tape().gradient(p)),
                                late.backend.readDoubles(held.tape().gradient(q)),
                                1e-12,
                                p.name());
                    }
                }
                if (step > MOVING_FROM) {
                    assertArrayEquals(
                            plain.weights.sizeGradient().orElse(null),
                            late.weights.sizeGradient().orElse(null),
                            1e-12);
                }
            }
        }
    }
}

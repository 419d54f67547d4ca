package org.effconv.search;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.effconv.autodiff.Parameter;
import org.effconv.backend.Backend;
import org.effconv.backend.MaskKind;
import org.effconv.error.EffconvException.JobFailed;
import org.effconv.nn.WeightSource.Progress;
import org.effconv.predict.SearchSettings;
import org.effconv.predict.SearchSettings.Kernels;
import org.effconv.tensor.DataType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class SynthesisedWeightsTest {
    private static final int STEPS = 40;

    private static SearchSettings settings() {
        return SearchSettings.standard().change().features(5).hidden(6).build();
    }

    // Plain descent on whatever has a gradient on the step's tape.
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

    /**
     * A NaN in the predictor, in whatever part, ends the search in the next step or evaluation, before there are sizes
     * to find.
     */
    @ParameterizedTest
    @ValueSource(strings = {"size/forward.U", "size/reverse.b", "size/gain", "size/shift", "size/w"})
    void aPredictorThatIsBrokenEndsTheSearch(String parameter) {
        for (SearchSettings.Update update : SearchSettings.Update.values()) {
            try (SmallSearch search = new SmallSearch(
                    DataType.F32, "k5", settings().change().update(update).build())) {
                steps(search, 0, STEPS / 2);
                Parameter broken = search.weights.parameters().stream()
                        .filter(p -> p.name().equals(parameter))
                        .findFirst()
                        .orElseThrow();
                double[] values = search.backend.readDoubles(broken.value());
                values[values.length / 2] = Double.NaN;
                search.backend.write(broken.value(), values);
                if (update == SearchSettings.Update.STEADY) { // whose predictor is asked anew only once it has moved
                    search.weights.restore(search.weights.state());
                }
                String message = assertThrows(JobFailed.class, () -> steps(search, STEPS / 2, STEPS / 2 + 1))
                        .getMessage();
                assertTrue(message.startsWith("the predicted size of layer ") && message.contains(" is NaN"), message);
            }
        }
    }

    @Test
    void sizesKeepTheirStartWhileFrozenAndTheBudgetAfterwards() {
        try (SmallSearch search = new SmallSearch(DataType.F32, "k5", settings())) {
            steps(search, 0, STEPS * 2 / 5);
            assertArrayEquals(new double[] {5, 5, 5}, search.weights.sizes(), 1e-4);
            steps(search, STEPS * 2 / 5, STEPS);
            double[] v = search.weights.sizes();
            assertTrue(Arrays.stream(v).anyMatch(s -> Math.abs(s - 5) > 0.05), Arrays.toString(v));
            double target = search.cost.uniform(5);
            assertEquals(target, search.cost.soft(search.weights.wanted()).total(), 1e-6 * target);
            assertEquals(target, search.cost.soft(v).total(), 0.05 * target, "the predictor follows what is wanted");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"k5", "auto"})
    void inTheEndKernelsLearnAtOddSizesAroundThoseFound(String budget) {
        try (SmallSearch search = new SmallSearch(DataType.F32, budget, settings())) {
            steps(search, 0, STEPS * 4 / 5);
            double[] found = search.weights.found().soft();
            Set<String> drawn = new HashSet<>();
            for (int step = STEPS * 4 / 5; step < STEPS; step++) {
                steps(search, step, step + 1);
                double[] used = search.weights.used();
                drawn.add(Arrays.toString(used));
                for (int l = 0; l < used.length; l++) {
                    assertEquals(1, used[l] % 2, "odd");
                    assertTrue(
                            !budget.equals("auto") || Math.abs(used[l] - found[l]) <= 2.2,
                            used[l] + " for " + found[l]);
                }
            }
            assertTrue(drawn.size() > 2, drawn.toString());
            assertArrayEquals(found, search.weights.found().soft(), 0);
        }
    }

    @Test
    void withoutSpreadAllStepsAreAtThePredictedSizes() {
        try (SmallSearch search = new SmallSearch(
                DataType.F32, "k5", settings().change().spread(0).build())) {
            for (int step : new int[] {0, STEPS / 2, STEPS - 1}) {
                steps(search, step, step + 1);
                assertArrayEquals(search.weights.sizes(), search.weights.used(), 0);
            }
        }
    }

    @Test
    void twoRunsOfOneSeedAndARestoredOneAreBitEqual() {
        try (SmallSearch first = new SmallSearch(DataType.F32, "k5", settings());
                SmallSearch second = new SmallSearch(DataType.F32, "k5", settings());
                SmallSearch third = new SmallSearch(DataType.F32, "k5", settings())) {
            steps(first, 0, STEPS);
            steps(second, 0, 25);
            Map<String, double[]> state = second.weights.state();
            third.loss(new Progress(0, STEPS)); // it has run before it is restored
            for (int i = 0; i < third.weights.parameters().size(); i++) {
                third.backend.write(
                        third.weights.parameters().get(i).value(),
                        second.backend.readFloats(
                                second.weights.parameters().get(i).value()));
            }
            third.weights.restore(state);
            steps(second, 25, STEPS);
            steps(third, 25, STEPS);
            assertArrayEquals(
                    first.weights.found().soft(), second.weights.found().soft(), 0);
            for (int i = 0; i < first.weights.parameters().size(); i++) {
                Backend backend = first.backend;
                float[] expected =
                        backend.readFloats(first.weights.parameters().get(i).value());
                assertArrayEquals(
                        expected,
                        second.backend.readFloats(
                                second.weights.parameters().get(i).value()),
                        0);
                assertArrayEquals(
                        expected,
                        third.backend.readFloats(
                                third.weights.parameters().get(i).value()),
                        0);
            }
        }
    }

    @ParameterizedTest
    @EnumSource(Kernels.class)
    void predictedWeightsAreThoseOfTheSizesAskedForWithHesVariance(Kernels kernels) {
        SearchSettings settings =
                SearchSettings.standard().change().kernels(kernels).build();
        try (SmallSearch search = new SmallSearch(DataType.F32, "k5", settings)) {
            int[] sizes = {7, 3, 9};
            List<float[]> weights = search.weights.predictedWeights(sizes);
            for (int l = 0; l < 3; l++) {
                int fanIn = search.cost.layers().get(l).fanIn(sizes[l]);
                assertEquals(search.cost.layers().get(l).weightShape(sizes[l]).count(), weights.get(l).length);
                double square = 0;
                for (float w : weights.get(l)) {
                    square += w * w;
                }
                assertEquals(2.0 / fanIn, square / weights.get(l).length, 1.0 / fanIn, "layer " + l);
            }
        }
    }

    @Test
    void softMasksAreCroppedToTheKernel() {
        SearchSettings settings =
                SearchSettings.standard().change().mask(MaskKind.SMOOTHSTEP).build();
        try (SmallSearch search = new SmallSearch(DataType.F32, "k5", settings)) {
            List<float[]> weights = search.weights.predictedWeights(new int[] {3, 1, 5});
            assertEquals(5 * 3 * 3 * 2, weights.get(0).length);
            assertEquals(4 * 5, weights.get(1).length);
            assertFalse(weights.get(0)[0] == 0);
        }
    }

    /** A network may call its layers what it likes: a checkpoint holds every tensor under a name of its own. */
    @Test
    void noParameterHasANameThatALayerMayHave() {
        try (SmallSearch search = new SmallSearch(DataType.F32, "k3", SearchSettings.standard())) {
            for (Parameter p : search.weights.parameters()) {
                assertTrue(p.name().contains("/"), p.name());
            }
        }
    }

    @Test
    void judgedSizesAreTheMasksAndNothingElse() {
        try (SmallSearch search = new SmallSearch(DataType.F32, "k5", settings())) {
            steps(search, 0, STEPS / 2);
            Progress progress = new Progress(STEPS / 2, STEPS);
            double drawn = search.loss(progress);
            search.weights.judge(new int[] {7, 3, 5});
            double judged = search.loss(progress);
            assertEquals(judged, search.loss(new Progress(STEPS / 2 + 1, STEPS)), 0, "no draws while judging");
            assertNotEquals(judged, drawn);
            search.weights.judge(new int[] {5, 3, 7});
            assertNotEquals(judged, search.loss(progress));
            search.weights.judgeNoMore();
            assertEquals(drawn, search.loss(progress), 0, "judging leaves no trace");
        }
    }
}

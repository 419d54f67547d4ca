package org.effconv;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;
import org.effconv.EffconvException.InvalidInput;
import org.effconv.EffconvException.JobFailed;
import org.effconv.data.Datasets;
import org.effconv.io.JsonLines;
import org.effconv.train.Phase;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SizeTrialsTest {
    private static final List<int[]> CHOICES = List.of(new int[] {3, 3}, new int[] {1, 5}, new int[] {5, 1});

    private static SizeTrials.Outcome best(double... losses) {
        return SizeTrials.best(CHOICES, CHOICES.get(0), (index, sizes) -> {
            assertArrayEquals(CHOICES.get(index), sizes);
            if (Double.isNaN(losses[index])) {
                throw new JobFailed("the loss is NaN");
            }
            return new Phase.Outcome(2, 8, null, null, losses[index], Double.NaN);
        });
    }

    @Test
    void theSmallestLossWinsAndTheLikelierChoiceATie() {
        assertArrayEquals(new int[] {1, 5}, best(0.5, 0.4, 0.45).sizes());
        assertArrayEquals(new int[] {3, 3}, best(0.4, 0.4, 0.4).sizes());
        assertEquals(6, best(0.5, 0.4, 0.45).seconds());
        assertEquals(List.of(0.5, 0.4, 0.45), best(0.5, 0.4, 0.45).tried().stream().map(SearchResult.Trial::loss).toList());
    }

    /** Two trials of one choice differ by a hundredth. */
    @Test
    void theStartStaysUnlessAnotherIsClearlyBetter() {
        assertArrayEquals(new int[] {3, 3}, best(0.5, 0.4951, 0.6).sizes());
        assertArrayEquals(new int[] {1, 5}, best(0.5, 0.4949, 0.6).sizes());
        assertArrayEquals(new int[] {1, 5}, best(0.5, 0.4899, 0.4901).sizes()); // of the others the smallest
        assertArrayEquals(new int[] {1, 5}, best(Double.NaN, 0.4951, 0.6).sizes());
    }

    @Test
    void aChoiceThatCannotBeTrainedLosesAndAllThatCannotFail() {
        assertArrayEquals(new int[] {5, 1}, best(Double.NaN, 0.4, 0.3).sizes());
        assertTrue(Double.isNaN(best(Double.NaN, 0.4, 0.3).tried().get(0).loss()));
        assertThrows(JobFailed.class, () -> best(Double.NaN, Double.NaN, Double.NaN));
    }

    @Test
    void aTrialWhoseLinesAreGoneIsNoLoserInSilence() {
        assertThrows(InvalidInput.class, () -> SizeTrials.best(CHOICES, CHOICES.get(0), (index, sizes) ->
                new Phase.Outcome(2, 8, null, null, index == 1 ? Double.NaN : 0.5, Double.NaN)));
    }

    @Test
    void trialsTakeTheirShareOfTheSearchAndOnlyUnderABudgetThatIsJudged() {
        Settings six = Settings.standard().with(Settings.SEARCH_EPOCHS, 6);
        assertEquals(1, SizeTrials.epochs(six));
        assertEquals(2, SizeTrials.epochs(six.with(Settings.TRIALS, 0.33)));
        assertEquals(1, SizeTrials.epochs(six.with(Settings.SEARCH_EPOCHS, 1)));
        assertEquals(3, SizeTrials.epochs(six.with(Settings.TRIALS, 0.5)));
        assertEquals(0, SizeTrials.epochs(six.with(Settings.TRIALS, 0.0)));
        assertEquals(0, SizeTrials.epochs(six.with(Settings.BUDGET, "auto")));
        assertEquals(0, SizeTrials.epochs(six.with(Settings.POLISH, 0)));
        assertEquals(0, SizeTrials.epochs(six.with(Settings.CEILING, true)));
    }

    @Test
    void aLongTrainingNeedsNoLongSearch() {
        Settings standard = Settings.standard();
        assertEquals(6, KernelSizeSearch.epochs(standard)); // of 16
        assertEquals(1, KernelSizeSearch.epochs(standard.with(Settings.EPOCHS, 1)));
        assertEquals(12, KernelSizeSearch.epochs(standard.with(Settings.EPOCHS, 200)));
        assertEquals(12, KernelSizeSearch.epochs(standard.with(Settings.EPOCHS, 200).with(Settings.SEARCH_FRACTION, 1.0)));
        assertEquals(75, KernelSizeSearch.epochs(standard.with(Settings.EPOCHS, 200).with(Settings.SEARCH_EPOCHS, 75)));
    }

    private static int best(List<SearchResult.Trial> trials) {
        return IntStream.range(0, trials.size()).boxed().min(Comparator.comparingDouble(i -> trials.get(i).loss())).orElseThrow();
    }

    /** One epoch from fresh weights ends near log(2), the loss of a blind guess; from what eight epochs have learned, far below. */
    @Test
    void trialsStartFromWhatTheSearchHasLearned(@TempDir Path folder) {
        Path run = folder.resolve("run");
        try (Device device = Device.open(Settings.standard().with(Settings.THREADS, 1).with(Settings.PRECISION, "fp32"))) {
            KernelSizeSearch.of("lenet").budget("k5").epochs(8).batch(8).set(Settings.TRIALS, 0.01).out(run)
                    .run(device, Datasets.open("planted:5,train=512,test=32,size=16"));
            List<JsonNode> lines = List.copyOf(JsonLines.read(run.resolve("metrics.jsonl")));
            List<Double> trials = lines.stream().filter(m -> m.path("phase").asText().equals("trial1")).map(m -> m.path("loss").asDouble()).toList();
            assertEquals(1, trials.size());
            assertTrue(trials.get(0) < 0.1 * Math.log(2), trials.toString());
        }
    }

    @Test
    void aSearchAnswersWithTheChoiceWhoseTrialEndedBest(@TempDir Path folder) {
        Path run = folder.resolve("run");
        try (Device device = Device.open(Settings.standard().with(Settings.THREADS, 1).with(Settings.PRECISION, "fp32"))) {
            SearchResult found = KernelSizeSearch.of("lenet").budget("k5").epochs(2).batch(8).set(Settings.TRIALS, 1.0).out(run)
                    .run(device, Datasets.open("planted:5,train=512,test=32,size=16"));
            List<String> lines = JsonLines.read(run.resolve("metrics.jsonl")).stream()
                    .filter(m -> m.path("phase").asText().startsWith("trial") && m.path("epoch").asInt() == 2)
                    .sorted(Comparator.comparingDouble(m -> m.path("loss").asDouble()))
                    .map(m -> m.path("sizes").toString())
                    .toList();
            assertEquals(lines.size(), IntStream.range(0, lines.size()).mapToObj(lines::get).distinct().count());
            assertEquals(lines.size(), found.trials().size());
            SearchResult.Trial least = found.trials().get(best(found.trials()));
            assertEquals(lines.get(0), Arrays.toString(least.sizes()).replace(" ", ""));
            SearchResult.Trial start = found.trials().stream().filter(trial -> Arrays.equals(trial.sizes(), new int[] {5, 5})).findFirst().orElseThrow();
            boolean clearly = least.loss() < (1 - SizeTrials.CLEARLY) * start.loss();
            assertArrayEquals(clearly ? least.sizes() : start.sizes(), found.sizes());
        }
    }
}

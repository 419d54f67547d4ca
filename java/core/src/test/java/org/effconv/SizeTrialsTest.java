package org.effconv;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.effconv.EffconvException.JobFailed;
import org.effconv.data.Datasets;
import org.effconv.io.JsonLines;
import org.effconv.size.SizePolish;
import org.effconv.train.Phase;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SizeTrialsTest {
    private static final String START = "333";
    private static final List<String> RISING = List.of("335", "135", "155", "157");
    private static final List<String> FALLING = List.of("533", "531", "731", "751");
    private static final List<String> REST = List.of("353", "313");

    private final List<String> tried = new ArrayList<>();

    private static int[] sizes(String digits) {
        return digits.chars().map(c -> c - '0').toArray();
    }

    private static String digits(int[] sizes) {
        return Arrays.stream(sizes).mapToObj(Integer::toString).collect(Collectors.joining());
    }

    private static List<int[]> sizes(List<String> choices) {
        return choices.stream().map(SizeTrialsTest::sizes).toList();
    }

    /** Of a search whose answer is {@code answer}; trials take two epochs, longer ones six. The losses of trials, "sizes epochs"; 1 of all others. */
    private SizeTrials.Outcome best(String answer, Map<String, Double> losses) {
        tried.clear();
        SizePolish.Finalists choices = new SizePolish.Finalists(sizes(answer), sizes(START), sizes(RISING), sizes(FALLING), sizes(REST));
        return SizeTrials.best(choices, 2, (index, sizes, epochs) -> {
            assertEquals(tried.size(), index);
            tried.add(digits(sizes) + " " + epochs);
            double loss = losses.getOrDefault(digits(sizes) + " " + epochs, 1.0);
            if (Double.isNaN(loss)) {
                throw new JobFailed("the loss is NaN");
            }
            return new Phase.Outcome(epochs, 8, null, null, loss, Double.NaN);
        });
    }

    private String sizesOf(String answer, Map<String, Double> losses) {
        return digits(best(answer, losses).sizes());
    }

    @Test
    void theWayThatTrainsBetterIsTriedFurtherWhereItIsAnyGood() {
        best(START, Map.of("335 2", 0.995));
        assertEquals(List.of("333 2", "335 2", "533 2", "135 2", "155 2", "353 2"), tried);
        best(START, Map.of("335 2", 1.02, "533 2", 1.005));
        assertEquals(List.of("333 2", "335 2", "533 2", "531 2", "731 2", "353 2"), tried);
        best(START, Map.of("335 2", 1.03, "533 2", 1.02));
        assertEquals(List.of("333 2", "335 2", "533 2", "353 2"), tried);
        best("313", Map.of()); // the answer has a place of its own
        assertEquals(List.of("313 2", "333 2", "335 2", "533 2", "135 2", "155 2"), tried);
        best("155", Map.of()); // unless it rises or falls itself
        assertEquals(List.of("155 2", "333 2", "335 2", "533 2", "135 2", "353 2"), tried);
        assertEquals(SizeTrials.MOST, tried.size());
    }

    @Test
    void theSmallestLossWinsAndTheEarlierChoiceATie() {
        SizeTrials.Outcome outcome = best("313", Map.of("313 2", 0.9, "335 2", 0.9, "135 2", 0.8, "135 6", 0.6, "333 6", 0.7));
        assertEquals("135", digits(outcome.sizes()));
        assertEquals(List.of("333 6", "135 6"), tried.subList(6, tried.size()));
        assertEquals(6 * 2 + 2 * 6, outcome.seconds());
        assertEquals(tried, outcome.tried().stream().map(t -> digits(t.sizes()) + " " + t.epochs()).toList());
        assertEquals(List.of(0.9, 1.0, 0.9, 1.0, 0.8, 1.0, 0.7, 0.6), outcome.tried().stream().map(SearchResult.Trial::loss).toList());
        assertEquals("313", sizesOf("313", Map.of("313 2", 0.9, "335 2", 0.9, "313 6", 0.9)));
    }

    /** Two trials of one choice differ by a hundredth. */
    @Test
    void theStartStaysUnlessAnotherIsClearlyBetter() {
        assertEquals("333", sizesOf("313", Map.of("313 2", 0.9901)));
        assertEquals(SizeTrials.MOST, tried.size()); // no longer ones where the start stays
        assertEquals("313", sizesOf("313", Map.of("313 2", 0.9899, "313 6", 0.9)));
        assertEquals("335", sizesOf("313", Map.of("313 2", 0.9801, "335 2", 0.9799, "335 6", 0.9, "313 6", 0.9))); // of the others the best
    }

    @Test
    void whatOnlyLearnsFastDoesNotWin() {
        assertEquals("333", sizesOf("313", Map.of("313 2", 0.8, "333 6", 0.3, "313 6", 0.31)));
        assertEquals("333", sizesOf("313", Map.of("313 2", 0.8, "333 6", 0.3, "313 6", 0.2971)));
        assertEquals("313", sizesOf("313", Map.of("313 2", 0.8, "333 6", 0.3, "313 6", 0.2969)));
    }

    @Test
    void aChoiceThatCannotBeTrainedLosesAndAllThatCannotFail() {
        double none = Double.NaN;
        assertEquals("313", sizesOf("313", Map.of("333 2", none, "313 2", 0.9, "333 6", none)));
        assertTrue(Double.isNaN(best(START, Map.of("335 2", none)).tried().get(1).loss()));
        assertEquals(List.of("333 2", "335 2", "533 2", "531 2", "731 2", "353 2"), tried);
        assertEquals("333", sizesOf("313", Map.of("313 2", 0.8, "313 6", none)));
        assertThrows(JobFailed.class, () -> best("313", Map.of("313 2", 0.8, "313 6", none, "333 6", none)));
        assertThrows(JobFailed.class, () -> best(START, Map.of("333 2", none, "335 2", none, "533 2", none, "135 2", none, "155 2", none, "353 2", none)));
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
    void aSearchAnswersWithTheChoiceWhoseTrialsEndedBest(@TempDir Path folder) {
        Path run = folder.resolve("run");
        try (Device device = Device.open(Settings.standard().with(Settings.THREADS, 1).with(Settings.PRECISION, "fp32"))) {
            SearchResult found = KernelSizeSearch.of("lenet").budget("k5").epochs(2).batch(8).set(Settings.TRIALS, 1.0).out(run)
                    .run(device, Datasets.open("planted:5,train=512,test=32,size=16"));
            List<? extends JsonNode> last = JsonLines.read(run.resolve("metrics.jsonl")).stream()
                    .filter(m -> m.path("phase").asText().startsWith("trial") && m.path("epoch").asInt() == m.path("epochs").asInt()).toList();
            assertEquals(last.stream().map(m -> m.path("sizes") + " " + m.path("epochs") + " " + m.path("loss")).toList(), found.trials().stream()
                    .map(trial -> Arrays.toString(trial.sizes()).replace(" ", "") + " " + trial.epochs() + " " + trial.loss()).toList());
            int[] start = {5, 5};
            int[] best = answer(found.trials().stream().filter(trial -> trial.epochs() == 2).toList(), start);
            List<SearchResult.Trial> longer = found.trials().stream().filter(trial -> trial.epochs() == 6).toList();
            assertEquals(Arrays.equals(best, start) ? List.of() : List.of(Arrays.toString(start), Arrays.toString(best)),
                    longer.stream().map(trial -> Arrays.toString(trial.sizes())).toList());
            assertArrayEquals(longer.isEmpty() ? start : answer(longer, start), found.sizes());
        }
    }

    private static int[] answer(List<SearchResult.Trial> trials, int[] start) {
        SearchResult.Trial least = trials.stream().min(Comparator.comparingDouble(SearchResult.Trial::loss)).orElseThrow();
        SearchResult.Trial ofStart = trials.stream().filter(trial -> Arrays.equals(trial.sizes(), start)).findFirst().orElseThrow();
        return least.loss() < (1 - SizeTrials.CLEARLY) * ofStart.loss() ? least.sizes() : start;
    }
}

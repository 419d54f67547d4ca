package org.effconv;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.effconv.cost.Cost;
import org.effconv.data.Dataset;
import org.effconv.data.Datasets;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.io.JsonLines;
import org.effconv.run.OneRun;
import org.effconv.train.StopSignal;
import org.effconv.train.TrainingListener;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Sizes that are chosen within the one training that they are for. */
class OneRunTest {
    private static final Dataset DATA = Datasets.open("planted:5,train=160,test=64,size=12"); // 10 batches an epoch
    private static final int EPOCHS = 6;

    @TempDir
    Path folder;

    private static Device device() {
        return Device.open(Settings.standard().with(Settings.THREADS, 1).with(Settings.PRECISION, "fp32"));
    }

    /** 80 steps for what is not the training: a probe of 20, and heats that end within epochs. */
    private static Learning learning() {
        return Learning.of("planted3")
                .budget("k5")
                .set(Settings.COST, "macs")
                .epochs(EPOCHS)
                .batch(16)
                .set(Settings.SEARCH_EPOCHS, 8)
                .set(Settings.VALIDATION, 0.0);
    }

    private static Training training(int[] sizes) {
        return Training.of("planted3", sizes).epochs(EPOCHS).batch(16);
    }

    private static byte[] model(Path run) throws IOException {
        return Files.readAllBytes(run.resolve("model.safetensors"));
    }

    @Test
    void theSurvivorIsBitForBitThePlainTrainingOfItsSizes() throws IOException {
        try (Device device = device()) {
            Path run = folder.resolve("run");
            int[] sizes;
            double uniformLoss;
            int[] uniform = {5, 5, 5};
            List<String> heard = new ArrayList<>();
            TrainingListener listener = new TrainingListener() {
                @Override
                public void onCandidate(int[] sizes, int steps, double loss) {
                    heard.add(Arrays.toString(sizes) + steps + loss);
                }
            };
            try (LearningResult result = learning().out(run).listener(listener).run(device, DATA)) {
                SearchResult found = result.search();
                for (SearchResult.Candidate candidate : found.candidates()) {
                    assertTrue(
                            heard.contains(Arrays.toString(candidate.sizes()) + candidate.steps() + candidate.loss()),
                            heard.toString());
                }
                assertTrue(
                        found.candidates().size() >= 3,
                        "candidates " + found.candidates().size());
                assertTrue(found.candidates().stream().anyMatch(c -> c.steps() % 10 != 0), "heats end within epochs");
                sizes = found.sizes();
                assertTrue(found.candidates().stream().anyMatch(c -> Arrays.equals(c.sizes(), uniform)));
                uniformLoss = result.uniform().orElse(result.learned()).testLoss();
            }
            Path plain = folder.resolve("plain");
            training(sizes).out(plain).run(device, DATA).close();
            assertArrayEquals(model(plain), model(run));
            try (TrainingResult other = training(uniform).run(device, DATA)) {
                assertEquals(
                        other.testLoss(),
                        uniformLoss,
                        0,
                        "the uniform network goes on from where the candidates were compared");
            }
            assertEquals(timeless(plain, "train"), timeless(run, "train"), "metrics from the first epoch on");
        }
    }

    private static List<ObjectNode> timeless(Path run, String phase) {
        return JsonLines.read(run.resolve("metrics.jsonl")).stream()
                .filter(line -> line.path("phase").asText().equals(phase))
                .map(line -> line.without(List.of("seconds", "imagesPerSecond", "peakRssBytes")))
                .map(ObjectNode.class::cast)
                .toList();
    }

    @Test
    void withoutAFolderItIsTheSame() {
        try (Device device = device()) {
            try (LearningResult with = learning().out(folder.resolve("run")).run(device, DATA);
                    LearningResult without = learning().run(device, DATA)) {
                assertEquals(with.search().candidatesToJson(), without.search().candidatesToJson());
                assertEquals(with.learned().testLoss(), without.learned().testLoss(), 0);
                assertEquals(
                        with.search().work().multiplyAdds(),
                        without.search().work().multiplyAdds());
            }
        }
    }

    /** Stops a run after so many batches, wherever that is. */
    private static TrainingListener after(int batches, StopSignal stop, Set<String> phases) {
        return new TrainingListener() {
            private int seen;

            @Override
            public void onBatch(String phase, int epoch, int batch, double loss) {
                if (++seen == batches) {
                    phases.add(phase);
                    stop.request();
                }
            }
        };
    }

    @Test
    void aRunThatIsStoppedAnywhereGoesOnBitForBit() throws IOException {
        try (Device device = device()) {
            Path whole = folder.resolve("whole");
            double work;
            try (LearningResult result = learning().out(whole).run(device, DATA)) {
                work = result.work().multiplyAdds();
            }
            Set<String> phases = new TreeSet<>();
            for (int batches = 4; batches < 150; batches += 29) {
                Path run = folder.resolve("run" + batches);
                StopSignal stop = new StopSignal();
                assertThrows(StopSignal.Stopped.class, () -> learning()
                        .out(run)
                        .stopSignal(stop)
                        .listener(after(5, stop, phases))
                        .run(device, DATA)
                        .close());
                for (int more = batches; more > 0; more -= 40) { // and again, some way further on
                    StopSignal again = new StopSignal();
                    int further = Math.min(40, more);
                    try {
                        Learning.resume(run)
                                .stopSignal(again)
                                .listener(after(further, again, phases))
                                .run(device, DATA)
                                .close();
                    } catch (StopSignal.Stopped e) {
                        assertFalse(Files.exists(run.resolve("summary.json")));
                    }
                }
                try (LearningResult result = Learning.resume(run).run(device, DATA)) {
                    assertEquals(work, result.work().multiplyAdds(), "work, after " + batches);
                }
                assertArrayEquals(model(whole), model(run), "after " + batches);
                for (String phase : List.of("probe", "candidate1", "candidate2", "train", "uniform")) {
                    assertEquals(timeless(whole, phase), timeless(run, phase), phase + " after " + batches);
                }
            }
            String stopped = phases.stream().collect(Collectors.joining(" "));
            assertTrue(
                    Arrays.stream(new String[] {"probe", "candidate", "train"}).allMatch(stopped::contains), stopped);
        }
    }

    @Test
    void theCheapestSizesThatBeginAsWellGoOnAsWell() throws IOException {
        try (Device device = device()) {
            Path run = folder.resolve("run");
            int[] sizes;
            try (LearningResult result = learning()
                    .budget("as-good-as:k5")
                    .set(Settings.COST, "auto")
                    .out(run)
                    .run(device, DATA)) {
                SearchResult found = result.search();
                sizes = found.sizes();
                assertArrayEquals(new int[] {5, 5, 5}, found.candidates().get(0).sizes());
                assertEquals(Cost.Kind.MULTIPLY_ADDS, found.costKind());
                assertTrue(found.cost() <= found.budget(), found.toString());
                assertTrue(found.candidates().size() > 1);
            }
            Path plain = folder.resolve("plain");
            training(sizes).out(plain).run(device, DATA).close();
            assertArrayEquals(model(plain), model(run));
            Learning twoStages = learning().budget("as-good-as:k5").set(Settings.FLOW, "two-stage");
            String message = assertThrows(InvalidInput.class, () -> twoStages.run(device, DATA))
                    .getMessage();
            assertTrue(message.contains("as-good-as:k5") && message.contains("expected --flow one-run"), message);
            Learning warm = learning().set(Settings.WARM_START, true);
            assertTrue(assertThrows(InvalidInput.class, () -> warm.run(device, DATA))
                    .getMessage()
                    .contains("--flow two-stage"));
        }
    }

    @Test
    void plainShapesStandBesideItIfAskedFor() {
        try (Device device = device()) {
            try (LearningResult result = learning()
                    .budget("1.8x")
                    .epochs(2)
                    .set(Settings.SEARCH_EPOCHS, 1)
                    .set(Settings.COMPARE_SHAPES, true)
                    .run(device, DATA)) {
                assertEquals(
                        List.of("rising sizes", "falling sizes"),
                        result.shapes().stream().map(LearningResult.Plain::name).toList());
                double best = Math.max(
                        result.uniform().orElse(result.learned()).testAccuracy(),
                        result.shapes().stream()
                                .mapToDouble(LearningResult.Plain::testAccuracy)
                                .max()
                                .orElseThrow());
                assertEquals(
                        100 * (result.learned().testAccuracy() - best),
                        result.toJson().path("pointsAhead").asDouble(),
                        1e-9);
                try (TrainingResult rising =
                        training(result.shapes().get(0).sizes()).epochs(2).run(device, DATA)) {
                    assertEquals(rising.testAccuracy(), result.shapes().get(0).testAccuracy());
                }
                assertTrue(
                        result.toText().contains("falling sizes")
                                && result.toText().contains("to the best of these"),
                        result.toText());
            }
        }
    }

    @Test
    void workIsThatOfEveryPart() {
        try (Device device = device()) {
            try (LearningResult result = learning().run(device, DATA)) {
                long images = 160L * EPOCHS;
                assertEquals(
                        3.0 * images * result.search().multiplyAdds(),
                        result.learned().work().multiplyAdds(),
                        1);
                double losers = result.search().candidates().stream()
                        .filter(c -> !Arrays.equals(c.sizes(), result.search().sizes()))
                        .mapToDouble(c -> 3.0
                                * 16
                                * c.steps()
                                * result.learned().model().plan().multiplyAdds(c.sizes()))
                        .sum();
                double probe = result.search().work().multiplyAdds() - losers;
                double plain = 3.0 * 16 * 20 * result.learned().model().plan().multiplyAdds(new int[] {5, 5, 5});
                assertTrue(
                        probe > plain && probe < 4 * plain,
                        "20 steps of the probe, on grids with spare rings: " + probe / plain);
            }
        }
    }

    @Test
    void whereThereIsNothingToChooseNothingIsSpent() {
        try (Device device = device();
                LearningResult result = learning().budget("k1").run(device, DATA)) {
            assertArrayEquals(new int[] {1, 1, 1}, result.search().sizes());
            assertEquals(0, result.search().work().multiplyAdds());
            assertEquals(0, result.search().steps());
        }
    }

    @Test
    void whatIsNotTheTrainingStaysSmall() {
        for (int epochs : new int[] {1, 2, 7, 15, 16, 30, 60, 100, 350}) {
            double share = KernelSizeSearch.overheadEpochs(Settings.standard().with(Settings.EPOCHS, epochs)) / epochs;
            assertTrue(share <= 0.08 && (epochs < 100 || share <= 0.05), epochs + ": " + share);
        }
        assertEquals(
                3,
                KernelSizeSearch.overheadEpochs(
                        Settings.standard().with(Settings.EPOCHS, 5).with(Settings.SEARCH_EPOCHS, 3)));
        assertEquals(0, OneRun.probeSteps(40));
        assertEquals(37, OneRun.probeSteps(150));
        assertEquals(120, OneRun.probeSteps(1e6));
    }

    @Test
    void withoutABudgetToMeetThereAreTwoStages() {
        assertFalse(Settings.standard().with(Settings.BUDGET, "auto").oneRun());
        assertFalse(Settings.standard().with(Settings.CEILING, true).oneRun());
        assertFalse(Settings.standard().with(Settings.FLOW, "two-stage").oneRun());
        assertTrue(Settings.standard().oneRun());
    }
}

package org.effconv;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.effconv.data.Augmentation;
import org.effconv.data.Dataset;
import org.effconv.data.Datasets;
import org.effconv.data.Images;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.error.EffconvException.JobFailed;
import org.effconv.io.Safetensors;
import org.effconv.train.EpochMetrics;
import org.effconv.train.StopSignal;
import org.effconv.train.TrainingListener;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The jobs as a user calls them, on a task of a second. */
class JobTest {
    private static final Dataset DATA = Datasets.open("planted:3,train=64,test=32,size=12");
    private static final int[] SIZES = {3, 3, 3};

    @TempDir
    Path folder;

    private static final String TWO_STAGE = "two-stage";

    private static Device device() {
        return Device.open(Settings.standard().with(Settings.THREADS, 1).with(Settings.PRECISION, "fp32"));
    }

    private static Training training() {
        return Training.of("planted3", SIZES).batch(16).epochs(2);
    }

    @Test
    void aSearchAndATrainingGiveAllMemoryBack() {
        Device device = device();
        List<EpochMetrics> heard = new ArrayList<>();
        TrainingListener listener = new TrainingListener() {
            @Override
            public void onEpoch(EpochMetrics metrics) {
                heard.add(metrics);
            }
        };
        try (device) {
            SearchResult found = KernelSizeSearch.of("planted3")
                    .budget("k5")
                    .set(Settings.FLOW, TWO_STAGE)
                    .epochs(1)
                    .batch(16)
                    .listener(listener)
                    .run(device, DATA);
            assertEquals(3, found.sizes().length);
            assertTrue(Math.abs(found.parameters() / found.budget() - 1) <= 0.02, found.toString());
            try (TrainingResult result = Training.of("planted3", found.sizes())
                    .batch(16)
                    .epochs(2)
                    .listener(listener)
                    .run(device, DATA)) {
                assertEquals(
                        result.testAccuracy(),
                        result.model().evaluate(DATA.test(), 7).accuracy());
                assertEquals(result.testAccuracy(), accuracy(result.model().logits(DATA.test(), 7)));
            }
        }
        assertEquals(0, device.liveBytes());
        assertEquals(
                List.of("search", "train", "train"),
                heard.stream().map(EpochMetrics::phase).toList());
    }

    @Test
    void aLossThatIsNoNumberEndsTheRunWithAdvice() {
        Device device = device();
        try (device) {
            Training hopeless = training().set(Settings.OPTIMIZER, "sgd").learningRate(1e30);
            String message = assertThrows(JobFailed.class, () -> hopeless.run(device, DATA))
                    .getMessage();
            assertTrue(message.contains("learning rate") && message.contains("batch"), message);
        }
        assertEquals(0, device.liveBytes());
    }

    @ParameterizedTest
    @ValueSource(strings = {"steady", "gradient"})
    void aSearchWithoutNumbersEndsWithAdviceAndNotWithSizes(String update) {
        Device device = device();
        try (device) {
            KernelSizeSearch hopeless = KernelSizeSearch.of("planted3")
                    .budget("k5")
                    .set(Settings.FLOW, TWO_STAGE)
                    .epochs(2)
                    .batch(16)
                    .set(Settings.OPTIMIZER, "sgd")
                    .set(Settings.SIZE_UPDATE, update)
                    .learningRate(1e30);
            String message = assertThrows(JobFailed.class, () -> hopeless.run(device, DATA))
                    .getMessage();
            assertTrue(message.contains("learning rate"), message);
        }
        assertEquals(0, device.liveBytes());
    }

    @Test
    void aStopEndsTheRunBetweenTwoSteps() {
        Device device = device();
        try (device) {
            StopSignal stop = new StopSignal();
            Training stopped = training().stopSignal(stop).listener(new TrainingListener() {
                @Override
                public void onBatch(String phase, int epoch, int batch, double loss) {
                    stop.request();
                }
            });
            assertThrows(StopSignal.Stopped.class, () -> stopped.run(device, DATA));
        }
        assertEquals(0, device.liveBytes());
    }

    private TrainingResult warm(Device device, SearchResult found, String name, int stopIn) {
        StopSignal stop = new StopSignal();
        return Training.of("planted3", found.sizes())
                .batch(16)
                .epochs(2)
                .warmStart(found)
                .out(folder.resolve(name))
                .stopSignal(stop)
                .listener(new TrainingListener() {
                    @Override
                    public void onBatch(String phase, int epoch, int batch, double loss) {
                        if (epoch == stopIn) {
                            stop.request();
                        }
                    }
                })
                .run(device, DATA);
    }

    /**
     * The predicted kernels are in no file: what has a checkpoint goes on from that, and what has none must not go on
     * from fresh weights.
     */
    @Test
    void aWarmTrainingGoesOnFromItsCheckpointOrNotAtAll() throws IOException {
        try (Device device = device()) {
            SearchResult found = KernelSizeSearch.of("planted3")
                    .budget("k5")
                    .set(Settings.FLOW, TWO_STAGE)
                    .epochs(1)
                    .batch(16)
                    .run(device, DATA);
            warm(device, found, "whole", 9).close();
            assertThrows(StopSignal.Stopped.class, () -> warm(device, found, "second", 2));
            Training.resume(folder.resolve("second")).run(device, DATA).close();
            assertArrayEquals(
                    Files.readAllBytes(folder.resolve("whole/model.safetensors")),
                    Files.readAllBytes(folder.resolve("second/model.safetensors")));
            Path damaged = folder.resolve("second/checkpoint/train.safetensors");
            Files.write(damaged, Arrays.copyOf(Files.readAllBytes(damaged), 100));
            String lost = assertThrows(InvalidInput.class, () -> Training.resume(folder.resolve("second"))
                            .run(device, DATA))
                    .getMessage();
            assertTrue(
                    lost.startsWith(damaged.toString())
                            && lost.contains("expected a whole copy of that file")
                            && !lost.contains("removed"),
                    lost);
            assertThrows(StopSignal.Stopped.class, () -> warm(device, found, "first", 1));
            Training cold = Training.resume(folder.resolve("first"));
            String message = assertThrows(InvalidInput.class, () -> cold.run(device, DATA))
                    .getMessage();
            assertTrue(message.contains("begin anew"), message);
        }
    }

    @Test
    void aStopIsHeardInTheChoiceOfSizesAndTheSearchGoesOnFromThere() {
        try (Device device = device()) {
            StopSignal stop = new StopSignal();
            KernelSizeSearch search = KernelSizeSearch.of("planted3")
                    .budget("k5")
                    .set(Settings.FLOW, TWO_STAGE)
                    .epochs(8)
                    .batch(4);
            KernelSizeSearch stopped = KernelSizeSearch.of("planted3")
                    .budget("k5")
                    .set(Settings.FLOW, TWO_STAGE)
                    .epochs(8)
                    .batch(4)
                    .out(folder.resolve("run"))
                    .stopSignal(stop)
                    .listener(new TrainingListener() {
                        @Override
                        public void onEnd(String phase) {
                            stop.request();
                        }
                    });
            String message = assertThrows(StopSignal.Stopped.class, () -> stopped.run(device, DATA))
                    .getMessage();
            assertTrue(message.contains("choice of sizes"), message);
            assertArrayEquals(
                    search.run(device, DATA).sizes(),
                    KernelSizeSearch.resume(folder.resolve("run"))
                            .run(device, DATA)
                            .sizes());
        }
    }

    @Test
    void aTrainingWhoseModelCannotBeWrittenKeepsNothing() {
        Device device = device();
        try (device) {
            Path out = folder.resolve("run");
            Training training = training().out(out).listener(new TrainingListener() {
                @Override
                public void onEnd(String phase) {
                    assertTrue(
                            out.resolve("model.safetensors/in the way").toFile().mkdirs());
                }
            });
            assertThrows(UncheckedIOException.class, () -> training.run(device, DATA));
        }
        assertEquals(0, device.liveBytes());
    }

    @Test
    void anEpochIsToldOnceItsCheckpointIsWritten() {
        List<String> seen = new ArrayList<>();
        try (Device device = device()) {
            Path checkpoint = folder.resolve("run/checkpoint/train.safetensors");
            training()
                    .out(folder.resolve("run"))
                    .listener(new TrainingListener() {
                        @Override
                        public void onEpoch(EpochMetrics metrics) {
                            seen.add(Safetensors.read(checkpoint).metadata().get("epochs"));
                        }
                    })
                    .run(device, DATA)
                    .close();
        }
        assertEquals(List.of("1", "2"), seen);
    }

    @Test
    void aModelIsSavedAndLoadedByTheDevicesOwnerOnly() {
        try (Device device = device();
                TrainingResult trained = training().run(device, DATA)) {
            Path file = folder.resolve("model.safetensors");
            trained.model().save(file);
            List<String> refused = new ArrayList<>();
            training()
                    .listener(new TrainingListener() {
                        @Override
                        public void onEpoch(
                                EpochMetrics metrics) { // as another thread would, between two operations of the job
                            refused.add(assertThrows(IllegalStateException.class, () -> trained.model()
                                            .save(file))
                                    .getMessage());
                            refused.add(assertThrows(IllegalStateException.class, () -> TrainedModel.load(device, file))
                                    .getMessage());
                        }
                    })
                    .run(device, DATA)
                    .close();
            assertEquals(4, refused.size());
            assertTrue(refused.stream().allMatch(message -> message.contains("in use by thread")), refused.toString());
            TrainedModel.load(device, file).close();
        }
    }

    @Test
    void theTestPartOfOtherClassesIsRefused() {
        Dataset named = Dataset.of("pets", DATA.train(), DATA.test(), List.of("cat", "dog"));
        Dataset turned = Dataset.of("pets", DATA.train(), DATA.test(), List.of("dog", "cat"));
        Dataset numbered = Dataset.of("numbers", DATA.train(), DATA.test(), List.of("0", "1"));
        try (Device device = device();
                TrainingResult trained = training().run(device, named)) {
            assertEquals(
                    trained.testAccuracy(),
                    trained.model().evaluateTest(named, 16).accuracy(),
                    1e-12);
            assertEquals(
                    trained.testAccuracy(),
                    trained.model().evaluateTest(numbered, 16).accuracy(),
                    1e-12);
            String message = assertThrows(
                            InvalidInput.class, () -> trained.model().evaluateTest(turned, 16))
                    .getMessage();
            assertTrue(message.contains("[dog, cat], the model knows [cat, dog]"), message);
        }
        try (Device device = device();
                TrainingResult trained =
                        training().run(device, Dataset.of("folders", DATA.train(), DATA.test(), List.of("1", "0")))) {
            assertThrows(InvalidInput.class, () -> trained.model().evaluateTest(numbered, 16));
        }
    }

    @Test
    void largeImagesAreAugmentedWithinWhatTheAugmentationTakes() {
        Images large = Images.of(new byte[2 * 1024 * 768 * 3], new int[] {0, 1}, 1024, 768, 3);
        assertEquals(
                Augmentation.MAX_PAD,
                Resolution.training(training().settings(), Dataset.of("large", large, large, List.of("a", "b")))
                        .augmentation()
                        .pad());
    }

    @Test
    void aDeviceBelongsToOneThreadAtATime() {
        try (Device device = device()) {
            Training two = training().listener(new TrainingListener() {
                @Override
                public void onStart(String phase, int epochs, int epochsDone, int batches) {
                    CompletionException refused =
                            assertThrows(CompletionException.class, () -> CompletableFuture.runAsync(
                                            () -> training().run(device, DATA))
                                    .join());
                    assertTrue(
                            refused.getCause().getMessage().contains("one thread at a time"),
                            refused.getCause().getMessage());
                }
            });
            two.run(device, DATA).close();
        }
    }

    @Test
    void theSameSeedGivesTheSameWeightsAndAnotherSeedOthers() {
        try (Device device = device();
                TrainingResult a = training().seed(5).run(device, DATA);
                TrainingResult b = training().seed(5).run(device, DATA);
                TrainingResult c = training().seed(6).run(device, DATA)) {
            assertEquals(a.testLoss(), b.testLoss());
            assertTrue(a.testLoss() != c.testLoss());
            assertArrayEquals(SIZES, a.model().sizes());
        }
    }

    /** Of the largest logits. */
    private static double accuracy(float[][] logits) {
        assertEquals(DATA.test().count(), logits.length);
        int right = 0;
        for (int i = 0; i < logits.length; i++) {
            int best = 0;
            for (int k = 1; k < logits[i].length; k++) {
                best = logits[i][k] > logits[i][best] ? k : best;
            }
            right += best == DATA.test().label(i) ? 1 : 0;
        }
        return (double) right / logits.length;
    }
}

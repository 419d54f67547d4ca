package org.effconv;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.effconv.data.Dataset;
import org.effconv.data.Datasets;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.error.EffconvException.JobFailed;
import org.effconv.io.Folders;
import org.effconv.io.Json;
import org.effconv.io.JsonLines;
import org.effconv.train.EpochMetrics;
import org.effconv.train.StopSignal;
import org.effconv.train.TrainingListener;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A run goes on as what it is, or is refused, whatever happened to its folder and to the files it was made from. */
class ResumeTest {
    private static final Dataset PLANTED = Datasets.open("planted:3,train=64,test=32,size=12");
    private static final int[] SIZES = {3, 3, 3};

    @TempDir
    Path folder;

    private Path data;
    private Path run;

    @BeforeEach
    void files() throws IOException {
        data = Files.createDirectories(folder.resolve("data"));
        run = folder.resolve("run");
        Random random = new Random(1);
        for (String part : List.of("train", "t10k")) {
            byte[] pixels = new byte[32 * 144];
            random.nextBytes(pixels);
            Files.write(
                    data.resolve(part + "-images-idx3-ubyte"),
                    ByteBuffer.allocate(16 + pixels.length)
                            .putInt(0x803)
                            .putInt(32)
                            .putInt(12)
                            .putInt(12)
                            .put(pixels)
                            .array());
            ByteBuffer labels = ByteBuffer.allocate(8 + 32).putInt(0x801).putInt(32);
            for (int i = 0; i < 32; i++) {
                labels.put((byte) (i % 4));
            }
            Files.write(data.resolve(part + "-labels-idx1-ubyte"), labels.array());
        }
    }

    private static Device device() {
        return Device.open(Settings.standard().with(Settings.THREADS, 1).with(Settings.PRECISION, "fp32"));
    }

    private static TrainingListener stopAfter(StopSignal stop, String phase, int epochs) {
        return new TrainingListener() {
            @Override
            public void onEpoch(EpochMetrics metrics) {
                if (metrics.phase().equals(phase) && metrics.epoch() == epochs) {
                    stop.request();
                }
            }
        };
    }

    private Training training() {
        return Training.of("planted3", SIZES)
                .batch(8)
                .epochs(3)
                .set(Settings.DATA, data.toString())
                .set(Settings.VALIDATION, 0.25)
                .out(run);
    }

    /** A training that stopped after its first epoch. */
    private void begin(Device device) {
        StopSignal stop = new StopSignal();
        Training training = training().stopSignal(stop).listener(stopAfter(stop, "train", 1));
        assertThrows(StopSignal.Stopped.class, () -> training.run(device, training.data()));
    }

    private byte[] unbroken(Device device) throws IOException {
        Path whole = folder.resolve("whole");
        Training training = training().out(whole);
        training.run(device, training.data()).close();
        return Files.readAllBytes(whole.resolve("model.safetensors"));
    }

    private void end(Device device, byte[] expected) throws IOException {
        Training again = Training.resume(run);
        again.run(device, again.data()).close();
        assertArrayEquals(expected, Files.readAllBytes(run.resolve("model.safetensors")));
    }

    private void change(String file, int at) throws IOException {
        byte[] bytes = Files.readAllBytes(data.resolve(file));
        bytes[at] ^= 1;
        Files.write(data.resolve(file), bytes);
    }

    @Test
    void dataThatWereMovedAreNamedOnceAndTaken() throws IOException {
        try (Device device = device()) {
            byte[] expected = unbroken(device);
            begin(device);
            Path moved = Files.move(data, folder.resolve("moved"));
            String message = assertThrows(
                            InvalidInput.class, () -> Training.resume(run).data())
                    .getMessage();
            assertTrue(
                    message.startsWith("data '" + data + "': ")
                            && message.endsWith("go on with: --resume " + run + " --data DATA"),
                    message);
            Training again = Training.resume(run).set(Settings.DATA, moved.toString());
            again.run(device, again.data()).close();
            assertArrayEquals(expected, Files.readAllBytes(run.resolve("model.safetensors")));
            assertEquals(
                    moved.toString(),
                    Json.read(run.resolve("config.json")).at("/places/data").asText());
            end(device, expected);
        }
    }

    @Test
    void otherDataAreRefusedWhereverTheyLie() throws IOException {
        try (Device device = device()) {
            begin(device);
            byte[] before = Files.readAllBytes(run.resolve("config.json"));
            for (String file : List.of(
                    "train-labels-idx1-ubyte",
                    "t10k-labels-idx1-ubyte",
                    "train-images-idx3-ubyte",
                    "t10k-images-idx3-ubyte")) {
                int at = file.contains("images") ? 16 : 8;
                change(file, at);
                change(file, at + 1); // 0 and 1 become 1 and 0: as many of each class as before
                Training again = Training.resume(run);
                String message = assertThrows(InvalidInput.class, () -> again.run(device, again.data()), file)
                        .getMessage();
                assertTrue(message.contains("data.") && message.contains("expected what it began with"), message);
                change(file, at);
                change(file, at + 1);
            }
            assertArrayEquals(before, Files.readAllBytes(run.resolve("config.json")));
            Training.resume(run).run(device, Datasets.open(data.toString())).close(); // the same again
            String message = assertThrows(
                            InvalidInput.class, () -> Training.resume(run).run(device, PLANTED))
                    .getMessage();
            assertTrue(message.contains("and ") && message.contains(" more; expected"), message);
        }
    }

    /** Planted images are not augmented, and are no longer known for planted in a folder of the user's. */
    @Test
    void theSameImagesUnderAnotherNameMustBeAugmentedAlike() {
        Dataset renamed = Dataset.of("folder", PLANTED.train(), PLANTED.test(), PLANTED.classNames());
        try (Device device = device()) {
            Training.of("planted3", SIZES)
                    .batch(16)
                    .epochs(1)
                    .out(run)
                    .run(device, PLANTED)
                    .close();
            String message = assertThrows(
                            InvalidInput.class, () -> Training.resume(run).run(device, renamed))
                    .getMessage();
            assertTrue(message.contains("augmentation.pad is 0 there and 1 here"), message);
        }
    }

    @Test
    void aRunTellsItsData() throws IOException {
        try (Device device = device()) {
            begin(device);
            assertEquals(8, Job.data(run).validation().orElseThrow().count());
            change("t10k-images-idx3-ubyte", 16);
            String message =
                    assertThrows(InvalidInput.class, () -> Job.data(run)).getMessage();
            assertTrue(
                    message.startsWith(data + ": these are not the data of the run in " + run)
                            && message.contains("test.digest"),
                    message);
        }
    }

    @Test
    void aRunWhoseCheckpointsAreGoneBeginsAnewAndEndsTheSame() throws IOException {
        try (Device device = device()) {
            byte[] expected = unbroken(device);
            begin(device);
            Folders.remove(run.resolve("checkpoint"));
            end(device, expected);
            assertEquals(
                    List.of(1, 2, 3),
                    JsonLines.read(run.resolve("metrics.jsonl")).stream()
                            .map(m -> m.path("epoch").asInt())
                            .toList());
        }
    }

    @Test
    void whatAPowerCutLeavesOfTheMetricsIsDropped() throws IOException {
        try (Device device = device()) {
            byte[] expected = unbroken(device);
            begin(device);
            Path metrics = run.resolve("metrics.jsonl");
            byte[] lines = Files.readAllBytes(metrics);
            Files.write(metrics, Arrays.copyOf(lines, lines.length + 500)); // zeros
            end(device, expected);
            assertEquals(3, JsonLines.read(metrics).size());
        }
    }

    @Test
    void aSearchNeedsNoMetricsToGoOn() throws IOException {
        try (Device device = device()) {
            SearchResult found = KernelSizeSearch.of("planted3")
                    .budget("k5")
                    .epochs(6)
                    .batch(16)
                    .out(run)
                    .run(device, PLANTED);
            assertFalse(found.candidates().isEmpty());
            Files.delete(run.resolve("metrics.jsonl"));
            SearchResult again = KernelSizeSearch.resume(run).run(device, PLANTED);
            assertArrayEquals(found.sizes(), again.sizes());
            assertEquals(found.candidatesToJson(), again.candidatesToJson());
        }
    }

    @Test
    void theBestEpochIsRememberedWithoutMetrics() throws IOException {
        try (Device device = device()) {
            Training training = training().set(Settings.BEST_EPOCH, true);
            double best;
            try (TrainingResult result = training.run(device, training.data())) {
                best = result.bestEpochTestAccuracy();
            }
            Files.delete(run.resolve("metrics.jsonl"));
            Training again = Training.resume(run);
            try (TrainingResult result = again.run(device, again.data())) {
                assertEquals(best, result.bestEpochTestAccuracy());
            }
        }
    }

    /** The caller of a job that has begun must not be told that nothing was written. */
    @Test
    void whatIsFoundWrongAfterTheStartIsAFailure() {
        try (Device device = device()) {
            Training training = training().listener(new TrainingListener() {
                @Override
                public void onEpoch(EpochMetrics metrics) {
                    throw new InvalidInput("a file that is read late");
                }
            });
            assertEquals(
                    "a file that is read late",
                    assertThrows(JobFailed.class, () -> training.run(device, training.data()))
                            .getMessage());
            Training unfit = Training.of("planted3", new int[] {3, 4, 3})
                    .set(Settings.DATA, data.toString())
                    .out(folder.resolve("none"));
            assertThrows(InvalidInput.class, () -> unfit.run(device, unfit.data()));
            assertFalse(Files.exists(folder.resolve("none")));
        }
    }

    @Test
    void unknownAndMissingPartsOfAnIdentityAreRefused() throws IOException {
        try (Device device = device()) {
            begin(device);
        }
        Path config = run.resolve("config.json");
        String text = Files.readString(config);
        for (List<String> change : List.of(
                List.of("\"epochs\" :", "\"eras\" :", "'epochs' is missing"),
                List.of("\"epochs\" : 3,", "\"epochs\" : 3, \"eras\" : 3,", "'eras' is no setting"),
                List.of("\"latency-table\" : \"none\"", "\"more\" : 1", "'latency-table' is missing"),
                List.of("\"epochs\" : 3,", "\"epochs\" : [3],", "'epochs' is [3], expected an integer"),
                List.of("\"sizes\" :", "\"size\" :", "identity.sizes"),
                List.of("\"architecture\" : {", "\"architektur\" : {", "identity.architecture is missing"),
                List.of(
                        "\"architecture\" : {",
                        "\"colour\" : 7, \"architecture\" : {",
                        "colour is 7 there and absent here"),
                List.of("\"height\" : 12,", "", "data.height is absent there and 12 here"))) {
            assertTrue(text.contains(change.get(0)), text);
            Files.writeString(config, text.replace(change.get(0), change.get(1)));
            try (Device device = device()) {
                String message = assertThrows(InvalidInput.class, () -> Training.resume(run)
                                .run(device, Datasets.open(data.toString())))
                        .getMessage();
                assertTrue(message.startsWith(run.toString()) && message.contains(change.get(2)), message);
            }
        }
    }
}

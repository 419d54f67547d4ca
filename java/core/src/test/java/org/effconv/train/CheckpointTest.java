package org.effconv.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.io.Json;
import org.effconv.io.TensorData;
import org.effconv.tensor.Shape;
import org.effconv.train.Checkpoint.Progress;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CheckpointTest {
    private static final RunConfig CONFIG = new RunConfig("test", Json.object(), Json.object());

    @TempDir
    Path folder;

    private static ObjectNode identity(double rate, String architecture) {
        ObjectNode identity = Json.object();
        identity.putObject("settings").put("lr", rate);
        identity.putObject("architecture").put("name", architecture);
        return identity;
    }

    @Test
    void whatIsWrittenIsReadBack() {
        Path file = folder.resolve("c");
        Checkpoint written = new Checkpoint(
                identity(0.1, "cnn6"),
                new Progress("train", 3, 1.25, 0.5, Double.NaN, new Work(12, 3.5)),
                Map.of("w", TensorData.of(Shape.of(2), 1f, Float.MIN_VALUE)),
                Map.of("mean", new double[] {Math.E}, "none", new double[0]));
        written.write(file);
        Checkpoint read = Checkpoint.read(file, "train", identity(0.1, "cnn6")).orElseThrow();
        assertEquals(written.progress(), read.progress());
        assertArrayEquals(
                new float[] {1f, Float.MIN_VALUE}, read.tensors().get("w").floats());
        assertArrayEquals(new double[] {Math.E}, read.state().get("mean"));
        assertEquals(0, read.state().get("none").length);
        assertTrue(Checkpoint.read(folder.resolve("absent"), "train", identity(0.1, "cnn6"))
                .isEmpty());
    }

    @Test
    void anotherRunsCheckpointIsRefusedWithWhatDiffers() {
        Path file = folder.resolve("c");
        new Checkpoint(identity(0.1, "cnn6"), new Progress("train", 1, 0, 0, 0, Work.NONE), Map.of(), Map.of())
                .write(file);
        String message = assertThrows(
                        InvalidInput.class, () -> Checkpoint.read(file, "train", identity(0.2, "resnet20")))
                .getMessage();
        assertTrue(message.contains("settings.lr is 0.1 there and 0.2 here"), message);
        assertTrue(message.contains("architecture.name is 'cnn6' there and 'resnet20' here"), message);
    }

    @Test
    void anotherPhasesCheckpointIsRefused() {
        Path file = folder.resolve("c");
        new Checkpoint(identity(0.1, "cnn6"), new Progress("candidate1", 1, 0, 0, 0, Work.NONE), Map.of(), Map.of())
                .write(file);
        String message = assertThrows(InvalidInput.class, () -> Checkpoint.read(file, "train", identity(0.1, "cnn6")))
                .getMessage();
        assertTrue(message.endsWith("c: is a checkpoint of phase 'candidate1', expected one of 'train'"), message);
    }

    @Test
    void metricsOfEpochsToRunAgainAreDropped() throws IOException {
        try (RunFolder run = RunFolder.create(folder.resolve("run"), CONFIG)) {
            for (String phase : List.of("search", "train")) {
                for (int epoch = 1; epoch <= 3; epoch++) {
                    run.appendMetrics(new EpochMetrics(
                            phase, epoch, 3, 1, 1, Double.NaN, Double.NaN, 1, 1, List.of(3), List.of(), 1, 1, 1, 1, 1));
                }
            }
            Files.writeString(
                    run.file("metrics.jsonl"),
                    "{\"phase\": \"tr",
                    java.nio.file.StandardOpenOption.APPEND); // cut by a kill
            run.rewindMetrics("train", 1);
            List<String> left = Files.readAllLines(run.file("metrics.jsonl")).stream()
                    .map(l -> Json.parse(l, "line"))
                    .map(m -> m.path("phase").asText() + m.path("epoch").asInt())
                    .toList();
            assertEquals(List.of("search1", "search2", "search3", "train1"), left);
            assertThrows(
                    InvalidInput.class,
                    () -> RunFolder.open(folder.resolve("run"), CONFIG),
                    "a second user of the folder");
        }
        RunFolder.open(folder.resolve("run"), CONFIG).close();
        assertThrows(InvalidInput.class, () -> RunFolder.create(folder.resolve("run"), CONFIG));
    }
}

package org.effconv.endtoend;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.effconv.io.Json;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A run killed without warning goes on and ends with the bits of an unbroken one. kill-resume.sh does the same with
 * more kills.
 */
class KillAndResumeTest {
    private static final List<String> RUN =
            List.of("--epochs", "8", "--search-epochs", "40", "--budget", "k5", "--cost", "macs");
    private static final int PATIENCE_SECONDS = 300;

    @TempDir
    Path folder;

    @Test
    void aKilledRunEndsLikeAnUnbrokenOne() throws IOException, InterruptedException {
        Path whole = folder.resolve("whole");
        List<String> arguments = new ArrayList<>(RUN);
        arguments.addAll(List.of("--out", whole.toString()));
        Cli unbroken = Cli.small("learn", arguments.toArray(String[]::new));
        assertEquals(0, unbroken.exitCode(), unbroken.err());

        Path broken = folder.resolve("broken");
        List<String> first = new ArrayList<>(List.of("learn"));
        first.addAll(Cli.SMALL);
        first.addAll(RUN);
        first.addAll(List.of("--out", broken.toString()));
        List<String> again = List.of("learn", "--resume", broken.toString());
        List<String> phases =
                metrics(whole).stream().map(m -> m.path("phase").asText()).toList();
        assertTrue(phases.contains("probe") && phases.contains("candidate2"), phases.toString());
        killAfterEpochs(2, first, broken); // within the probe, or right behind it
        killAfterEpochs(phases.indexOf("candidate2") + 1, again, broken); // within a candidate, or between two
        String lastHeat = phases.get(phases.indexOf("train") - 1);
        killAfterEpochs(
                phases.lastIndexOf(lastHeat) + 1, again, broken); // within the last heat, or right before the training
        killAfterEpochs(phases.indexOf("train") + 1, again, broken); // within the training
        killAfterEpochs(phases.indexOf("train") + 2, again, broken);
        Process last = start(again);
        assertTrue(last.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS));
        assertEquals(0, last.exitValue());

        assertArrayEquals(
                Files.readAllBytes(whole.resolve("model.safetensors")),
                Files.readAllBytes(broken.resolve("model.safetensors")));
        assertEquals(Files.readString(whole.resolve("sizes.json")), Files.readString(broken.resolve("sizes.json")));
        assertEquals(metrics(whole), metrics(broken));
    }

    @Test
    void aRunThatIsAskedToStopEndsAtOnce() throws IOException, InterruptedException {
        Path run = folder.resolve("run");
        List<String> arguments = new ArrayList<>(List.of("train"));
        arguments.addAll(Cli.SMALL);
        arguments.addAll(List.of("--sizes", "k3", "--epochs", "100000", "--out", run.toString()));
        Path output = folder.resolve("asked.txt");
        Process process = CliProcess.start(arguments, output);
        while (!Files.exists(run.resolve("metrics.jsonl"))) {
            assertTrue(process.isAlive(), () -> "ended before it could be stopped");
            Thread.sleep(5);
        }
        process.destroy(); // SIGTERM
        assertTrue(process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS));
        assertEquals(128 + 15, process.exitValue());
        String said = Files.readString(output);
        assertTrue(
                said.contains("effconv: stopped in ")
                        && said.contains("go on after the last whole epoch with: effconv train --resume " + run),
                said);
        assertFalse(said.contains("ended by a signal"), said);
    }

    @Test
    void aKilledSearchForARangeEndsLikeAnUnbrokenOne() throws IOException, InterruptedException {
        List<String> search = new ArrayList<>(List.of("search"));
        search.addAll(Cli.SMALL);
        search.addAll(List.of("--budget", "any:k3..k7", "--search-epochs", "6", "--out"));
        Path whole = folder.resolve("whole");
        List<String> unbroken = new ArrayList<>(search);
        unbroken.add(whole.toString());
        Cli run = Cli.run(unbroken);
        assertEquals(0, run.exitCode(), run.err());

        Path broken = folder.resolve("broken");
        search.add(broken.toString());
        killAfterEpochs(2, search, broken);
        List<String> again = List.of("search", "--resume", broken.toString());
        killAfterEpochs(4, again, broken);
        Process last = start(again);
        assertTrue(last.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS));
        assertEquals(0, last.exitValue());

        assertEquals(Files.readString(whole.resolve("budgets.json")), Files.readString(broken.resolve("budgets.json")));
        assertEquals(metrics(whole), metrics(broken));
    }

    private void killAfterEpochs(int epochs, List<String> arguments, Path run)
            throws IOException, InterruptedException {
        Process process = start(arguments);
        Path metrics = run.resolve("metrics.jsonl");
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
        while (!Files.exists(metrics) || Files.readAllLines(metrics).size() < epochs) {
            assertTrue(process.isAlive(), "ended before epoch " + epochs);
            assertTrue(System.nanoTime() < end, "no epoch " + epochs + " in " + PATIENCE_SECONDS + " s");
            Thread.sleep(2);
        }
        process.destroyForcibly().waitFor(); // SIGKILL
    }

    private Process start(List<String> arguments) throws IOException {
        return CliProcess.start(arguments, folder.resolve("output.txt"));
    }

    /** The lines without what a clock or the system measured. */
    private static List<ObjectNode> metrics(Path run) throws IOException {
        List<ObjectNode> lines = new ArrayList<>();
        for (String line : Files.readAllLines(run.resolve("metrics.jsonl"))) {
            ObjectNode json = Json.parse(line, "metrics.jsonl");
            json.remove(List.of("seconds", "imagesPerSecond", "peakRssBytes"));
            lines.add(json);
        }
        return lines;
    }
}

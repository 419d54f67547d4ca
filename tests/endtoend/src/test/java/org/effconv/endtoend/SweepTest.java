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
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.effconv.io.Json;
import org.effconv.io.JsonLines;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A sweep from outside: killed and continued, dry, and compared. */
class SweepTest {
    private static final List<String> SWEEP = List.of(
            "sweep",
            "--arch",
            "planted3",
            "--data",
            "planted:3,train=64,test=32,size=12",
            "--batch",
            "16",
            "--epochs",
            "3",
            "--search-epochs",
            "2",
            "--precision",
            "fp32",
            "--budget",
            "k5",
            "--seed",
            "1",
            "--methods",
            "learned,uniform,mixed,shuffled,random",
            "--draws",
            "2");
    private static final int PATIENCE_SECONDS = 300;

    @TempDir
    Path folder;

    private static List<String> into(Path out, String... more) {
        return Stream.of(SWEEP, List.of("--out", out.toString()), List.of(more))
                .flatMap(List::stream)
                .toList();
    }

    @Test
    void aSweepThatIsKilledAgainAndAgainEndsWithTheRowsOfAnUnbrokenOne() throws IOException, InterruptedException {
        Path whole = folder.resolve("whole");
        Cli unbroken = Cli.run(into(whole, "--jobs", "2"));
        assertEquals(0, unbroken.exitCode(), unbroken.err());

        Path broken = folder.resolve("broken");
        killWhen(
                into(broken, "--jobs", "1"),
                () -> exists(broken.resolve("work"), "metrics.jsonl"),
                Process::destroyForcibly); // within the search
        killWhen(into(broken, "--jobs", "1"), () -> rows(broken).size() >= 1, Process::destroy);
        String said = Files.readString(folder.resolve("output.txt"));
        assertTrue(
                said.contains("of 7 runs done; go on with: effconv sweep --arch planted3 --data planted:3,train=64"),
                said);
        killWhen(
                into(broken, "--jobs", "1"),
                () -> rows(broken).size() >= 2 && exists(broken.resolve("work"), "train.safetensors"),
                Process::destroyForcibly);
        Path file = broken.resolve("results.jsonl");
        Files.writeString(file, Files.readString(file) + "{\"id\":\"cut"); // as if killed within a row
        Cli last = Cli.run(into(broken, "--jobs", "2"));
        assertEquals(0, last.exitCode(), last.err());

        assertEquals(outcomes(whole), outcomes(broken));
        assertEquals(7, rows(whole).size()); // a search and six networks
        assertEquals(rows(whole).size(), outcomes(broken).size(), "a run has two rows");
        assertFalse(exists(broken.resolve("work"), "job.json"), "finished runs leave nothing behind");

        byte[] before = Files.readAllBytes(file);
        Cli again = Cli.run(into(broken));
        assertEquals(0, again.exitCode(), again.err());
        assertTrue(again.out().contains("0 to do"), again.out());
        assertArrayEquals(before, Files.readAllBytes(file));

        Cli compared = Cli.run(
                "compare", file.toString(), "--out", folder.resolve("table").toString());
        assertEquals(0, compared.exitCode(), compared.err());
        assertTrue(
                compared.out().contains("| shuffled | 1 |") && compared.out().contains("| random | 2 |"),
                compared.out());
        String written = String.join(" ", Cli.content(folder.resolve("table")));
        assertTrue(
                written.contains("comparison.md")
                        && written.contains("comparison.csv")
                        && written.contains("accuracy-planted3-")
                        && written.contains("work-planted3-")
                        && written.contains(".png")
                        && written.contains(".svg"),
                written);
    }

    @Test
    void aRowHoldsWhatIsNeededToJudgeIt() {
        Path out = folder.resolve("rows");
        Cli run = Cli.run(into(out, "--best-epoch"));
        assertEquals(0, run.exitCode(), run.err());
        for (ObjectNode row : rows(out)) {
            boolean training = row.path("kind").asText().equals("training");
            List<String> pointers = new ArrayList<>(List.of(
                    "/arch",
                    "/data",
                    "/budget",
                    "/budgetCost",
                    "/budgetTarget",
                    "/seed",
                    "/result/sizes/2",
                    "/result/parameters",
                    "/result/multiplyAdds",
                    "/result/budgetDeviation",
                    "/result/seconds",
                    "/result/steps",
                    "/result/stepMillis",
                    "/result/images/train",
                    "/result/images/validation",
                    "/result/images/test",
                    "/environment/device",
                    "/environment/threads",
                    "/environment/activations",
                    "/environment/processor",
                    "/environment/version",
                    "/environment/commit",
                    "/environment/jobs",
                    "/environment/finished",
                    "/settings/epochs",
                    "/match",
                    "/work/multiplyAdds",
                    "/work/processorSeconds",
                    "/work/uniformEpochs",
                    "/work/search/multiplyAdds",
                    "/work/training/multiplyAdds"));
            if (training) {
                pointers.addAll(List.of(
                        "/method",
                        "/variant",
                        "/epochs",
                        "/result/validationAccuracy",
                        "/result/testAccuracy",
                        "/result/testLoss",
                        "/result/bestEpochTestAccuracyChosenOnTest"));
                double best =
                        row.at("/result/bestEpochTestAccuracyChosenOnTest").asDouble();
                assertTrue(best >= row.at("/result/testAccuracy").asDouble(), row.toString());
                assertTrue(Math.abs(row.at("/result/budgetDeviation").asDouble()) <= 0.02, row.toString());
            }
            if (row.path("method").asText().matches("learned|shuffled")) {
                pointers.addAll(List.of("/search/id", "/search/softSizes/2", "/search/seconds", "/search/stepMillis"));
            }
            for (String pointer : pointers) {
                assertFalse(row.at(pointer).isMissingNode(), pointer + " is missing in " + row);
            }
            assertEquals(58, row.at("/result/images/train").asInt()); // 64 without a tenth
            assertEquals(6, row.at("/result/images/validation").asInt());
        }
    }

    /** By the work of real searches and trainings, not of played ones. */
    @Test
    void plainSizesAreTrainedForTheWorkOfLearnedOnes() {
        Path out = folder.resolve("matched");
        Cli run = Cli.run(
                "sweep",
                "--out",
                out.toString(),
                "--arch",
                "planted3",
                "--data",
                "planted:3,train=64,test=32,size=12",
                "--batch",
                "16",
                "--epochs",
                "2",
                "--precision",
                "fp32",
                "--budget",
                "k5",
                "--seed",
                "1",
                "--methods",
                "mixed,learned,effconv-paper",
                "--match",
                "work");
        assertEquals(0, run.exitCode(), run.err());
        Map<String, Double> epochs = new TreeMap<>();
        for (ObjectNode row : rows(out)) {
            epochs.put(
                    row.path("method").asText(row.path("kind").asText()),
                    row.at("/work/uniformEpochs").asDouble());
            if (row.path("method").asText().equals("mixed")) {
                assertEquals(
                        row.path("epochs").asDouble(),
                        row.at("/work/uniformEpochs").asDouble(),
                        1e-9);
            }
        }
        assertTrue(epochs.get("learned") > 2, epochs.toString()); // the search is counted
        assertEquals(Math.ceil(epochs.get("learned") - 1e-9), epochs.get("mixed"), 1e-9);
        Cli compared = Cli.run("compare", out.resolve("results.jsonl").toString());
        assertTrue(
                compared.out().contains(", at equal work") && compared.out().contains("work-planted3-"),
                compared.out() + compared.err());
    }

    @Test
    void aDryRunWritesNothingAndListsEveryRun() {
        Path out = folder.resolve("dry");
        Cli run = Cli.run(into(out, "--dry-run"));
        assertEquals(0, run.exitCode(), run.err());
        assertFalse(Files.exists(out));
        assertEquals(8, run.out().lines().count(), run.out());
        assertTrue(run.out().contains("7 runs, 7 to do; about"), run.out());
    }

    @Test
    void aDryRunSaysHowFarOffABudgetOfMultiplyAddsSizesAre() {
        Cli run = Cli.run(into(folder.resolve("dry"), "--dry-run", "--cost", "macs"));
        assertEquals(0, run.exitCode(), run.err());
        assertTrue(run.out().contains("(+0.00 % off the budget)"), run.out());
        assertFalse(run.out().contains("-9"), run.out());
    }

    @Test
    void whatMayBeListedIsTakenFromSystemPropertiesToo() {
        System.setProperty("effconv.seed", "7");
        try {
            Cli run = Cli.run(
                    "sweep",
                    "--out",
                    folder.resolve("dry").toString(),
                    "--arch",
                    "planted3",
                    "--data",
                    "planted:3,train=64,test=32,size=12",
                    "--budget",
                    "k3",
                    "--methods",
                    "uniform",
                    "--dry-run");
            assertEquals(0, run.exitCode(), run.err());
            assertTrue(run.out().contains("uniform-k3/seed7"), run.out());
            assertEquals(2, run.out().lines().count(), run.out());
        } finally {
            System.clearProperty("effconv.seed");
        }
    }

    @Test
    void aRunThatFailsCostsItsRowsOnly() {
        Path out = folder.resolve("failing");
        Cli run = Cli.run(into(out, "--optimizer", "sgd", "--lr", "1e30"));
        assertEquals(1, run.exitCode(), run.out());
        assertTrue(
                run.err().contains("7 of 7 runs have no row") && run.err().contains("a smaller learning rate"),
                run.err());
        assertTrue(run.err().contains("learned/seed1: its search failed"), run.err());
        assertTrue(run.out().contains("FAILED: the loss is"), run.out());
        assertEquals(List.of(), rows(out));
    }

    private static List<ObjectNode> rows(Path sweep) {
        return JsonLines.read(sweep.resolve("results.jsonl"));
    }

    /** Rows by id, without what a clock, the system or the number of jobs has a say in. */
    private static Map<String, String> outcomes(Path sweep) {
        Map<String, String> outcomes = new TreeMap<>();
        for (ObjectNode row : rows(sweep)) {
            row.remove(List.of(
                    "environment", "sameTrainingAs")); // which of two equal trainings ran depends on who came first
            for (String part : List.of("result", "search")) {
                if (row.path(part) instanceof ObjectNode o) {
                    o.remove(List.of("seconds", "stepMillis"));
                }
            }
            for (String part : List.of("/work", "/work/search", "/work/training")) {
                ((ObjectNode) row.at(part)).remove("processorSeconds");
            }
            outcomes.put(row.path("id").asText(), Json.line(row));
        }
        return outcomes;
    }

    private interface Condition {
        boolean holds() throws IOException;
    }

    private static boolean exists(Path below, String name) {
        if (!Files.exists(below)) {
            return false;
        }
        try (Stream<Path> all = Files.walk(below)) {
            return all.anyMatch(p -> p.getFileName().toString().equals(name));
        } catch (IOException | java.io.UncheckedIOException e) {
            return false; // a file went away while it was looked at: ask again
        }
    }

    private void killWhen(List<String> arguments, Condition condition, Consumer<Process> kill)
            throws IOException, InterruptedException {
        Process process = CliProcess.start(arguments, folder.resolve("output.txt"));
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
        while (!condition.holds()) {
            assertTrue(process.isAlive(), "ended before it could be killed");
            assertTrue(System.nanoTime() < end, "nothing to kill in " + PATIENCE_SECONDS + " s");
            Thread.sleep(2);
        }
        List<ProcessHandle> children = process.descendants().toList();
        kill.accept(process); // SIGKILL or SIGTERM
        process.waitFor();
        for (ProcessHandle child : children) {
            child.onExit().orTimeout(PATIENCE_SECONDS, TimeUnit.SECONDS).join(); // by itself, as its parent is gone
        }
    }
}

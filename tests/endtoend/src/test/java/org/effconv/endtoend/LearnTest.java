package org.effconv.endtoend;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.effconv.io.Json;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LearnTest {
    @TempDir
    Path folder;

    @Test
    void aRunLeavesEverythingInItsFolder() throws IOException {
        Path run = folder.resolve("run");
        Cli learn = Cli.small(
                "learn",
                "--epochs",
                "2",
                "--search-epochs",
                "16",
                "--budget",
                "k5",
                "--cost",
                "macs",
                "--out",
                run.toString());
        assertEquals(0, learn.exitCode(), learn.err());
        for (String file : List.of(
                "sizes.json",
                "metrics.jsonl",
                "config.json",
                "model.safetensors",
                "log.txt",
                "summary.json",
                "summary.txt",
                "checkpoint/probe.safetensors",
                "checkpoint/candidate1.safetensors",
                "checkpoint/train.safetensors")) {
            assertTrue(Files.size(run.resolve(file)) > 0, file);
        }
        ObjectNode summary = Json.read(run.resolve("summary.json"));
        boolean compared = learn.out().contains("uniform 5 ");
        assertTrue(compared != summary.path("keptUniform").asBoolean(), learn.out());
        List<String> phases = new ArrayList<>(List.of("probe", "candidate1", "candidate2", "train"));
        if (compared) { // unless the learned sizes are uniform themselves
            phases.add("uniform");
        }
        List<String> told = Files.readAllLines(run.resolve("metrics.jsonl")).stream()
                .map(l -> Json.parse(l, "metrics"))
                .map(m -> m.path("phase").asText() + " " + m.path("epoch").asInt())
                .toList();
        assertEquals(told.size(), told.stream().distinct().count(), told.toString());
        for (String phase : phases) {
            assertTrue(told.contains(phase + " 1"), phase + " in " + told);
        }
        assertTrue(told.contains("train 2") && compared == told.contains("uniform 2"), told.toString());
        assertEquals(0, summary.path("liveNativeBytes").asLong(-1));
        assertTrue(summary.path("candidates").size() > 1, summary.toString());
        for (JsonNode candidate : summary.path("candidates")) {
            assertTrue(
                    learn.out()
                            .contains(String.format(
                                    Locale.ROOT,
                                    "  loss %.4f in step %d%n",
                                    candidate.path("loss").asDouble(),
                                    candidate.path("steps").asInt())),
                    learn.out());
        }
        double search = summary.at("/work/search/multiplyAdds").asDouble();
        assertTrue(
                search > 0
                        && summary.at("/work/multiplyAdds").asDouble()
                                == search
                                        + summary.at("/work/training/multiplyAdds")
                                                .asDouble(),
                summary.toString());
        assertTrue(Math.abs(summary.path("spentOverBudget").asDouble() - 1) <= 0.05, summary.toString());
        assertTrue(learn.out().contains(Files.readString(run.resolve("summary.txt"))), learn.out());
    }

    @Test
    void eventsAreLinesOfJson() {
        Path run = folder.resolve("run");
        Cli learn = Cli.small("learn", "--epochs", "2", "--json", "--out", run.toString());
        assertEquals(0, learn.exitCode(), learn.err());
        List<JsonNode> events = learn.out()
                .lines()
                .<JsonNode>map(line -> Json.parse(line, "event"))
                .toList();
        List<String> names = events.stream().map(e -> e.path("event").asText()).toList();
        assertTrue(names.containsAll(List.of("start", "epoch", "candidate", "end")), names.toString());
        assertEquals("result", names.get(names.size() - 1));
        JsonNode result = events.get(events.size() - 1);
        assertEquals(run.toString(), result.path("run").asText());
        assertEquals(Json.read(run.resolve("summary.json")), result.path("summary"));
        assertTrue(events.stream()
                .anyMatch(e -> e.path("event").asText().equals("start")
                        && e.path("phase").asText().equals("train")));
    }

    @Test
    void aQuietRunPrintsItsSummaryAlone() throws IOException {
        Path run = folder.resolve("run");
        Cli learn = Cli.small("learn", "--epochs", "2", "--quiet", "--out", run.toString());
        assertEquals(0, learn.exitCode(), learn.err());
        assertTrue(learn.out().startsWith(Files.readString(run.resolve("summary.txt"))), learn.out());
        assertEquals(2, Cli.small("learn", "--quiet", "--json").exitCode());
    }

    @Test
    void foundSizesCanBeTrainedAgainAndEvaluated() {
        Path run = folder.resolve("run");
        assertEquals(
                0,
                Cli.small("learn", "--epochs", "2", "--no-compare", "--out", run.toString())
                        .exitCode());
        Path again = folder.resolve("again");
        Cli train = Cli.small(
                "train", "--epochs", "2", "--sizes", run.resolve("sizes.json").toString(), "--out", again.toString());
        assertEquals(0, train.exitCode(), train.err());
        assertEquals(
                Json.read(run.resolve("summary.json")).path("learned").path("testAccuracy"),
                Json.read(again.resolve("summary.json")).path("testAccuracy"));

        Cli eval = Cli.run(
                "eval",
                again.toString(),
                "--data",
                "planted:3,train=64,test=32,size=12",
                "--threads",
                "1",
                "--precision",
                "fp32");
        assertEquals(0, eval.exitCode(), eval.err());
        double accuracy = 100
                * Json.read(again.resolve("summary.json")).path("testAccuracy").asDouble();
        assertTrue(
                eval.out().contains(String.format(java.util.Locale.ROOT, "test accuracy %.2f %%", accuracy)),
                eval.out());

        Cli own =
                Cli.run("eval", again.resolve("model.safetensors").toString(), "--threads", "1", "--precision", "fp32");
        assertEquals(eval.out(), own.out(), own.err()); // without --data: the run's own, and it is named

        Cli export = Cli.run("export", again.toString());
        assertEquals(0, export.exitCode(), export.err());
        Path onnx = again.resolve("model.onnx");
        assertTrue(export.out().startsWith(onnx + ": planted3 on 12 x 12 x 1"), export.out());
        assertTrue(
                export.out().contains("input pixels: float (N, 1, 12, 12), 0 to 255; output logits: float (N, 2)"),
                export.out());
        long parameters = Json.read(again.resolve("summary.json"))
                .path("learned")
                .path("parameters")
                .asLong();
        assertTrue(onnx.toFile().length() > 4 * parameters, onnx.toFile().length() + " bytes");

        long model = again.resolve("model.safetensors").toFile().length();
        for (String format : List.of("safetensors", "pytorch", "keras", "pytorch")) { // the last replaces one
            Cli other = Cli.run("export", again.toString(), "--format", format);
            assertEquals(0, other.exitCode(), other.err());
        }
        for (String file : List.of(
                "weights.safetensors",
                "pytorch/model.py",
                "pytorch/model.safetensors",
                "keras/model_keras.py",
                "keras/model.safetensors")) {
            assertTrue(Files.isRegularFile(again.resolve(file)), file);
        }
        assertEquals(model, again.resolve("model.safetensors").toFile().length());
    }

    @Test
    void aSearchForARangeTellsSizesThatCanBeTrained() {
        Path run = folder.resolve("range");
        Cli search = Cli.small("search", "--budget", "any:k3..k7", "--search-epochs", "2", "--out", run.toString());
        assertEquals(0, search.exitCode(), search.err());
        assertTrue(search.out().contains("4,882 parameters to 26,002 parameters"), search.out());
        Path file = folder.resolve("sizes.json");
        Cli sizes = Cli.run("sizes", "--run", run.toString(), "--budget", "k3", "--out", file.toString());
        if (sizes.exitCode() != 0) { // three layers: not every budget has sizes that keep the order
            assertTrue(sizes.err().contains("no odd kernel sizes"), sizes.err());
            sizes = Cli.run(
                    "sizes", "--run", run.toString(), "--budget", nearest(sizes.err()), "--out", file.toString());
        }
        assertEquals(0, sizes.exitCode(), sizes.err());
        assertTrue(sizes.out().contains(" parameters, budget "), sizes.out());
        Cli apart = Cli.run("sizes", "--run", run.toString(), "--budget", "k3", "--any-order");
        assertEquals(0, apart.exitCode(), apart.err()); // uniform 3 meets it
        Cli train = Cli.small(
                "train",
                "--epochs",
                "1",
                "--sizes",
                file.toString(),
                "--out",
                folder.resolve("trained").toString());
        assertEquals(0, train.exitCode(), train.err());
    }

    @Test
    void sizesMayBeListed() {
        Path run = folder.resolve("listed");
        Cli train = Cli.small("train", "--epochs", "1", "--sizes", "5,1,3", "--out", run.toString());
        assertEquals(0, train.exitCode(), train.err());
        assertTrue(train.out().contains("sizes          5 1 3\n"), train.out());
        assertEquals("[5,1,3]", Json.line(Json.read(run.resolve("summary.json")).path("sizes")));
    }

    private static String nearest(String refusal) {
        return refusal.replaceAll("(?s).*the nearest cost ([0-9,]+) parameters.*", "$1")
                .replace(",", "");
    }

    @Test
    void aBudgetOfTimeIsCountedByATableMeasuredHere() {
        Path table = folder.resolve("table.json");
        Cli measure = Cli.small("latency-table", "--repeats", "1", table.toString());
        assertEquals(0, measure.exitCode(), measure.err());
        assertTrue(measure.out().contains("planted3 on 12 x 12 x 1, 2 classes, training of 16 images"), measure.out());
        Path run = folder.resolve("run"); // as much time as the largest network takes: a budget whatever the clock said
        Cli learn = Cli.small(
                "learn",
                "--epochs",
                "1",
                "--no-compare",
                "--budget",
                "k33",
                "--ceiling",
                "--cost",
                "latency",
                "--latency-table",
                table.toString(),
                "--out",
                run.toString());
        assertEquals(0, learn.exitCode(), learn.err());
        assertEquals(
                "latency", Json.read(run.resolve("sizes.json")).path("cost").asText());
        assertTrue(
                learn.out().matches("(?s).*budget +[0-9.e+-]+ ms, spent .* %, measured [0-9.e+-]+ ms.*"), learn.out());
    }

    /**
     * Twice the parameters of size 3 lie between sizes 3 and 5, and below a ceiling only the first may be the answer.
     */
    @Test
    void aCeilingIsNeverExceeded() {
        Path run = folder.resolve("ceiling");
        Cli learn = Cli.run(
                "learn",
                "--arch",
                "planted1",
                "--data",
                "planted:3,train=64,test=32,size=12",
                "--batch",
                "16",
                "--threads",
                "1",
                "--epochs",
                "1",
                "--search-epochs",
                "1",
                "--no-compare",
                "--budget",
                "2x",
                "--ceiling",
                "--out",
                run.toString());
        assertEquals(0, learn.exitCode(), learn.err());
        var sizes = Json.read(run.resolve("sizes.json"));
        assertTrue(sizes.path("spent").asDouble() <= sizes.path("budget").asDouble(), sizes.toString());
    }

    @Test
    void theSameSeedGivesTheSameModel() throws IOException {
        for (String name : List.of("a", "b")) {
            assertEquals(
                    0,
                    Cli.small(
                                    "learn",
                                    "--epochs",
                                    "1",
                                    "--no-compare",
                                    "--budget",
                                    "k5",
                                    "--flow",
                                    "two-stage",
                                    "--warm-start",
                                    "--out",
                                    folder.resolve(name).toString())
                            .exitCode());
        }
        assertArrayEquals(
                Files.readAllBytes(folder.resolve("a/model.safetensors")),
                Files.readAllBytes(folder.resolve("b/model.safetensors")));
    }

    @Test
    void helpShowsEverySettingWithItsDefault() {
        Cli help = Cli.run("learn", "--help");
        assertEquals(0, help.exitCode());
        String text = help.out().replaceAll("\\s+", " ");
        for (var setting : org.effconv.Settings.table()) {
            String flag = setting.isFlag() ? "--[no-]" + setting.key() : "--" + setting.key() + "=";
            assertTrue(text.contains(flag), flag);
            if (!setting.isFlag()) {
                assertTrue(text.contains("default: " + setting.standard() + ")"), setting.key() + " in " + text);
            }
        }
    }

    @Test
    void infoNamesWhatIsThereAndWhatIsMissing() {
        Cli info = Cli.run("info");
        assertEquals(0, info.exitCode());
        for (String part : List.of(
                "java",
                "libeffconv loaded",
                "oneDNN",
                "cuda driver",
                "cuda kernels",
                "cuDNN",
                "device cpu   there",
                "device cuda",
                "device auto  means")) {
            assertTrue(info.out().contains(part), part + " in " + info.out());
        }
    }
}

package org.effconv.sweep;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.io.Json;
import org.effconv.io.JsonLines;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The comparison's arithmetic against values computed by hand. */
class ComparisonTest {
    private static final double EXACT = 1e-12;

    private double closing = 0.2; // of the rows' searches
    private String arch = "cnn6"; // of the rows

    @TempDir
    Path folder;

    private Path file;

    @BeforeEach
    void rows() {
        file = folder.resolve("results.jsonl");
        row("learned", "", 1, 0.80, 1010, 0.01, 8);
        row("learned", "", 2, 0.84, 990, -0.01, 8);
        row("learned", "", 3, 0.85, 1000, 0, 8);
        row("uniform", "k3", 1, 0.79, 900, -0.1, 8);
        row("uniform", "k3", 2, 0.85, 900, -0.1, 8);
        row("uniform", "k5", 1, 0.82, 2000, 1.0, 8);
        row("random", "draw1", 1, 0.70, 1000, 0, 8);
        row("random", "draw2", 1, 0.74, 1000, 0, 8);
        row("random", "draw1", 3, 0.80, 1020, 0.02, 8);
        JsonLines.append(file, Json.object().put("kind", "search").put("id", "a search"));
    }

    private void row(
            String method, String variant, long seed, double accuracy, long parameters, double deviation, int epochs) {
        ObjectNode row = Json.object()
                .put("kind", "training")
                .put("id", arch + method + variant + seed)
                .put("arch", arch)
                .put("data", "d")
                .put("budget", "k4")
                .put("budgetCost", "parameters")
                .put("budgetTarget", 1000.0)
                .put("method", method)
                .put("variant", variant)
                .put("seed", seed);
        if (method.equals("learned")) {
            row.putObject("search").put("seconds", 10.0 * seed).put("stepMillis", 3.0);
        }
        ObjectNode result = row.putObject("result")
                .put("testAccuracy", accuracy)
                .put("validationAccuracy", accuracy + 0.01)
                .put("parameters", parameters)
                .put("multiplyAdds", 1_500_000)
                .put("budgetDeviation", deviation)
                .put("seconds", 100.0)
                .put("stepMillis", 2.0);
        result.putObject("images").put("train", 900).put("test", 400);
        row.putObject("environment")
                .put("device", "cpu")
                .put("commit", seed == 1 ? "aaa" : "bbb")
                .put("finished", "2026-01-0" + seed);
        row.putObject("settings")
                .put("epochs", epochs)
                .put("seed", seed)
                .put("spread", method.equals("uniform") ? 0.1 : 0.4)
                .put("closing", closing);
        JsonLines.append(file, row);
    }

    @Test
    void searchesMustShareTheirSettingsAndOthersNeedNot() {
        closing = 0.3;
        row("uniform", "k3", 3, 0.8, 900, -0.1, 8); // no search's sizes: nothing to compare
        assertEquals(3, entry("uniform k3").networks());
        row("shuffled", "draw1", 1, 0.8, 900, -0.1, 8);
        assertTrue(assertThrows(InvalidInput.class, () -> entry("learned"))
                .getMessage()
                .contains("closing is 0.2 there and 0.3 here"));
    }

    @Test
    void tellsHowUncertainTheTestImagesAlreadyMakeAnAccuracy() {
        Comparison.Group group = Comparison.of(List.of(file)).groups().get(0);
        assertEquals(Math.sqrt(0.83 * 0.17 / 400), group.imageError(), EXACT); // the learned ones are the best
        assertTrue(ComparisonTable.markdown(Comparison.of(List.of(file)))
                .contains("400 test images: by their choice alone one network's accuracy is uncertain by 1.88 points"));
    }

    private Comparison.Entry entry(String name) {
        Comparison.Group group = Comparison.of(List.of(file)).groups().get(0);
        return group.entries().stream()
                .filter(e -> e.name().equals(name))
                .findFirst()
                .orElseThrow();
    }

    @Test
    void groupsAndOrder() {
        Comparison comparison = Comparison.of(List.of(file));
        assertEquals(1, comparison.groups().size());
        assertEquals(
                new Comparison.Task("cnn6", "d", 900, Match.EPOCHS),
                comparison.tasks().get(0));
        assertEquals(
                List.of("learned", "uniform k3", "uniform k5", "random"),
                comparison.groups().get(0).entries().stream()
                        .map(Comparison.Entry::name)
                        .toList());
        assertTrue(
                comparison.notes().contains("commit: aaa, bbb (not the same for all runs)"),
                comparison.notes().toString());
    }

    @Test
    void meanAndSampleDeviationOfTheLearnedOnes() {
        Comparison.Entry e = entry("learned");
        assertEquals(0.83, e.accuracy().mean(), EXACT); // (0.80 + 0.84 + 0.85) / 3
        assertEquals(Math.sqrt((0.0009 + 0.0001 + 0.0004) / 2), e.accuracy().deviation(), EXACT);
        assertEquals(0.80, e.accuracy().min());
        assertEquals(0.85, e.accuracy().max());
        assertEquals(0.84, e.validation().mean(), EXACT);
        assertEquals(20, e.searchSeconds(), EXACT);
        assertEquals(0.01, e.deviation(), EXACT);
        assertNull(e.advantageSummary());
        assertNull(e.bestEpoch());
    }

    @Test
    void differencesArePairedBySeed() {
        Comparison.Entry e = entry("uniform k3");
        assertEquals(List.of(1L, 2L), List.copyOf(e.advantage().keySet()));
        assertEquals(0.01, e.advantage().get(1L), EXACT); // 0.80 - 0.79
        assertEquals(-0.01, e.advantage().get(2L), EXACT); // 0.84 - 0.85
        assertEquals(0, e.advantageSummary().mean(), EXACT);
        assertEquals(Math.sqrt(0.0002), e.advantageSummary().deviation(), EXACT);
        assertTrue(Double.isNaN(entry("uniform k5").advantageSummary().deviation()));
    }

    @Test
    void drawsOfASeedCountWithTheirMean() {
        Comparison.Entry e = entry("random");
        assertEquals(3, e.networks());
        assertEquals(0.72, e.accuracies().get(1L), EXACT); // (0.70 + 0.74) / 2
        assertEquals(0.76, e.accuracy().mean(), EXACT); // (0.72 + 0.80) / 2
        assertEquals(Math.sqrt(2 * 0.04 * 0.04), e.accuracy().deviation(), EXACT);
        assertEquals(0.70, e.networkAccuracy().min());
        assertEquals(0.08, e.advantage().get(1L), EXACT); // 0.80 - 0.72
        assertEquals(0.05, e.advantage().get(3L), EXACT); // 0.85 - 0.80
        assertEquals(0.065, e.advantageSummary().mean(), EXACT);
    }

    @Test
    void theTableShowsThem() {
        String markdown = ComparisonTable.markdown(Comparison.of(List.of(file)));
        assertTrue(markdown.contains("## cnn6, d, 900 training images, budget k4 (1,000 parameters)"), markdown);
        assertTrue(
                markdown.contains(
                        "| random | 3 | 2 | 1,000 to 1,020 | 2.00 % | 1.5 M | 76.00 +- 5.66 | 70.00 to 80.00 | +6.50 +- 2.12 | +8.00 +5.00 | +5.00 to +8.00 |"),
                markdown);
        assertTrue(markdown.contains("| uniform k5 | 1 | 1 | 2,000 | 100.00 % | 1.5 M | 82.00 (one seed) |"), markdown);
        List<String> csv =
                ComparisonTable.csv(Comparison.of(List.of(file))).lines().toList();
        assertEquals(5, csv.size());
        for (String line : csv) {
            assertEquals(csv.get(0).split(",", -1).length, line.split(",", -1).length, line);
        }
    }

    @Test
    void severalGroupsAreSummedUpByBaseline() {
        assertFalse(
                ComparisonTable.markdown(Comparison.of(List.of(file))).contains("Learned sizes against each baseline"));
        arch = "dwnet";
        row("learned", "", 1, 0.60, 1000, 0, 8);
        row("learned", "", 2, 0.62, 1000, 0, 8);
        row("uniform", "k3", 1, 0.58, 1000, 0, 8);
        row("uniform", "k3", 2, 0.62, 1000, 0, 8);
        arch = "resnet20";
        row("uniform", "k3", 1, 0.58, 1000, 0, 8); // without learned sizes: no line
        String markdown = ComparisonTable.markdown(Comparison.of(List.of(file)));
        assertTrue(
                markdown.startsWith(
                        """
                ## Learned sizes against each baseline, at equal epochs

                | network, data, images, budget | learned, % | - uniform | - random |
                |---|---|---|---|
                | cnn6, d, 900, k4 | 83.00 +- 2.65 | k3: +0.00 +- 1.41 (2), k5: -2.00 (one seed) | +6.50 +- 2.12 (2) |
                | dwnet, d, 900, k4 | 61.00 +- 1.41 | +1.00 +- 1.41 (2) |  |
                | all pairs |  | -0.25 +- 1.71 (4): 1 won, 1 drawn, 2 lost | +6.50 +- 2.12 (2): 2 won, 0 drawn, 0 lost |
                """),
                markdown); // -2 (k5), -1, +2, 0
    }

    /** Rows of early sweeps. */
    @Test
    void multiplyAddsThatRowsDoNotSayStayEmpty() {
        List<ObjectNode> rows = List.copyOf(JsonLines.read(file));
        Path early = folder.resolve("early.jsonl");
        rows.forEach(row -> {
            if (row.path("result") instanceof ObjectNode result) {
                result.remove("multiplyAdds");
            }
            JsonLines.append(early, row);
        });
        String markdown = ComparisonTable.markdown(Comparison.of(List.of(early)));
        assertTrue(markdown.contains("| uniform k5 | 1 | 1 | 2,000 | 100.00 % |  | 82.00 (one seed) |"), markdown);
        assertFalse(markdown.contains("NaN"), markdown);
    }

    @Test
    void otherSettingsAreRefused() {
        row("mixed", "", 1, 0.5, 1000, 0, 16);
        String message = assertThrows(InvalidInput.class, () -> Comparison.of(List.of(file)))
                .getMessage();
        assertTrue(message.contains("epochs is 8 there and 16 here"), message);
    }

    /**
     * "k4" may count parameters in one sweep and multiply-adds in another, and an architecture's file may have changed
     * between them.
     */
    @ParameterizedTest
    @CsvSource({"budgetTarget, 2000.0", "budgetCost, macs", "archDigest, other"})
    void rowsOfAnotherBudgetOrNetworkBehindTheSameNameAreRefused(String key, String value) throws IOException {
        Files.writeString(
                file, Files.readString(file).replace("\"budget\":\"k4\"", "\"budget\":\"k4\",\"archDigest\":\"one\""));
        assertEquals(1, Comparison.of(List.of(file)).groups().size());
        List<ObjectNode> rows = JsonLines.read(file);
        ObjectNode other = rows.get(6);
        if (key.equals("budgetTarget")) {
            other.put(key, Double.parseDouble(value));
        } else {
            other.put(key, value);
        }
        Files.delete(file);
        rows.forEach(row -> JsonLines.append(file, row));
        String message = assertThrows(InvalidInput.class, () -> Comparison.of(List.of(file)))
                .getMessage();
        assertTrue(message.contains(key + " is ") && message.contains(value), message);
    }

    @Test
    void aRunMayNotOccurTwice() {
        String message = assertThrows(InvalidInput.class, () -> Comparison.of(List.of(file, file)))
                .getMessage();
        assertTrue(message.contains("every run once"), message);
        row("learned", "", 1, 0.80, 1010, 0.01, 8);
        assertThrows(InvalidInput.class, () -> Comparison.of(List.of(file)));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "\"testAccuracy\":0.79 | \"testAccuracy\":\"high\" | result.testAccuracy is \"high\", expected a number",
                "\"testAccuracy\":0.79 | \"testAccuracy\":79 | result.testAccuracy is 79, expected a number from 0 to 1",
                "\"testAccuracy\":0.79, | '' | result.testAccuracy is missing, expected a number",
                "\"parameters\":900 | \"parameters\":null | result.parameters is null, expected a number",
                "\"result\":{ | \"result\":7,\"other\":{ | result.parameters is missing, expected a number",
                "\"method\":\"uniform\" | \"method\":\"uniforn\" | method 'uniforn': expected some of learned",
                "\"method\":\"uniform\", | '' | method is missing, expected a text",
                "\"arch\":\"cnn6\" | \"arch\":[] | arch is [], expected a text",
                "\"budgetCost\":\"parameters\" | \"budgetCost\":\"money\" | budgetCost is \"money\", expected parameters, macs or latency",
                "\"seed\":1 | \"seed\":{} | seed is {}, expected a number",
                "{ | '' | no valid JSON at column 7"
            })
    void aDamagedRowIsToldWithItsLine(String whole, String damaged, String message) throws IOException {
        List<String> lines = new ArrayList<>(Files.readAllLines(file));
        assertTrue(lines.get(3).contains(whole), lines.get(3));
        lines.set(3, lines.get(3).replaceFirst(Pattern.quote(whole), Matcher.quoteReplacement(damaged)));
        Files.write(file, lines);
        String told = assertThrows(InvalidInput.class, () -> Comparison.of(List.of(file)))
                .getMessage();
        assertTrue(told.startsWith(file + " line 4: " + message), told);
    }
}

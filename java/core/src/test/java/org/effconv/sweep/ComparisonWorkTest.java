package org.effconv.sweep;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.List;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.io.Json;
import org.effconv.io.JsonLines;
import org.effconv.train.Work;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a comparison says of work, and of rows at equal epochs and at equal work. */
class ComparisonWorkTest {
    @TempDir
    Path folder;

    private Path file;

    @BeforeEach
    void rows() {
        file = folder.resolve("results.jsonl");
        add(worked(row("learned", 1, 0.80, "epochs", 8), 9, 1));
        add(worked(row("learned", 2, 0.84, "epochs", 8), 9.5, 1.5));
        add(worked(row("mixed", 1, 0.79, "epochs", 8), 8, 0));
        add(worked(row("learned", 1, 0.80, "work", 8), 9, 1));
        add(worked(row("mixed", 1, 0.82, "work", 9), 9, 0));
    }

    private static ObjectNode row(String method, long seed, double accuracy, String match, int epochs) {
        ObjectNode row = Json.object()
                .put("kind", "training")
                .put("id", "cnn6" + method + seed)
                .put("arch", "cnn6")
                .put("data", "d")
                .put("budget", "k4")
                .put("budgetCost", "parameters")
                .put("budgetTarget", 1000.0)
                .put("method", method)
                .put("variant", "")
                .put("seed", seed)
                .put("match", match)
                .put("epochs", epochs);
        ObjectNode result = row.putObject("result")
                .put("testAccuracy", accuracy)
                .put("parameters", 1000)
                .put("budgetDeviation", 0.0)
                .put("seconds", 100.0)
                .put("stepMillis", 2.0);
        result.putObject("images").put("train", 900).put("test", 400);
        row.putObject("settings").put("epochs", epochs).put("flow", "one-run");
        return row;
    }

    private static ObjectNode worked(ObjectNode row, double all, double search) {
        row.set("work", new RunWork(new Work(10 * search, search), new Work(10 * (all - search), 2 * all)).toJson(all));
        return row;
    }

    private void add(ObjectNode row) {
        JsonLines.append(file, row);
    }

    private Comparison.Entry entry(Match match, String name) {
        return Comparison.of(List.of(file)).groups().stream()
                .filter(g -> g.task().match() == match)
                .flatMap(g -> g.entries().stream())
                .filter(e -> e.name().equals(name))
                .findFirst()
                .orElseThrow();
    }

    @Test
    void workIsTheMeanOverTheNetworks() {
        Comparison.Entry learned = entry(Match.EPOCHS, "learned");
        assertEquals(new Comparison.Spent(9.25, 92.5, 12.5, 19.75, 1.25), learned.spent());
        assertEquals(8, learned.epochs());
        assertEquals(9, entry(Match.WORK, "mixed").epochs());
        List<String> csv =
                ComparisonTable.csv(Comparison.of(List.of(file))).lines().toList();
        assertTrue(
                csv.get(0)
                        .endsWith(
                                ",match,epochsMean,workUniformEpochsMean,workMultiplyAddsMean,searchMultiplyAddsMean,processorSecondsMean,"
                                        + "searchProcessorSecondsMean"),
                csv.get(0));
        assertTrue(csv.get(1).endsWith(",epochs,8.0,9.25,92.5,12.5,19.75,1.25"), csv.get(1));
        assertTrue(csv.get(4).endsWith(",work,9.0,9.0,90.0,0.0,18.0,0.0"), csv.get(4));
    }

    @Test
    void tablesSayWhatIsEqualAndAreNotMixed() {
        assertEquals(-0.02, entry(Match.WORK, "mixed").advantageSummary().mean(), 1e-12);
        assertEquals(0.01, entry(Match.EPOCHS, "mixed").advantageSummary().mean(), 1e-12);
        String markdown = ComparisonTable.markdown(Comparison.of(List.of(file)));
        assertTrue(markdown.contains("budget k4 (1,000 parameters), at equal epochs\n"), markdown);
        assertTrue(markdown.contains("budget k4 (1,000 parameters), at equal work\n"), markdown);
        assertTrue(markdown.contains("| 9.25 |  | 100.0 | 2.0 |"), markdown);
        assertTrue(markdown.contains("At equal epochs: all") && markdown.contains("At equal work: networks"), markdown);
        assertFalse(markdown.contains("against each baseline"), "two tables of one group each");
    }

    @Test
    void theOverviewIsOneForEach() {
        for (Match match : Match.values()) {
            for (String method : List.of("learned", "mixed")) {
                add(row(method, 3, method.equals("learned") ? 0.9 : 0.7, match.text(), 8)
                        .put("id", "other" + method)
                        .put("budget", "k9"));
            }
        }
        String markdown = ComparisonTable.markdown(Comparison.of(List.of(file)));
        int work = markdown.indexOf("## Learned sizes against each baseline, at equal work");
        assertTrue(
                markdown.startsWith("## Learned sizes against each baseline, at equal epochs") && work > 0, markdown);
        assertTrue(markdown.substring(0, work).contains("| all pairs |  | +10.50 +- 13.44 (2): 2 won"), markdown);
        assertTrue(markdown.substring(work).contains("| all pairs |  | +9.00 +- 15.56 (2): 1 won"), markdown);
    }

    /** Rows of early sweeps; their searches had a setting that is gone. */
    @Test
    void rowsWithoutWorkAreAtEqualEpochsAndHaveADash() {
        ObjectNode early = row("uniform", 1, 0.7, "epochs", 8);
        early.remove(List.of("match", "epochs"));
        ((ObjectNode) early.path("settings")).put("trials", 0.33).put("flow", "two-stage");
        add(early);
        assertTrue(Double.isNaN(entry(Match.EPOCHS, "uniform ").spent().uniformEpochs()));
        add(row("mixed", 2, 0.8, "epochs", 8));
        Comparison.Entry mixed = entry(Match.EPOCHS, "mixed");
        assertTrue(Double.isNaN(mixed.spent().multiplyAdds()), "not all of its rows say");
        String markdown = ComparisonTable.markdown(Comparison.of(List.of(file)));
        assertTrue(markdown.contains("| - |  | 100.0 | 2.0 |"), markdown);
        assertFalse(markdown.contains("NaN"), markdown);
    }

    @Test
    void atEqualWorkOnlyThoseThatTakeItMayDifferInEpochs() {
        add(row("random", 1, 0.5, "work", 10));
        assertEquals(10, entry(Match.WORK, "random").epochs());
        add(row("flexconv", 1, 0.5, "work", 10));
        String message = assertThrows(InvalidInput.class, () -> Comparison.of(List.of(file)))
                .getMessage();
        assertTrue(
                message.contains("'cnn6flexconv1' were made with different settings: epochs is 8 there and 10 here"),
                message);
    }

    @Test
    void damagedWorkIsTold() {
        ObjectNode row = worked(row("random", 1, 0.5, "epochs", 8), 8, 0);
        ((ObjectNode) row.path("work")).put("uniformEpochs", "many");
        add(row);
        String message = assertThrows(InvalidInput.class, () -> Comparison.of(List.of(file)))
                .getMessage();
        assertTrue(message.contains("line 6: work.uniformEpochs is \"many\", expected a number"), message);
    }

    @Test
    void anUnknownMatchIsTold() {
        add(row("random", 1, 0.5, "time", 8));
        String message = assertThrows(InvalidInput.class, () -> Comparison.of(List.of(file)))
                .getMessage();
        assertTrue(message.contains("line 6: match 'time': expected one of epochs, work"), message);
    }
}

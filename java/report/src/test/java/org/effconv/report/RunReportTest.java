package org.effconv.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.io.Json;
import org.effconv.io.JsonLines;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a run's page holds, whatever the run's folder lacks. */
class RunReportTest {
    private static final Pattern OUTSIDE =
            Pattern.compile("https?://|@import|url\\(|<link|<script|(src|href)\\s*=\\s*\"(?!data:image/png;base64,)");
    private static final int MOST_BYTES = 1_500_000;

    @TempDir
    static Path folder;

    private static Path run;

    @BeforeAll
    static void learn() throws IOException {
        run = RunFixture.learn(folder);
    }

    static void requireSelfContained(String html) {
        assertFalse(OUTSIDE.matcher(html).find(), () -> {
            var found = OUTSIDE.matcher(html);
            found.find();
            return html.substring(Math.max(0, found.start() - 80), Math.min(html.length(), found.end() + 80));
        });
        assertTrue(html.length() < MOST_BYTES, html.length() + " characters");
    }

    private static String page(Path of) throws IOException {
        return Files.readString(RunReport.write(of));
    }

    private static Path copy(String name, String... without) throws IOException {
        Path copy = folder.resolve(name);
        try (Stream<Path> all = Files.walk(run)) {
            for (Path file : all.toList()) {
                Path target = copy.resolve(run.relativize(file).toString());
                if (Files.isDirectory(file)) {
                    Files.createDirectories(target);
                } else if (!List.of(without).contains(file.getFileName().toString())) {
                    Files.copy(file, target);
                }
            }
        }
        return copy;
    }

    @Test
    void aPageIsOneFileAndTakesNamesForText() throws IOException {
        String html = page(run);
        requireSelfContained(html);
        assertTrue(html.contains("&lt;script&gt;alert(") && html.contains("&gt;&lt;img src=x onerror"), html);
        for (String id : List.of("soft-sizes", "candidates", "loss", "accuracy", "by-work", "by-cost")) {
            assertTrue(
                    html.contains("id=\"chart-" + id + "\"")
                            || Json.read(run.resolve("summary.json"))
                                    .path("keptUniform")
                                    .asBoolean(),
                    id);
        }
        assertTrue(html.contains("./effconv learn"), html);
        assertTrue(html.contains("among the first five answers"), html);
        assertTrue(html.contains("Wrong and most certain") && html.contains("alt=\"Test image "), html);
    }

    @Test
    void theProbesStepsAreKept() throws IOException {
        List<ObjectNode> steps = JsonLines.read(run.resolve("steps.jsonl"));
        assertEquals(steps.size(), steps.get(steps.size() - 1).path("step").asInt());
        assertTrue(steps.size() >= 16, steps.toString());
        steps.forEach(step -> assertEquals(3, step.path("softSizes").size(), step.toString()));
        assertTrue(steps.get(0).path("loss").isNumber(), steps.get(0).toString());
    }

    /** Some candidates may not be tried, so that their numbers have gaps. */
    @Test
    void everyCandidateThatWasTriedHasACurve() throws IOException {
        Path gap = copy("gap", "candidate1.safetensors");
        List<Path> left;
        try (Stream<Path> files = Files.list(gap.resolve("checkpoint"))) {
            left = files.filter(f -> f.getFileName().toString().startsWith("candidate"))
                    .toList();
        }
        assertFalse(left.isEmpty());
        String html = page(gap);
        for (Path one : left) {
            String name = one.getFileName()
                    .toString()
                    .replace("candidate", "candidate ")
                    .replace(".safetensors", "");
            assertTrue(html.contains("</svg>" + name + "</li>"), name);
        }
    }

    @Test
    void ofARunThatWasInterruptedItShowsWhatThereIs() throws IOException {
        String html = page(copy("interrupted", "summary.json", "model.safetensors"));
        requireSelfContained(html);
        assertTrue(html.contains("has not come to its end"), html);
        assertTrue(html.contains("chart-loss") && html.contains("chart-soft-sizes"), html);
        assertFalse(html.contains("What came out"), html);
        Path begun = copy(
                "begun",
                "summary.json",
                "model.safetensors",
                "sizes.json",
                "metrics.jsonl",
                "steps.jsonl",
                "candidate1.safetensors");
        assertTrue(page(begun).contains("has not come to its end"));
    }

    @Test
    void ofAnOlderRunItSaysWhatIsMissing() throws IOException {
        Path old = copy("old", "steps.jsonl");
        ObjectNode summary = Json.read(old.resolve("summary.json"));
        summary.remove(List.of("environment", "gained"));
        ((ObjectNode) summary.path("learned")).remove("test");
        if (summary.path("uniform") instanceof ObjectNode uniform) {
            uniform.remove("test");
        }
        Files.writeString(old.resolve("summary.json"), Json.pretty(summary));
        String html = page(old);
        assertTrue(html.contains("of an older version") && html.contains("not told by this run"), html);
        assertFalse(html.contains("Class by class"), html);
    }

    @Test
    void withoutItsDataItNamesTheMistakesAlone() throws IOException {
        Path moved = copy("moved");
        ObjectNode config = Json.read(moved.resolve("config.json"));
        ((ObjectNode) config.path("places")).put("data", folder.resolve("gone").toString());
        Files.writeString(moved.resolve("config.json"), Json.pretty(config));
        String html = page(moved);
        assertTrue(html.contains("Wrong and most certain") && html.contains("gone"), html);
        assertFalse(html.contains("alt=\"Test image "), html);
    }

    @Test
    void aDamagedPartIsToldAndLeftOut() throws IOException {
        Path damaged = copy("damaged");
        Files.writeString(damaged.resolve("model.safetensors"), "no model");
        String html = page(damaged);
        assertTrue(html.contains("model.safetensors"), html);
        assertFalse(html.contains("The kernels"), html);
    }

    @Test
    void aFolderWithoutARunIsRefused() {
        assertTrue(assertThrows(InvalidInput.class, () -> RunReport.write(folder))
                .getMessage()
                .contains("config.json is missing"));
    }

    @Test
    void runsAreComparedOnOnePage() throws IOException {
        Path other = copy("other " + RunFixture.HOSTILE);
        ComparisonReport report = ComparisonReport.of(List.of(), List.of(run, other));
        Path file = folder.resolve("comparison.html");
        report.write(file);
        String html = Files.readString(file);
        requireSelfContained(html);
        assertTrue(html.contains("run: learned sizes") && html.contains("other &lt;script"), html);
        assertTrue(html.contains("Accuracy against multiply-adds"), html);
        assertTrue(report.toText().contains("run: learned sizes"), report.toText());
        Path unfinished = copy("unfinished", "summary.json");
        assertTrue(assertThrows(InvalidInput.class, () -> ComparisonReport.of(List.of(), List.of(unfinished)))
                .getMessage()
                .contains("has no summary.json"));
    }
}

package org.effconv.endtoend;

import static org.junit.jupiter.api.Assertions.*;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import javax.imageio.ImageIO;
import org.effconv.io.Json;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code effconv bench} from outside. */
class BenchTest {
    @TempDir
    Path folder;

    @Test
    void floorsNeedNoDeviceAndAreDrawn() throws IOException {
        Path csv = folder.resolve("f.csv");
        Cli run = Cli.run(
                "bench",
                "--floors",
                "--suite",
                "paper",
                "--memory-tbs",
                "2.15",
                "--csv",
                csv.toString(),
                "--plot",
                folder.resolve("roof").toString(),
                "--device",
                "cuda");
        assertEquals(0, run.exitCode(), run.err());
        assertTrue(
                run.out().contains("rates (assumed)") && run.out().contains("depthwise C96 96x96 k21 N128"), run.out());
        List<String> lines = Files.readAllLines(csv);
        assertEquals(2 + 16, lines.size());
        assertTrue(lines.get(2).startsWith("paper,dense C16 32x32 k3 N512,forward,bf16,memory,2.41592"), lines.get(2));
        assertEquals(
                2 * 7.80443,
                Double.parseDouble(lines.get(2).split(",")[8]),
                1e-4,
                "half the memory's rate, twice the time");
        assertEquals(1000, ImageIO.read(folder.resolve("roof.png").toFile()).getWidth());
        assertTrue(Files.readString(folder.resolve("roof.svg")).contains("<svg"));
    }

    @Test
    void stepsOfTheCpuAreMeasured() {
        Path json = folder.resolve("s.json");
        Cli run = Cli.run(
                "bench",
                "--device",
                "cpu",
                "--threads",
                "1",
                "--steps",
                "lenet:3,lenet:3:search",
                "--batch",
                "4",
                "--repeats",
                "3",
                "--seconds",
                "0.1",
                "--json",
                json.toString());
        assertEquals(0, run.exitCode(), run.err());
        JsonNode steps = Json.read(json).path("steps");
        assertEquals(2, steps.size());
        assertTrue(
                steps.path(1).path("median_ms").asDouble() > 0
                        && steps.path(1).path("case").asText().contains("search"),
                steps.toString());
        assertTrue(
                Json.read(json).path("command").asText().startsWith("effconv bench --device cpu"),
                "a number names its command");
    }

    @Test
    void aSearchIsMeasuredOverAPlainStep() {
        Cli run = Cli.run(
                "bench",
                "--device",
                "cpu",
                "--threads",
                "1",
                "--precision",
                "fp32",
                "--batch",
                "4",
                "--search-steps",
                "lenet:3,lenet:5",
                "--search-length",
                "5");
        assertEquals(0, run.exitCode(), run.err());
        for (String part : List.of("search of two stages", "probe of one run", "lenet k5 search N4 fp32")) {
            assertTrue(run.out().contains(part), run.out());
        }
        assertEquals(
                2,
                run.out()
                        .lines()
                        .filter(line -> line.startsWith("geometric mean "))
                        .count(),
                run.out());
    }
}

package org.effconv.latency;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.effconv.Device;
import org.effconv.KernelSizeSearch;
import org.effconv.Learning;
import org.effconv.LearningResult;
import org.effconv.SearchResult;
import org.effconv.Settings;
import org.effconv.cost.Cost;
import org.effconv.cost.Isotonic;
import org.effconv.data.Dataset;
import org.effconv.data.Datasets;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.io.Json;
import org.effconv.io.SizesFile;
import org.effconv.nn.Architecture;
import org.effconv.nn.NetworkPlan;
import org.effconv.nn.SizedLayer;
import org.effconv.train.TrainingListener;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Tables of made-up times; nothing here depends on a clock. */
class LatencyTableTest {
    private static final Dataset DATA = Datasets.open("planted:3,train=64,test=32,size=12");
    private static final NetworkPlan PLAN = Architecture.named("planted3")
            .plan(new NetworkPlan.Input(DATA.height(), DATA.width(), DATA.channels(), DATA.classes()));

    @TempDir
    Path folder;

    private static Device device() {
        return Device.open(Settings.standard().with(Settings.THREADS, 1).with(Settings.PRECISION, "fp32"));
    }

    /** Time grows with the taps, from a floor on. */
    private static LatencyTable table(Device device) {
        Map<LatencyTable.LayerShape, double[]> rows = new LinkedHashMap<>();
        for (SizedLayer layer : PLAN.sizedLayers()) {
            double[] times = new double[(layer.kmax() + 1) / 2];
            Arrays.setAll(times, i -> 0.1 + 0.01 * Math.pow(2 * i + 1, 2));
            rows.put(LatencyTable.LayerShape.of(PLAN, layer), times);
        }
        List<LatencyTable.Row> list = new ArrayList<>();
        rows.forEach((shape, times) -> list.add(new LatencyTable.Row(shape, times)));
        return new LatencyTable(
                LatencyTable.setup(device.compute(), PLAN, LatencyTable.Pass.TRAINING, 16),
                0.25,
                list,
                List.of(new LatencyTable.Check(new int[] {3, 3, 3}, 0.9, 0.82)));
    }

    @Test
    void aTableReadIsTheTableWritten() {
        try (Device device = device()) {
            LatencyTable table = table(device);
            Path file = folder.resolve("table.json");
            table.write(file);
            LatencyTable read = LatencyTable.read(file);
            assertEquals(table.toJson(), read.toJson());
            Cost cost = read.cost(device.compute(), PLAN, "table.json");
            assertEquals(0.25 + 3 * (0.1 + 0.01 * 25), cost.uniform(5), 1e-12);
            assertEquals(Cost.Kind.LATENCY, cost.kind());
        }
    }

    @ParameterizedTest
    @CsvSource({
        "threads, 7, threads '7'",
        "device, '\"cpu, another\"', device 'cpu, another'",
        "precision, '\"BF16\"', precision 'BF16'",
        "network, '\"cnn6 on 3 x 3 x 1, 2 classes\"', network 'cnn6 on",
        "architecture, '\"0123456789abcdef\"', architecture '0123"
    })
    void aTableOfAnotherDeviceIsRefused(String field, String value, String part) throws IOException {
        try (Device device = device()) {
            Path file = folder.resolve("table.json");
            ObjectNode json = table(device).toJson();
            json.set(field, Json.parse("{\"v\": " + value + "}", "test").path("v"));
            Files.writeString(file, Json.pretty(json));
            LatencyTable other = LatencyTable.read(file);
            String message = assertThrows(InvalidInput.class, () -> other.cost(device.compute(), PLAN, "table.json"))
                    .getMessage();
            assertTrue(
                    message.startsWith("table.json: was measured with " + part)
                            && message.contains("expected a table measured here"),
                    message);
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "\"format\" : \"effconv-latency-2\"|\"format\" : \"x\"|format \"x\", expected",
                "\"threads\" : 1|\"threads\" : 0|threads: 0, expected",
                "\"pass\" : \"training\"|\"pass\" : \"both\"|pass 'both': expected training or inference",
                "\"restMilliseconds\" : 0.25|\"restMilliseconds\" : -1|restMilliseconds: -1, expected",
                "0.19|0.01|layers[0].milliseconds[1]: 0.01, expected",
                "\"stride\" : 1|\"strides\" : 1|layers[0].shape"
            })
    void aDamagedTableIsRefused(String from, String to, String part) throws IOException {
        try (Device device = device()) {
            Path file = folder.resolve("table.json");
            String text = Json.pretty(table(device).toJson());
            assertTrue(text.contains(from), text);
            Files.writeString(file, text.replace(from, to));
            String message = assertThrows(InvalidInput.class, () -> LatencyTable.read(file))
                    .getMessage();
            assertTrue(message.startsWith(file.toString()) && message.contains(part), message);
        }
    }

    @Test
    void aLayerWithoutTimesIsNamed() {
        try (Device device = device()) {
            LatencyTable whole = table(device);
            LatencyTable less = new LatencyTable(
                    whole.setup(), 0, whole.rows().subList(1, whole.rows().size()), List.of());
            String message = assertThrows(InvalidInput.class, () -> less.cost(device.compute(), PLAN, "t.json"))
                    .getMessage();
            assertTrue(
                    message.contains(
                            "no times of layer " + PLAN.sizedLayers().get(0).name()),
                    message);
        }
    }

    @ParameterizedTest
    @CsvSource({"macs, k5", "latency, k5", "latency, 0.9ms", "latency, 1.4x"})
    void searchesMeetBudgetsOfEveryKindAndTheirFilesSayIt(String cost, String budget) {
        Device device = device();
        Path file = folder.resolve("table.json");
        Path out = folder.resolve("run");
        try (device) {
            table(device).write(file);
            SearchResult found = KernelSizeSearch.of("planted3")
                    .budget(budget)
                    .set(Settings.COST, cost)
                    .set(Settings.LATENCY_TABLE, file.toString())
                    .epochs(1)
                    .batch(16)
                    .out(out)
                    .run(device, DATA);
            assertEquals(cost, found.costKind().key());
            assertTrue(
                    Cost.deviation(found.cost(), found.budget()) <= (cost.equals("latency") ? 0.04 : 0.05),
                    found.toString()); // a table is uncertain
            SizesFile sizes = SizesFile.read(out.resolve("sizes.json"), "planted3", found.layers());
            assertEquals(new SizesFile.Budget(cost, found.budget(), found.cost()), sizes.budget());
            ObjectNode identity =
                    (ObjectNode) Json.read(out.resolve("config.json")).path("identity");
            assertEquals(cost.equals("latency"), identity.has("latencyTable"));
        }
        assertEquals(0, device.liveBytes());
    }

    /** The table is the run's from its start on. */
    @Test
    void aTableIsReadOnceAndMayGo() throws IOException {
        try (Device device = device()) {
            Path file = folder.resolve("table.json");
            table(device).write(file);
            Path out = folder.resolve("run");
            Learning learning = Learning.of("planted3")
                    .budget("k5")
                    .set(Settings.COST, "latency")
                    .set(Settings.LATENCY_TABLE, file.toString())
                    .set(Settings.SEARCH_EPOCHS, 1)
                    .epochs(1)
                    .batch(16)
                    .out(out)
                    .listener(new TrainingListener() {
                        @Override
                        public void onStart(String phase, int epochs, int epochsDone, int batchesPerEpoch) {
                            file.toFile().delete();
                        }
                    });
            try (LearningResult first = learning.run(device, DATA);
                    LearningResult again = Learning.resume(out).run(device, DATA)) {
                assertArrayEquals(first.search().sizes(), again.search().sizes());
            }
            LatencyTable whole = table(device);
            new LatencyTable(whole.setup(), 2 * whole.rest(), whole.rows(), whole.checks()).write(file);
            Learning other = Learning.resume(out).set(Settings.LATENCY_TABLE, file.toString());
            String message = assertThrows(InvalidInput.class, () -> other.run(device, DATA))
                    .getMessage();
            assertTrue(message.contains("latencyTable.restMilliseconds is 0.25 there and 0.5 here"), message);
            whole.write(file);
            Learning.resume(out)
                    .set(Settings.LATENCY_TABLE, file.toString())
                    .run(device, DATA)
                    .close();
        }
    }

    @Test
    void aBudgetOfTimeNeedsATable() {
        try (Device device = device()) {
            String message = assertThrows(InvalidInput.class, () -> KernelSizeSearch.of("planted3")
                            .budget("4.2ms")
                            .run(device, DATA))
                    .getMessage();
            assertTrue(message.contains("expected --latency-table FILE"), message);
        }
    }

    @ParameterizedTest
    @CsvSource({"TRAINING", "INFERENCE"})
    void whatIsMeasuredCoversTheNetworkAndDoesNotFall(LatencyTable.Pass pass) {
        Device device = device();
        try (device) {
            LatencyTable table = LatencyTable.measure(device.compute(), PLAN, pass, 2, 1);
            Cost cost = table.cost(device.compute(), PLAN, "t.json"); // checks that no row falls
            assertTrue(cost.uniform(1) <= cost.uniform(5) && cost.uniform(1) > 0);
            assertTrue(table.checks().size() >= 8, table.checks().toString()); // uniform and mixed networks
            assertArrayEquals(new int[] {3, 3, 3}, table.checks().get(0).sizes());
            assertTrue(table.checks().stream()
                    .anyMatch(check -> Arrays.stream(check.sizes()).distinct().count() > 1));
            for (LatencyTable.Check check : table.checks()) {
                assertEquals(cost.at(check.sizes()), check.predicted(), 1e-9);
            }
            assertTrue(table.measureNetwork(device.compute(), PLAN, new int[] {1, 5, 3}) > 0);
        }
        assertEquals(0, device.liveBytes());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "3, 3|0.9|a check of sizes [3, 3], 0.9 ms; expected 3 sizes and a time above 0",
                "3, 3, 3|0|a check of sizes [3, 3, 3], 0.0 ms"
            })
    void aCheckOfAnotherNetworkIsRefused(String sizes, double measured, String part) {
        try (Device device = device()) {
            LatencyTable table = table(device);
            int[] checked =
                    Arrays.stream(sizes.split(", ")).mapToInt(Integer::parseInt).toArray();
            LatencyTable other = new LatencyTable(
                    table.setup(), table.rest(), table.rows(), List.of(new LatencyTable.Check(checked, measured, 1)));
            String message = assertThrows(InvalidInput.class, () -> other.cost(device.compute(), PLAN, "t.json"))
                    .getMessage();
            assertTrue(message.startsWith("t.json: " + part), message);
        }
    }

    @Test
    void anotherSpeedThanTheTablesIsTold() {
        LatencyTable.Check then = new LatencyTable.Check(new int[] {3, 5, 3}, 10, 9.5);
        assertEquals(Optional.empty(), LatencyTable.drift(then, 10.25));
        assertEquals(Optional.empty(), LatencyTable.drift(then, 9.75));
        assertTrue(LatencyTable.drift(then, 10.5).orElseThrow().startsWith("sizes [3, 5, 3] took 10.00 ms when")
                && LatencyTable.drift(then, 10.5).orElseThrow().contains("take 10.50 ms now: so much (+5 %)"));
        assertTrue(LatencyTable.drift(then, 9).orElseThrow().contains("(-10 %)"));
        try (Device device = device()) {
            assertEquals(1 - 0.82 / 0.9, table(device).largestError(), 1e-12);
        }
    }

    @Test
    void aSampleThatOthersDelayedDoesNotCount() {
        assertEquals(3, LatencyMeasurement.lowerQuartile(new double[] {90, 4, 3, 80, 2, 70, 5}));
        assertEquals(7, LatencyMeasurement.lowerQuartile(new double[] {7}));
    }

    @Test
    void theFitIsTheNearestThatDoesNotFall() {
        assertArrayEquals(
                new double[] {1, 2.5, 2.5, 4, 6, 6, 6}, Isotonic.fit(new double[] {1, 3, 2, 4, 7, 6, 5}), 1e-12);
        assertArrayEquals(new double[] {2, 2, 2}, Isotonic.fit(new double[] {3, 2, 1}), 1e-12);
    }
}

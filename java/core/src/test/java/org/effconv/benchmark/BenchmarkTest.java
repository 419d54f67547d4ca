package org.effconv.benchmark;

import static org.junit.jupiter.api.Assertions.*;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.effconv.backend.Backend;
import org.effconv.backend.OptimizerRule;
import org.effconv.backend.cpu.CpuBackend;
import org.effconv.benchmark.KernelCase.Family;
import org.effconv.benchmark.KernelCase.Layer;
import org.effconv.benchmark.KernelCase.Pass;
import org.effconv.io.Json;
import org.effconv.predict.SearchSettings;
import org.effconv.tensor.DataType;
import org.effconv.train.OptimizerSettings;
import org.effconv.train.Schedule;
import org.junit.jupiter.api.Test;

class BenchmarkTest {
    private static final Sampling QUICK = new Sampling(4, 0.2, false);

    /** The kernel library's own benchmark counts alike: its ctest compares it with the same file. */
    @Test
    void floorsAreThoseOfTheKernelLibrary() throws IOException {
        Path file = Path.of(System.getProperty("user.dir"), "..", "..", "tests", "bench", "floors.csv");
        List<String> expected = Files.readAllLines(file);
        BenchmarkReport report = new BenchmarkReport(Map.of("device", "none (floors only)"), Rates.assumed());
        Suites.CARD.forEach(s -> Suites.of(s).forEach(c -> report.add(new BenchmarkReport.Row(c, "", null))));
        List<String> got = report.csv().lines().toList();
        assertEquals(expected.size(), got.size());
        assertEquals(expected.get(1), got.get(1), "the columns");
        for (int i = 2; i < got.size(); i++) {
            String[] want = expected.get(i).split(",");
            String[] have = got.get(i).split(",");
            for (int column = 0; column < want.length; column++) {
                if (column < 5) {
                    assertEquals(want[column], have[column], expected.get(i));
                } else {
                    double number = Double.parseDouble(want[column]);
                    assertEquals(
                            number,
                            Double.parseDouble(have[column]),
                            2e-5 * number,
                            expected.get(i) + " column " + column);
                }
            }
        }
    }

    private static List<KernelCase> smallCases(DataType type) {
        List<KernelCase> cases = new ArrayList<>();
        for (Pass pass : new Pass[] {Pass.FORWARD, Pass.DATA_GRADIENT, Pass.WEIGHT_GRADIENT}) {
            for (int groups : new int[] {1, 6}) {
                Family family = groups == 1 ? Family.DENSE : Family.DEPTHWISE;
                cases.add(new KernelCase(
                        "test", "small", family, pass, type, new KernelCase.Shape(3, 6, 7, 5, groups), List.of()));
            }
        }
        for (Pass pass : new Pass[] {Pass.FORWARD, Pass.BACKWARD}) {
            cases.add(new KernelCase(
                    "test",
                    "small",
                    Family.SYNTHESIS,
                    pass,
                    type,
                    null,
                    List.of(new Layer(3, 4, 3, 8), new Layer(4, 6, 7, 8))));
        }
        return cases;
    }

    @Test
    void everyKindOfCasePassesTheGateAndGivesItsMemoryBack() {
        try (CpuBackend cpu = CpuBackend.open(1)) {
            for (KernelCase c : smallCases(DataType.F32)) {
                Measurement m = new KernelBenchmark(QUICK)
                        .measure(c, List.of(new Target("cpu", cpu)))
                        .get(0);
                assertTrue(m.passes(), c + " " + m);
                assertTrue(
                        m.p10() <= m.median() && m.median() <= m.p90() && m.p10() > 0 && m.repeats() >= Sampling.LEAST,
                        m.toString());
            }
            cpu.close();
            assertEquals(0, cpu.liveBytes());
        }
    }

    /** A backend that computes nothing: outputs stay poisoned, and the gate says so. */
    @Test
    void theGateCatchesAKernelThatWritesNothing() {
        try (CpuBackend cpu = CpuBackend.open(1)) {
            Backend idle = (Backend) java.lang.reflect.Proxy.newProxyInstance(
                    getClass().getClassLoader(), new Class<?>[] {Backend.class}, (proxy, method, arguments) -> {
                        if (method.getName().equals("seconds")) {
                            ((Runnable) arguments[0]).run();
                            return 1e-6;
                        }
                        boolean kernel = method.getName().startsWith("convolution")
                                || method.getName().startsWith("synthesis");
                        return kernel ? null : method.invoke(cpu, arguments);
                    });
            BenchmarkReport report = new BenchmarkReport(Map.of(), new Rates(1e12, 1e12, 1e12, true));
            for (KernelCase c : smallCases(DataType.F32)) {
                List<Measurement> pair = new KernelBenchmark(QUICK)
                        .measure(c, List.of(new Target("cpu", cpu), new Target("idle", idle)));
                assertTrue(pair.get(0).passes() && !pair.get(1).passes(), c.toString());
                report.add(new BenchmarkReport.Row(c, "cpu", pair.get(0)));
                assertTrue(report.passes() || report.rows().size() > 1);
                report.add(new BenchmarkReport.Row(c, "idle", pair.get(1)));
                assertFalse(report.passes());
            }
            assertTrue(report.table().contains("ERROR GATE"));
            ObjectNode json = Json.parse(report.json(), "report");
            assertTrue(json.path("cases").path(1).path("error").isNull(), "JSON knows no NaN");
            assertEquals("idle", json.path("cases").path(1).path("by").asText());
            assertEquals(report.rows().size() + 2, report.csv().lines().count());
        }
    }

    @Test
    void stepsOfANetworkAndOfASearchAreTimed() {
        try (CpuBackend cpu = CpuBackend.open(1)) {
            BenchmarkReport report = new BenchmarkReport(Map.of(), null);
            for (boolean search : new boolean[] {false, true}) {
                StepCase c = new StepCase("lenet", 3, search, 4, DataType.F32);
                c.check();
                StepBenchmark.Result r = new StepBenchmark(QUICK)
                        .measure(c, List.of(new Target("cpu", cpu)))
                        .get(0);
                assertTrue(r.passes() && r.liveBytes() > 0 && r.measurement().median() > 0, r.toString());
                report.add(new BenchmarkReport.StepRow(c, "cpu", r));
            }
            assertTrue(report.table().contains("lenet k3 search N4"), report.table());
            assertEquals(2, Json.parse(report.json(), "report").path("steps").size());
        }
    }

    @Test
    void allPartsOfASearchAreTimedAgainstAPlainStep() {
        try (CpuBackend cpu = CpuBackend.open(1)) {
            SearchStepBenchmark benchmark = new SearchStepBenchmark(
                    10, 1, new OptimizerSettings(OptimizerRule.adamW(), 1e-3, 0, Schedule.constant(0)));
            StepCase c = new StepCase("lenet", 3, true, 4, DataType.F32);
            SearchStepBenchmark.Result r = benchmark.measure(cpu, c, SearchSettings.standard());
            assertEquals(0.4 * r.first() + 0.4 * r.between() + 0.2 * r.last(), r.whole(), 1e-9);
            assertTrue(r.plainSeconds() > 0 && r.first() > 0 && r.multiplyAdds() > 0.5, r.toString());
            SearchSettings still = SearchSettings.standard()
                    .change()
                    .spread(0)
                    .frozen(0.9)
                    .closing(0)
                    .build();
            SearchStepBenchmark.Result same = benchmark.measure(cpu, c, still);
            assertTrue(Double.isNaN(same.last()), "no such part");
            assertTrue(
                    same.multiplyAdds() >= 1 && same.multiplyAdds() < 1.5,
                    "one step of ten has spare rings: " + same.multiplyAdds());
            assertEquals(
                    Math.sqrt(r.whole() * same.whole()), SearchStepBenchmark.geometricMean(List.of(r, same)), 1e-9);
        }
    }

    @Test
    void theRooflineIsMeasuredOnProductsThatAreRight() {
        try (CpuBackend cpu = CpuBackend.open(1)) {
            Rates rates = Roofline.measure(cpu, 1 << 16, 64, false);
            assertTrue(
                    rates.measured() && rates.bytes() > 0 && rates.fp32Flops() > 0 && Double.isNaN(rates.tensorFlops()),
                    rates.toString());
            Backend wrong = (Backend) java.lang.reflect.Proxy.newProxyInstance(
                    getClass().getClassLoader(),
                    new Class<?>[] {Backend.class},
                    (proxy, method, arguments) ->
                            method.getName().equals("seconds") ? 1e-6 : method.invoke(cpu, arguments));
            assertThrows(IllegalStateException.class, () -> Roofline.measure(wrong, 1 << 16, 64, false));
        }
    }

    @Test
    void quantilesLieBetweenNeighbours() {
        double[] sorted = {1, 2, 3, 4, 10};
        assertEquals(3, Measurement.quantile(sorted, 0.5));
        assertEquals(1.4, Measurement.quantile(sorted, 0.1), 1e-12);
        assertEquals(10, Measurement.quantile(sorted, 1));
        assertEquals(7, Measurement.quantile(new double[] {7}, 0.9));
    }
}

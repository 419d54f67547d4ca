package org.effconv.benchmark;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.StringJoiner;
import org.effconv.io.Json;

/**
 * Rows of the benchmark and how they are written: table, CSV, JSON. Times in microseconds, those of steps in
 * milliseconds.
 */
public final class BenchmarkReport {
    private static final String PLACES = "%.6g";

    private final Map<String, String> facts;
    private final Rates rates;
    private final List<Row> rows = new ArrayList<>();
    private final List<StepRow> steps = new ArrayList<>();

    /** @param measurement null: floors alone */
    public record Row(KernelCase test, String target, Measurement measurement) {}

    /** A training step's. */
    public record StepRow(StepCase test, String target, StepBenchmark.Result result) {}

    /**
     * @param facts what a result must say about where it comes from: machine, versions, date
     * @param rates the roofline; null where only steps are measured
     */
    public BenchmarkReport(Map<String, String> facts, Rates rates) {
        this.facts = new LinkedHashMap<>(facts);
        this.rates = rates;
    }

    public void add(Row row) {
        rows.add(row);
    }

    public void add(StepRow row) {
        steps.add(row);
    }

    public List<Row> rows() {
        return List.copyOf(rows);
    }

    public Rates rates() {
        return rates;
    }

    /** Whether every measured case passed the error gate. */
    public boolean passes() {
        return rows.stream().allMatch(r -> r.measurement == null || r.measurement.passes())
                && steps.stream().allMatch(s -> s.result.passes());
    }

    /** The columns of numbers, the same in CSV and JSON, by name. */
    private Map<String, Double> numbers(Row row) {
        Work work = row.test.work();
        Floor floor = row.test.floor(rates);
        Map<String, Double> n = new LinkedHashMap<>();
        n.put("gflop", work.flops() * 1e-9);
        n.put("gflop_valid_taps", work.validFlops() * 1e-9);
        n.put("megabytes", work.bytes() * 1e-6);
        n.put("memory_us", floor.memory() * 1e6);
        n.put("math_us", floor.math() * 1e6);
        n.put("ffma_us", floor.ffma() * 1e6);
        n.put("floor_us", floor.seconds() * 1e6);
        Measurement m = row.measurement;
        if (m != null) {
            n.put("median_us", m.median() * 1e6);
            n.put("p10_us", m.p10() * 1e6);
            n.put("p90_us", m.p90() * 1e6);
            n.put("tflops", work.flops() / m.median() * 1e-12);
            n.put("tflops_valid_taps", work.validFlops() / m.median() * 1e-12);
            n.put("gb_per_s", work.bytes() / m.median() * 1e-9);
            n.put("percent_of_roofline", 100 * floor.seconds() / m.median());
            n.put("error", m.error());
            n.put("error_limit", m.errorLimit());
            n.put("workspace_bytes", (double) m.workspaceBytes());
            n.put("first_call_us", m.firstCall() * 1e6);
            n.put("repeats", (double) m.repeats());
            n.put("ok", m.passes() ? 1.0 : 0.0);
        }
        return n;
    }

    private Map<String, Double> numbers(StepRow row) {
        Measurement m = row.result.measurement();
        Map<String, Double> n = new LinkedHashMap<>();
        n.put("median_ms", m.median() * 1e3);
        n.put("p10_ms", m.p10() * 1e3);
        n.put("p90_ms", m.p90() * 1e3);
        n.put("images_per_s", row.test.batch() / m.median());
        n.put("first_step_ms", m.firstCall() * 1e3);
        n.put("repeats", (double) m.repeats());
        n.put("live_megabytes", row.result.liveBytes() * 1e-6);
        n.put("loss", row.result.loss());
        return n;
    }

    private String ratesText() {
        String tensor = Double.isNaN(rates.tensorFlops())
                ? "not computed"
                : format("%.4g TFLOP/s", rates.tensorFlops() * 1e-12);
        return format(
                "rates (%s): bf16 %s, fp32 %.4g TFLOP/s, memory %.4g TB/s",
                rates.measured() ? "measured: matmul, copy" : "assumed",
                tensor,
                rates.fp32Flops() * 1e-12,
                rates.bytes() * 1e-12);
    }

    private static String format(String form, Object... values) {
        return String.format(Locale.ROOT, form, values);
    }

    /** For people: facts, rates, then one line a row. */
    public String table() {
        StringBuilder s = new StringBuilder();
        facts.forEach((name, value) -> s.append(name).append(": ").append(value).append('\n'));
        if (!rows.isEmpty()) {
            s.append(ratesText()).append('\n');
            kernelTable(s);
        }
        if (!steps.isEmpty()) {
            stepTable(s);
        }
        return s.toString();
    }

    private void kernelTable(StringBuilder s) {
        boolean measured = rows.get(0).measurement != null;
        s.append(format("%-10s %-34s %-15s %-4s", "suite", "case", "pass", "type"));
        s.append(format(measured ? " %-6s" : "", "by"));
        s.append(format(" %9s %9s %9s %10s %-8s", "GFLOP", "valid", "MB", "floor us", "bound"));
        s.append(
                measured
                        ? format(
                                " %10s %10s %10s %8s %8s %8s %6s %8s %9s %10s%n",
                                "median us",
                                "p10",
                                "p90",
                                "TFLOP/s",
                                "valid",
                                "GB/s",
                                "% roof",
                                "error",
                                "work MB",
                                "first us")
                        : "\n");
        for (Row row : rows) {
            Map<String, Double> n = numbers(row);
            KernelCase c = row.test;
            s.append(format("%-10s %-34s %-15s %-4s", c.suite(), c.name(), c.pass(), c.typeName()));
            s.append(format(measured ? " %-6s" : "", row.target));
            s.append(format(
                    " %9.3f %9.3f %9.2f %10.2f %-8s",
                    n.get("gflop"),
                    n.get("gflop_valid_taps"),
                    n.get("megabytes"),
                    n.get("floor_us"),
                    c.floor(rates).bound()));
            s.append(
                    measured
                            ? format(
                                    " %10.2f %10.2f %10.2f %8.3f %8.3f %8.2f %6.1f %8.1e %9.2f %10.1f%s%n",
                                    n.get("median_us"),
                                    n.get("p10_us"),
                                    n.get("p90_us"),
                                    n.get("tflops"),
                                    n.get("tflops_valid_taps"),
                                    n.get("gb_per_s"),
                                    n.get("percent_of_roofline"),
                                    n.get("error"),
                                    n.get("workspace_bytes") * 1e-6,
                                    n.get("first_call_us"),
                                    row.measurement.passes() ? "" : "  ERROR GATE")
                            : "\n");
        }
    }

    private void stepTable(StringBuilder s) {
        s.append(format(
                "%-34s %-4s %-6s %10s %10s %10s %10s %10s %9s %8s%n",
                "training step", "type", "by", "median ms", "p10", "p90", "images/s", "first ms", "live MB", "loss"));
        for (StepRow row : steps) {
            Map<String, Double> n = numbers(row);
            s.append(format(
                    "%-34s %-4s %-6s %10.3f %10.3f %10.3f %10.0f %10.1f %9.1f %8.4f%s%n",
                    row.test.name(),
                    row.test.typeName(),
                    row.target,
                    n.get("median_ms"),
                    n.get("p10_ms"),
                    n.get("p90_ms"),
                    n.get("images_per_s"),
                    n.get("first_step_ms"),
                    n.get("live_megabytes"),
                    n.get("loss"),
                    row.result.passes() ? "" : "  NOT FINITE"));
        }
    }

    /** Kernels only; a line of facts before the heading. */
    public String csv() {
        StringJoiner lines = new StringJoiner("\n", "", "\n");
        StringJoiner first = new StringJoiner("; ", "# ", rates == null ? "" : "; " + ratesText());
        facts.forEach((name, value) -> first.add(name + ": " + value));
        lines.add(first.toString());
        boolean measured = !rows.isEmpty() && rows.get(0).measurement != null;
        lines.add("suite,case,pass,type,bound" + (measured ? ",by" : "")
                + (rows.isEmpty()
                        ? ""
                        : "," + String.join(",", numbers(rows.get(0)).keySet())));
        for (Row row : rows) {
            KernelCase c = row.test;
            StringJoiner line = new StringJoiner(",");
            line.add(c.suite())
                    .add(c.name())
                    .add(c.pass().toString())
                    .add(c.typeName())
                    .add(c.floor(rates).bound());
            if (measured) {
                line.add(row.target);
            }
            numbers(row).values().forEach(v -> line.add(format(PLACES, v)));
            lines.add(line.toString());
        }
        return lines.toString();
    }

    /** Everything; numbers that are not finite become null. */
    public String json() {
        ObjectNode json = Json.object();
        facts.forEach(json::put);
        if (rates != null) {
            json.put("ratesMeasured", rates.measured());
            put(
                    json,
                    Map.of(
                            "bf16FlopsPerSecond",
                            rates.tensorFlops(),
                            "fp32FlopsPerSecond",
                            rates.fp32Flops(),
                            "bytesPerSecond",
                            rates.bytes()));
        }
        ArrayNode cases = json.putArray("cases");
        for (Row row : rows) {
            KernelCase c = row.test;
            ObjectNode o = cases.addObject()
                    .put("suite", c.suite())
                    .put("case", c.name())
                    .put("pass", c.pass().toString())
                    .put("type", c.typeName())
                    .put("bound", c.floor(rates).bound());
            if (row.measurement != null) {
                o.put("by", row.target);
            }
            put(o, numbers(row));
        }
        ArrayNode stepCases = json.putArray("steps");
        for (StepRow row : steps) {
            put(
                    stepCases
                            .addObject()
                            .put("case", row.test.name())
                            .put("type", row.test.typeName())
                            .put("by", row.target),
                    numbers(row));
        }
        return Json.pretty(json);
    }

    private static void put(ObjectNode to, Map<String, Double> numbers) {
        numbers.forEach((name, value) -> {
            if (Double.isFinite(value)) {
                to.put(name, value);
            } else {
                to.putNull(name);
            }
        });
    }
}

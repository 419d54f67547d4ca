package org.effconv.bench;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** The measured rows, as a markdown table and as JSON beside it. */
final class Results {
    /**
     * @param side what B was: the layout in which PyTorch was quicker, or "search"
     * @param timing A is our plain step
     */
    record Row(Configuration configuration, String side, PairedTiming timing) {}

    private final String title;
    private final Map<String, String> facts = new LinkedHashMap<>();
    private final List<Row> rows = new ArrayList<>();

    Results(String title) {
        this.title = title;
    }

    /** A line above the table: command, machine, date, commit. */
    Results fact(String name, String value) {
        facts.put(name, value);
        return this;
    }

    void add(Row row) {
        rows.add(row);
    }

    double geometricMean() {
        return Math.exp(rows.stream()
                .mapToDouble(r -> Math.log(r.timing.ratio()))
                .average()
                .orElse(Double.NaN));
    }

    String markdown() {
        StringBuilder s = new StringBuilder("# " + title + "\n\n");
        facts.forEach((name, value) ->
                s.append("- ").append(name).append(": ").append(value).append('\n'));
        s.append("- geometric mean of the ratios: ")
                .append(String.format(Locale.ROOT, "%.2f", geometricMean()))
                .append("\n\n");
        s.append(
                "| network | k | precision | threads | ours, ms | other, ms | other | other / ours | range over the pairs |\n");
        s.append("|---|---|---|---|---|---|---|---|---|\n");
        for (Row r : rows) {
            Configuration c = r.configuration;
            PairedTiming t = r.timing;
            s.append(String.format(
                    Locale.ROOT,
                    "| %s | %d | %s | %d | %.2f | %.2f | %s | %.2f | %.2f .. %.2f |%n",
                    c.architecture(),
                    c.kernel(),
                    c.precision().name().toLowerCase(Locale.ROOT),
                    c.threads(),
                    t.secondsA() * 1e3,
                    t.secondsB() * 1e3,
                    r.side,
                    t.ratio(),
                    t.low(),
                    t.high()));
        }
        return s.toString();
    }

    /** Writes {@code path}.md and {@code path}.json. */
    void write(Path path) throws IOException {
        Files.createDirectories(path.toAbsolutePath().getParent());
        Files.writeString(path.resolveSibling(path.getFileName() + ".md"), markdown());
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("title", title);
        json.put("facts", facts);
        json.put("geometricMean", geometricMean());
        json.put("rows", rows);
        Files.writeString(
                path.resolveSibling(path.getFileName() + ".json"),
                new ObjectMapper().writerWithDefaultPrettyPrinter().writeValueAsString(json) + "\n");
    }
}

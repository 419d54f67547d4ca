package org.effconv.nn;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.effconv.nn.layer.LayerTypes;
import org.junit.jupiter.api.Test;

/**
 * The tables of docs/reference/architectures.md tell of every layer type and of every built-in architecture, and of no
 * other.
 */
class ArchitecturesPageTest {
    private static final NetworkPlan.Input CIFAR = new NetworkPlan.Input(32, 32, 3, 10);
    private static final Pattern NAME = Pattern.compile("`([A-Za-z0-9]+)`");

    /** Rows of the table whose header begins with {@code header}. */
    private static List<String> rows(String header) throws IOException {
        List<String> lines = Files.readAllLines(Path.of("../../docs/reference/architectures.md"));
        List<String> rows = lines.stream()
                .dropWhile(line -> !line.startsWith("| " + header + " |"))
                .skip(2)
                .takeWhile(line -> line.startsWith("|"))
                .toList();
        assertFalse(rows.isEmpty(), "no table of " + header);
        return rows;
    }

    @Test
    void everyLayerTypeHasItsRow() throws IOException {
        List<String> documented = new ArrayList<>();
        for (String row : rows("type")) {
            String types = row.split("\\|")[1];
            documented.addAll(NAME.matcher(types)
                    .results()
                    .map((MatchResult m) -> m.group(1))
                    .toList());
        }
        assertEquals(new TreeSet<>(LayerTypes.names()), new TreeSet<>(documented));
        assertEquals(LayerTypes.names().size(), documented.size());
    }

    @Test
    void everyBuiltInHasItsRow() throws IOException {
        List<String> expected =
                Architecture.builtIns().stream().map(ArchitecturesPageTest::row).toList();
        List<String> found = rows("name");
        List<String> missing =
                expected.stream().filter(row -> !found.contains(row)).toList();
        List<String> others =
                found.stream().filter(row -> !expected.contains(row)).toList();
        assertEquals(
                List.of(),
                missing,
                () -> "docs/reference/architectures.md lacks these rows:\n" + String.join("\n", missing)
                        + "\nand has:\n" + String.join("\n", others));
        assertEquals(List.of(), others, "docs/reference/architectures.md has rows of no architecture");
    }

    private static String row(String name) {
        Architecture architecture = Architecture.named(name);
        NetworkPlan plan = architecture.plan(CIFAR);
        int[] sizes = Arrays.stream(plan.defaultSizes()).distinct().toArray();
        String standard = sizes.length == 1 && sizes[0] == 3 ? "" : " (" + sizes[0] + " by default)";
        return String.format(
                Locale.ROOT,
                "| `%s`%s | %d | %,d | %,d | %,d | %,d | %s |",
                name,
                standard,
                plan.sizedLayers().size(),
                plan.leastParameters(),
                plan.parameters(plan.uniformSizes(3)),
                plan.parameters(plan.uniformSizes(5)),
                plan.mostParameters(),
                architecture.description());
    }
}

package org.effconv.sweep;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * What learned sizes are worth over all groups of a comparison that were given alike the same: a line for each, a
 * column for each baseline, and all pairs together.
 */
final class ComparisonOverview {
    private final List<Comparison.Group> groups;
    private final List<Method> baselines;

    private ComparisonOverview(List<Comparison.Group> groups) {
        this.groups = groups;
        baselines = Method.all().stream()
                .filter(m -> m != Method.LEARNED)
                .filter(m -> groups.stream().anyMatch(g -> entries(g, m)
                        .anyMatch(e -> !e.advantage().isEmpty())))
                .toList();
    }

    /**
     * A table at equal epochs, and one at equal work. Each is empty where there is nothing to sum up: fewer than two
     * groups that have learned sizes and something to hold them against.
     */
    static String markdown(Comparison comparison) {
        StringBuilder s = new StringBuilder();
        for (Match match : Match.values()) {
            List<Comparison.Group> groups = comparison.groups().stream()
                    .filter(g -> g.task().match() == match)
                    .filter(g ->
                            g.entries().stream().anyMatch(e -> !e.advantage().isEmpty()))
                    .toList();
            s.append(groups.size() < 2 ? "" : new ComparisonOverview(groups).markdown());
        }
        return s.toString();
    }

    private String markdown() {
        StringBuilder s = new StringBuilder("## Learned sizes against each baseline, "
                + groups.get(0).task().match().title() + "\n\n");
        s.append(Stream.concat(
                        Stream.of("network, data, images, budget", "learned, %"),
                        baselines.stream().map(m -> "- " + m))
                .collect(Collectors.joining(" | ", "| ", " |\n")));
        s.append("|---|---|").append("---|".repeat(baselines.size())).append('\n');
        for (Comparison.Group g : groups) {
            s.append(line(
                    name(g),
                    ComparisonTable.percent(
                            entries(g, Method.LEARNED).findFirst().orElseThrow().accuracy()),
                    baselines.stream()
                            .map(m -> entries(g, m)
                                    .filter(e -> !e.advantage().isEmpty())
                                    .map(e -> (m == Method.UNIFORM
                                                            && entries(g, m).count() > 1
                                                    ? e.name()
                                                                    .replace(m.text(), "")
                                                                    .strip() + ": "
                                                    : "")
                                            + points(e.advantageSummary()))
                                    .collect(Collectors.joining(", ")))
                            .toList()));
        }
        s.append(line("all pairs", "", baselines.stream().map(this::all).toList()));
        return s.append(
                        """

                Points of test accuracy, learned - these: mean and, behind +-, sample standard deviation over the seeds, and how many of the pairs (of a group and a seed) learned sizes
                win, draw and lose. A draw is most often one network with the same sizes. Of two uniform sizes beside a budget the better one of a seed counts in the last line. Empty: not run.

                """)
                .toString();
    }

    private static String name(Comparison.Group g) {
        return g.task().architecture() + ", " + g.task().data() + ", "
                + String.format(Locale.ROOT, "%,d", g.task().images()) + ", " + g.budget();
    }

    private static String line(String name, String learned, List<String> cells) {
        return Stream.concat(Stream.of(name, learned), cells.stream()).collect(Collectors.joining(" | ", "| ", " |\n"));
    }

    private static Stream<Comparison.Entry> entries(Comparison.Group g, Method method) {
        return g.entries().stream().filter(e -> e.method() == method);
    }

    // Of several entries of a method in a group the one that does best in a seed: the harder opponent.
    private String all(Method method) {
        List<Double> pairs = new ArrayList<>();
        for (Comparison.Group g : groups) {
            SortedMap<Long, Double> least = new TreeMap<>();
            entries(g, method).forEach(e -> e.advantage().forEach((seed, a) -> least.merge(seed, a, Math::min)));
            pairs.addAll(least.values());
        }
        long won = pairs.stream().filter(a -> a > 0).count();
        long lost = pairs.stream().filter(a -> a < 0).count();
        return points(Summary.of(pairs)) + ": " + won + " won, " + (pairs.size() - won - lost) + " drawn, " + lost
                + " lost";
    }

    private static String points(Summary s) {
        return ComparisonTable.points(s) + (s.n() > 1 ? " (" + s.n() + ")" : "");
    }
}

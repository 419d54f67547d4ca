package org.effconv.sweep;

import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** A comparison as Markdown, for people, and as CSV, for programs. */
public final class ComparisonTable {
    private static final String MARKDOWN_HEAD =
            "| sizes | networks | seeds | parameters | off budget | multiply-adds | test accuracy % | range | "
                    + "learned - these, points | per seed | range | work | search s | training s | step ms |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n";
    private static final List<String> CSV_HEAD = List.of(
            "arch",
            "data",
            "trainImages",
            "budget",
            "budgetCost",
            "budgetTarget",
            "sizes",
            "networks",
            "seeds",
            "parametersMean",
            "parametersMin",
            "parametersMax",
            "largestBudgetDeviation",
            "testAccuracyMean",
            "testAccuracyDeviation",
            "testAccuracyMin",
            "testAccuracyMax",
            "validationAccuracyMean",
            "bestEpochTestAccuracyChosenOnTestMean",
            "learnedMinusTheseMean",
            "learnedMinusTheseDeviation",
            "learnedMinusTheseMin",
            "learnedMinusTheseMax",
            "pairs",
            "searchSecondsMean",
            "trainingSecondsMean",
            "searchStepMillisMean",
            "stepMillisMean",
            "multiplyAddsMean",
            "match",
            "epochsMean",
            "workUniformEpochsMean",
            "workMultiplyAddsMean",
            "searchMultiplyAddsMean",
            "processorSecondsMean",
            "searchProcessorSecondsMean");

    private ComparisonTable() {}

    /** Tables with one line per method, and what their numbers mean. */
    public static String markdown(Comparison comparison) {
        StringBuilder s = new StringBuilder(ComparisonOverview.markdown(comparison));
        comparison.groups().forEach(group -> groupText(s, group));
        meaningText(s, comparison);
        bestEpochsText(s, comparison);
        return s.append('\n')
                .append(comparison.notes().stream().map(n -> "- " + n + "\n").collect(Collectors.joining()))
                .toString();
    }

    private static void groupText(StringBuilder s, Comparison.Group group) {
        s.append(String.format(
                Locale.ROOT,
                "## %s, %s, %,d training images, budget %s (%s), %s%n%n",
                group.task().architecture(),
                group.task().data(),
                group.task().images(),
                group.budget(),
                group.cost().format(group.target()),
                group.task().match().title()));
        s.append(MARKDOWN_HEAD);
        group.entries().forEach(e -> s.append(line(e)));
        s.append("\nKernel sizes");
        if (group.entries().stream().anyMatch(e -> e.method() == Method.FLEXCONV)) {
            s.append(" (of flexconv: the odd square that the mask leaves)");
        }
        s.append(":\n\n");
        group.entries().forEach(e -> s.append("- ")
                .append(e.name())
                .append(": ")
                .append(String.join("; ", e.sizes()))
                .append('\n'));
        if (!Double.isNaN(group.imageError())) {
            s.append(format(
                    "%n%,d test images: by their choice alone one network's accuracy is uncertain by %.2f points (standard error), whatever the number of seeds.%n",
                    group.testImages(), 100 * group.imageError()));
        }
        s.append('\n');
    }

    private static void meaningText(StringBuilder s, Comparison comparison) {
        s.append(
                """
                Test accuracy after the last epoch. Mean over the seeds and, behind +-, their sample standard
                deviation (n - 1); a method with several networks per seed counts with their mean. Ranges: of accuracy over all networks, of
                differences over the seeds. Differences are paired by seed: the same seed, images, order and settings. A search that
                serves several networks is counted at each. Work: of search and training, mean over the networks, in epochs of training the mix
                nearest to uniform at that budget (multiply-adds, forward and backward); "-": rows do not say.
                """);
        comparison.tasks().stream()
                .map(task -> task.match())
                .distinct()
                .sorted()
                .forEach(match -> s.append(
                        switch (match) {
                            case EPOCHS -> "At equal epochs: all networks are trained for the same epochs; what a search took comes on top.\n";
                            case WORK -> """
                    At equal work: networks whose sizes are known before they are trained get the least epochs that take as much work as the learned one of their
                    seed took in all, search included; the others (those with a search, and flexconv) are trained for the same epochs.
                    """;
                        }));
    }

    private static void bestEpochsText(StringBuilder s, Comparison comparison) {
        if (comparison.groups().stream().flatMap(g -> g.entries().stream()).anyMatch(e -> e.bestEpoch() != null)) {
            s.append(
                    "\nBest-epoch test accuracy, **chosen by the test part**, so too good, for comparison with figures that were chosen so only:\n\n");
            comparison.groups().forEach(g -> g.entries().stream()
                    .filter(e -> e.bestEpoch() != null)
                    .forEach(e -> s.append("- ")
                            .append(g.task().architecture())
                            .append(", ")
                            .append(g.task().data())
                            .append(", ")
                            .append(g.budget())
                            .append(", ")
                            .append(e.name())
                            .append(": ")
                            .append(percent(e.bestEpoch()))
                            .append('\n')));
        }
    }

    private static String line(Comparison.Entry e) {
        Summary difference = e.advantageSummary();
        return Stream.of(
                        e.name(),
                        e.networks(),
                        e.accuracies().size(),
                        range("%,.0f", e.parameters().min(), e.parameters().max()),
                        format("%.2f %%", 100 * e.deviation()),
                        Double.isNaN(e.multiplyAdds()) ? "" : format("%.1f M", e.multiplyAdds() / 1e6),
                        percent(e.accuracy()),
                        range(
                                "%.2f",
                                100 * e.networkAccuracy().min(),
                                100 * e.networkAccuracy().max()),
                        difference == null ? "" : points(difference),
                        String.join(" ", Comparison.seeds(e.advantage(), v -> format("%+.2f", 100 * v))),
                        difference == null ? "" : range("%+.2f", 100 * difference.min(), 100 * difference.max()),
                        Double.isNaN(e.spent().uniformEpochs())
                                ? "-"
                                : format("%.2f", e.spent().uniformEpochs()),
                        e.searchSeconds() == 0 ? "" : format("%.1f", e.searchSeconds()),
                        format("%.1f", e.trainingSeconds()),
                        Double.isNaN(e.searchStepMillis())
                                ? format("%.1f", e.stepMillis())
                                : format("%.1f (search %.1f)", e.stepMillis(), e.searchStepMillis()))
                .map(Object::toString)
                .collect(Collectors.joining(" | ", "| ", " |\n"));
    }

    static String percent(Summary s) {
        return format("%.2f", 100 * s.mean()) + spread(s);
    }

    static String points(Summary s) {
        return format("%+.2f", 100 * s.mean()) + spread(s);
    }

    private static String spread(Summary s) {
        return Double.isNaN(s.deviation()) ? " (one seed)" : format(" +- %.2f", 100 * s.deviation());
    }

    private static String range(String form, double min, double max) {
        String low = format(form, min);
        String high = format(form, max);
        return low.equals(high) ? low : low + " to " + high;
    }

    private static String format(String form, Object... values) {
        return String.format(Locale.ROOT, form, values);
    }

    /** One line per method and group; fields that were not measured are empty. Accuracies are shares, 0..1. */
    public static String csv(Comparison comparison) {
        StringBuilder s = new StringBuilder(String.join(",", CSV_HEAD)).append('\n');
        for (Comparison.Group g : comparison.groups()) {
            for (Comparison.Entry e : g.entries()) {
                Summary d = e.advantageSummary();
                Stream<Object> fields = Stream.of(
                        g.task().architecture(),
                        g.task().data(),
                        g.task().images(),
                        g.budget(),
                        g.cost().key(),
                        g.target(),
                        e.name(),
                        e.networks(),
                        e.accuracies().size(),
                        e.parameters().mean(),
                        e.parameters().min(),
                        e.parameters().max(),
                        e.deviation(),
                        e.accuracy().mean(),
                        e.accuracy().deviation(),
                        e.networkAccuracy().min(),
                        e.networkAccuracy().max(),
                        e.validation() == null ? "" : e.validation().mean(),
                        e.bestEpoch() == null ? "" : e.bestEpoch().mean(),
                        d == null ? "" : d.mean(),
                        d == null ? "" : d.deviation(),
                        d == null ? "" : d.min(),
                        d == null ? "" : d.max(),
                        d == null ? 0 : d.n(),
                        e.searchSeconds(),
                        e.trainingSeconds(),
                        e.searchStepMillis(),
                        e.stepMillis(),
                        e.multiplyAdds(),
                        g.task().match().text(),
                        e.epochs(),
                        e.spent().uniformEpochs(),
                        e.spent().multiplyAdds(),
                        e.spent().searchMultiplyAdds(),
                        e.spent().processorSeconds(),
                        e.spent().searchProcessorSeconds());
                s.append(fields.map(ComparisonTable::field).collect(Collectors.joining(",")))
                        .append('\n');
            }
        }
        return s.toString();
    }

    private static String field(Object value) {
        if (value instanceof Double d && d.isNaN()) {
            return "";
        }
        String text = value.toString();
        return text.matches("[^\",\\n]*") ? text : "\"" + text.replace("\"", "\"\"") + "\"";
    }
}

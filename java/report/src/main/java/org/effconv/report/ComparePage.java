package org.effconv.report;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.function.ToDoubleFunction;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.sweep.Comparison;

/** All that a comparison's page shows. */
record ComparePage(List<Section> sections, List<String> notes) {

    /**
     * Networks that may be compared.
     *
     * @param error what the bars of the charts are
     * @param layers names of the sized layers, or their numbers; empty where networks have other ones each
     */
    record Section(
            String title,
            List<Row> rows,
            String error,
            Optional<Chart> byWork,
            Optional<Chart> byCost,
            List<String> layers,
            List<Sizes> sizes) {}

    /** What is not known is NaN. */
    record Row(
            String name,
            int networks,
            double accuracy,
            double error,
            double multiplyAdds,
            double parameters,
            double epochs) {
        String accuracyText() {
            return Text.percent(accuracy);
        }

        String errorText() {
            return Double.isNaN(error) ? "–" : Text.format("%.2f", 100 * error);
        }

        String costText() {
            return count(multiplyAdds);
        }

        String parametersText() {
            return count(parameters);
        }

        String workText() {
            return Double.isNaN(epochs) ? "–" : Text.format("%.2f", epochs);
        }

        private static String count(double number) {
            return Double.isNaN(number) ? "–" : Text.count(Math.round(number));
        }
    }

    /** Of one network. */
    record Sizes(String name, int[] sizes) {
        /** A cell's shade, 0 to 70: 1 is none, 9 and more is all. */
        int shade(int size) {
            return Math.min(70, Math.max(0, (size - 1) * 9));
        }
    }

    static ComparePage of(List<Path> results, List<Path> runs) {
        List<Section> sections = new ArrayList<>();
        List<String> notes = new ArrayList<>();
        if (!runs.isEmpty()) {
            sections.add(runs(runs));
            notes.add("The runs stand side by side as they are: whether settings and data are alike is for the reader"
                    + " to see.");
        }
        if (!results.isEmpty()) {
            Comparison comparison = Comparison.of(results);
            comparison.groups().forEach(group -> sections.add(group(group)));
            notes.addAll(comparison.notes());
        }
        return new ComparePage(sections, notes);
    }

    private static Section runs(List<Path> runs) {
        List<Row> rows = new ArrayList<>();
        List<Sizes> sizes = new ArrayList<>();
        List<String> layers = new ArrayList<>();
        for (Path run : runs) {
            RunFiles files = RunFiles.read(run, () -> {
                throw new InvalidInput("not asked for");
            });
            List<Network> networks = Network.of(files);
            if (networks.isEmpty()) {
                throw new InvalidInput(run + ": has no summary.json with a test accuracy; expected a run that has come"
                        + " to its end");
            }
            String folder = run.toAbsolutePath().normalize().getFileName().toString();
            for (Network n : networks) {
                String name = folder + ": " + n.name();
                rows.add(new Row(
                        name, 1, n.accuracy(), n.standardError(), n.multiplyAdds(), n.parameters(), n.epochs()));
                sizes.add(new Sizes(name, n.sizes()));
            }
            List<String> names = names(files.summary());
            layers = layers.isEmpty() || names.equals(layers) ? names : List.of();
        }
        return section("Runs", rows, "one standard error, by the number of test images", layers, sizes);
    }

    private static List<String> names(JsonNode summary) {
        List<String> names = new ArrayList<>();
        summary.path("layers").forEach(layer -> names.add(layer.path("name").asText()));
        return names.isEmpty() ? Text.texts(summary.path("layerNames")) : names;
    }

    private static Section group(Comparison.Group group) {
        List<Row> rows = new ArrayList<>();
        List<Sizes> sizes = new ArrayList<>();
        for (Comparison.Entry e : group.entries()) {
            rows.add(new Row(
                    e.name(),
                    e.networks(),
                    e.accuracy().mean(),
                    e.accuracy().deviation(),
                    e.multiplyAdds(),
                    e.parameters().mean(),
                    e.spent().uniformEpochs()));
            for (String one : e.sizes()) { // "seed 1: 3 5 5"
                int colon = one.lastIndexOf(':');
                String[] words = one.substring(colon + 1).strip().split("\\s+");
                sizes.add(new Sizes(
                        e.name() + (colon < 0 ? "" : ", " + one.substring(0, colon)),
                        Arrays.stream(words).mapToInt(Integer::parseInt).toArray()));
            }
        }
        Comparison.Task task = group.task();
        String title = Text.format(
                "%s on %s, %,d training images, budget %s, %s",
                task.architecture(),
                task.data(),
                task.images(),
                group.budget(),
                task.match().title());
        return section(title, rows, "one sample standard deviation over the seeds", List.of(), sizes);
    }

    private static Section section(String title, List<Row> rows, String error, List<String> layers, List<Sizes> sizes) {
        boolean alike =
                sizes.stream().mapToInt(s -> s.sizes().length).distinct().count() == 1;
        List<String> columns = new ArrayList<>(layers);
        if (columns.isEmpty() && alike) {
            for (int i = 1; i <= sizes.get(0).sizes().length; i++) {
                columns.add(Integer.toString(i));
            }
        }
        String id = Integer.toHexString(title.hashCode());
        return new Section(
                title,
                rows,
                error,
                scatter(
                        rows,
                        new ChartBuilder(
                                "work-" + id,
                                "Accuracy against work",
                                "work, in epochs of training the uniform network",
                                "test accuracy, %"),
                        Row::epochs,
                        error),
                scatter(
                        rows,
                        new ChartBuilder(
                                "cost-" + id,
                                "Accuracy against multiply-adds",
                                "multiply-adds of an image",
                                "test accuracy, %"),
                        Row::multiplyAdds,
                        error),
                alike ? columns : List.of(),
                sizes);
    }

    private static Optional<Chart> scatter(List<Row> rows, ChartBuilder chart, ToDoubleFunction<Row> x, String error) {
        for (int i = 0; i < rows.size(); i++) {
            Row row = rows.get(i);
            chart.point(
                    row.name,
                    ChartBuilder.colour(i, rows.size()),
                    x.applyAsDouble(row),
                    100 * row.accuracy,
                    100 * row.error);
        }
        return chart.isEmpty()
                ? Optional.empty()
                : Optional.of(chart.build("Each dot is a row of the table. A bar is " + error + ", to each side."));
    }
}

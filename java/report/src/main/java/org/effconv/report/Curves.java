package org.effconv.report;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;
import org.effconv.train.Phase;

/** Charts of what went on while a run was under way. */
final class Curves {
    private static final List<String> PHASES = List.of("search", "train", "uniform", "rising", "falling");
    private static final Map<String, String> NAMES = Map.of(
            "search", "search",
            "train", "learned sizes",
            "uniform", "uniform network",
            "rising", "rising sizes",
            "falling", "falling sizes");

    private static final String CANDIDATE = "candidate";

    private final RunFiles run;
    private final List<String> layers;
    private final List<Curve> curves = new ArrayList<>();

    /**
     * What one phase measured.
     *
     * @param times since the beginning of the run, in seconds of computing
     * @param accuracies of training, 0..1; empty where losses are those of steps
     */
    private record Curve(String name, String phase, double[] times, double[] losses, double[] accuracies) {
        String colour() {
            return switch (phase) {
                case "train" -> "var(--c0)";
                case "uniform" -> "var(--c1)";
                case "probe", "search" -> "var(--c2)";
                case "rising" -> "var(--c4)";
                case "falling" -> "var(--c5)";
                default -> "var(--c" + (3 + (Integer.parseInt(phase.substring(CANDIDATE.length())) - 1) % 5) + ")";
            };
        }
    }

    Curves(RunFiles run, List<String> layers) {
        this.run = run;
        this.layers = layers;
        double now = probe(0);
        Map<String, Double> spent = new LinkedHashMap<>(); // seconds of the candidate of these sizes
        List<JsonNode> candidates = new ArrayList<>();
        run.summary().path("candidates").forEach(candidates::add);
        for (Map.Entry<String, Phase.Course> one : run.courses().entrySet()) {
            double seconds = one.getValue().seconds();
            double[] losses = one.getValue().losses();
            double from = now;
            double[] times = IntStream.range(0, losses.length)
                    .mapToDouble(i -> from + seconds * (i + 1) / losses.length)
                    .toArray();
            curves.add(new Curve(
                    one.getKey().replace(CANDIDATE, "candidate "), one.getKey(), times, losses, new double[0]));
            int number = Integer.parseInt(one.getKey().substring(CANDIDATE.length())) - 1;
            if (number < candidates.size()) {
                spent.put(Text.sizes(Text.ints(candidates.get(number).path("sizes"))), seconds);
            }
            now += seconds;
        }
        for (String phase : PHASES) {
            now = epochs(phase, now, spent);
        }
    }

    private double probe(double from) {
        List<ObjectNode> epochs = run.metricsOf("probe");
        double seconds =
                epochs.stream().mapToDouble(m -> Text.number(m.path("seconds"))).sum();
        List<ObjectNode> steps = run.steps();
        if (steps.isEmpty() || seconds == 0) {
            return epochs("probe", from, Map.of());
        }
        double[] times = IntStream.range(0, steps.size())
                .mapToDouble(i -> from + seconds * (i + 1) / steps.size())
                .toArray();
        double[] losses =
                steps.stream().mapToDouble(s -> Text.number(s.path("loss"))).toArray();
        curves.add(new Curve("probe", "probe", times, losses, new double[0]));
        return from + seconds;
    }

    // A training goes on where a candidate of its sizes was left: what that took is behind it already.
    private double epochs(String phase, double from, Map<String, Double> spent) {
        List<ObjectNode> lines = run.metricsOf(phase);
        if (lines.isEmpty()) {
            return from;
        }
        double begin =
                from - spent.getOrDefault(Text.sizes(Text.ints(lines.get(0).path("sizes"))), 0.0);
        double[] times =
                lines.stream().mapToDouble(m -> Text.number(m.path("seconds"))).toArray();
        Arrays.parallelPrefix(times, Double::sum);
        double[] shifted = Arrays.stream(times).map(t -> begin + t).toArray();
        curves.add(new Curve(
                name(phase),
                phase,
                shifted,
                lines.stream().mapToDouble(m -> Text.number(m.path("loss"))).toArray(),
                lines.stream()
                        .mapToDouble(m -> Text.number(m.path("trainAccuracy")))
                        .toArray()));
        return shifted[shifted.length - 1];
    }

    private String name(String phase) {
        return phase.equals("train") && run.config().command().equals("train")
                ? "trained network"
                : NAMES.getOrDefault(phase, phase);
    }

    private double unit() {
        double last = curves.stream()
                .flatMapToDouble(c -> Arrays.stream(c.times))
                .max()
                .orElse(0);
        return last > 2 * 3600 ? 3600 : last > 180 ? 60 : 1;
    }

    private String timeTitle() {
        return "time of computing since the start, "
                + (unit() == 3600 ? "hours" : unit() == 60 ? "minutes" : "seconds");
    }

    private double[] time(Curve curve) {
        return Arrays.stream(curve.times).map(t -> t / unit()).toArray();
    }

    Optional<Chart> losses() {
        ChartBuilder chart = new ChartBuilder("loss", "Class loss", timeTitle(), "class loss");
        curves.forEach(c -> chart.line(c.name, c.colour(), false, time(c), c.losses));
        return built(
                chart,
                "Class loss over the time of the run: lower is better. Of probe and candidates each step is drawn, of"
                        + " trainings the mean of each epoch.");
    }

    Optional<Chart> accuracies(List<Network> networks) {
        ChartBuilder chart = new ChartBuilder("accuracy", "Accuracy", timeTitle(), "right answers, %");
        for (Curve c : curves) {
            double[] percent = Arrays.stream(c.accuracies).map(a -> 100 * a).toArray();
            chart.line(c.name + ", training images", c.colour(), false, time(c), percent);
            List<ObjectNode> lines = run.metricsOf(c.phase);
            if (lines.size() == c.times.length) {
                chart.line(
                        c.name + ", validation images", c.colour(), true, time(c), shares(lines, "validationAccuracy"));
            }
        }
        for (Network network : networks) {
            String phase = network.isLearned() ? "train" : network.kind().equals("uniform") ? "uniform" : "";
            curves.stream()
                    .filter(c -> c.phase.equals(phase))
                    .forEach(c -> chart.point(
                            network.name() + ", test images",
                            c.colour(),
                            time(c)[c.times.length - 1],
                            100 * network.accuracy(),
                            100 * network.standardError()));
        }
        return built(
                chart,
                "Share of right answers over the time of the run: higher is better. The dots with bars are the test"
                        + " images, read once after the last epoch; a bar is one standard error to each side.");
    }

    private static double[] shares(List<ObjectNode> lines, String key) {
        return lines.stream().mapToDouble(m -> 100 * Text.number(m.path(key))).toArray();
    }

    Optional<Chart> softSizes() {
        boolean bySteps = !run.steps().isEmpty();
        List<ObjectNode> lines = bySteps
                ? run.steps()
                : run.metrics().stream()
                        .filter(m -> !m.path("softSizes").isEmpty())
                        .toList();
        ChartBuilder chart = new ChartBuilder(
                "soft-sizes", "Soft sizes", bySteps ? "step of the probe" : "epoch of the search", "kernel size");
        double[] x = IntStream.rangeClosed(1, lines.size()).asDoubleStream().toArray();
        for (int l = 0; l < layers.size(); l++) {
            int layer = l;
            double[] y = lines.stream()
                    .mapToDouble(line -> Text.number(line.path("softSizes").path(layer)))
                    .toArray();
            chart.line(layers.get(l), ChartBuilder.colour(l, layers.size()), false, x, y);
        }
        return built(
                chart,
                "How the size of each layer's kernels moved while it could still be any number. First layer first in"
                        + " the legend.");
    }

    Optional<Chart> candidates() {
        ChartBuilder chart = new ChartBuilder("candidates", "Candidates", "step of training", "class loss");
        for (Curve c : curves) {
            if (c.phase.startsWith(CANDIDATE)) {
                double[] x = IntStream.rangeClosed(1, c.losses.length)
                        .asDoubleStream()
                        .toArray();
                chart.line(c.name, c.colour(), false, x, c.losses);
            }
        }
        return built(chart, "Class loss of each candidate's first steps, on the same images: lower is better.");
    }

    private static Optional<Chart> built(ChartBuilder chart, String text) {
        return chart.isEmpty() ? Optional.empty() : Optional.of(chart.build(text));
    }
}

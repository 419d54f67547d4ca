package org.effconv.report;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.effconv.train.RunConfig;

/** The figures at the top of a page, and those at its end. */
final class Headline {
    private Headline() {}

    static List<RunPage.Fact> facts(RunFiles run, List<Network> networks) {
        List<RunPage.Fact> facts = new ArrayList<>();
        JsonNode summary = run.summary();
        for (Network n : networks) {
            if (!n.kind().equals("shape")) {
                facts.add(new RunPage.Fact(
                        n.kind() + "-accuracy",
                        "test accuracy, " + n.name(),
                        Double.toString(n.accuracy()),
                        n.accuracyText()));
            }
        }
        if (summary.has("pointsAhead")) {
            double ahead = summary.path("pointsAhead").asDouble();
            facts.add(new RunPage.Fact(
                    "points-ahead",
                    Text.format(
                            "points of difference, +- %.2f at most by the %,d test images; another seed moves it, too",
                            summary.path("pointsStandardError").asDouble(), run.testImages()),
                    Double.toString(ahead),
                    Text.format("%+.2f", ahead)));
        }
        if (!networks.isEmpty()) {
            costs(networks, facts);
        }
        JsonNode work = summary.path("work");
        if (work.has("search")) {
            double search = work.path("search").path("multiplyAdds").asDouble();
            double training = work.path("training").path("multiplyAdds").asDouble();
            facts.add(new RunPage.Fact(
                    "learning-work",
                    "of the training's work is what learning the sizes took on top",
                    Double.toString(search / training),
                    Text.format("%.1f %%", 100 * search / training)));
        }
        return facts;
    }

    /** What was learned, in a sentence; empty while it is not known. */
    static String sentence(RunFiles run, List<Network> networks) {
        if (networks.isEmpty()) {
            return "";
        }
        Network first = networks.get(0);
        String images = Text.count(run.testImages()) + " test images";
        if (!first.kind().equals("learned")) {
            return Text.format(
                    "The network of sizes %s names the class of %s of %s right.",
                    first.sizesText(), first.accuracyText(), images);
        }
        String own = Text.format(
                "With the learned kernel sizes %s the network names the class of %s of %s right",
                first.sizesText(), first.accuracyText(), images);
        return networks.stream()
                .filter(n -> n.kind().equals("uniform"))
                .findFirst()
                .map(plain -> Text.format(
                        "%s; %s, beside it, %s. The difference is %+.2f points, with a standard error of at most %.2f.",
                        own,
                        plain.name(),
                        plain.accuracyText(),
                        run.summary().path("pointsAhead").asDouble(),
                        run.summary().path("pointsStandardError").asDouble()))
                .orElse(own + ".");
    }

    private static void costs(List<Network> networks, List<RunPage.Fact> facts) {
        Network first = networks.get(0);
        Network other = networks.stream()
                .filter(n -> n.kind().equals("uniform"))
                .findFirst()
                .orElse(first);
        boolean both = other != first;
        if (Double.isFinite(first.multiplyAdds())) {
            facts.add(new RunPage.Fact(
                    "multiply-adds",
                    "multiply-adds an image" + (both ? ", instead of " + Text.rough(other.multiplyAdds()) : ""),
                    Long.toString((long) first.multiplyAdds()),
                    Text.rough(first.multiplyAdds())));
        }
        if (Double.isFinite(first.milliseconds())) {
            facts.add(new RunPage.Fact(
                    "image-time",
                    "an image, measured" + (both ? ", instead of " + other.timeText() : ""),
                    Double.toString(first.milliseconds()),
                    first.timeText()));
        }
    }

    /** In words; empty where nothing was compared. */
    static String gained(JsonNode summary) {
        String gained = summary.path("gained").asText();
        for (String none : List.of("nothing", "no accuracy")) {
            if (gained.startsWith(none)) {
                return Character.toUpperCase(none.charAt(0)) + none.substring(1) + " gained"
                        + gained.substring(none.length()) + ".";
            }
        }
        if (!gained.isEmpty()) {
            return "Gained: " + gained + ".";
        }
        return summary.path("keptUniform").asBoolean()
                ? "Nothing gained: the sizes are those of the network nearest to uniform."
                : "";
    }

    static List<RunPage.Line> time(RunFiles run) {
        Map<String, Double> phases = new LinkedHashMap<>();
        run.metrics().forEach(m -> phases.merge(m.path("phase").asText(), Text.number(m.path("seconds")), Double::sum));
        List<RunPage.Line> lines = new ArrayList<>();
        JsonNode summary = run.summary();
        if (summary.has("searchSeconds")) {
            lines.add(new RunPage.Line(
                    "learning the sizes",
                    Text.seconds(summary.path("searchSeconds").asDouble())));
        }
        phases.forEach((phase, seconds) -> lines.add(new RunPage.Line("phase " + phase, Text.seconds(seconds))));
        double processor = Text.number(summary.path("work").path("processorSeconds"));
        if (Double.isFinite(processor)) {
            lines.add(new RunPage.Line("processor time, learning and training", Text.seconds(processor)));
        }
        double peak = run.metrics().stream()
                .mapToDouble(m -> m.path("peakRssBytes").asDouble())
                .max()
                .orElse(0);
        peak = Math.max(peak, summary.path("peakRssBytes").asDouble());
        if (peak > 0) {
            lines.add(new RunPage.Line("peak memory, resident", Text.mebibytes(peak)));
        }
        return lines;
    }

    static List<RunPage.Line> made(RunFiles run) {
        ObjectNode summary = run.summary();
        JsonNode environment = summary.path("environment");
        JsonNode device = run.identity("device");
        JsonNode data = run.identity("data");
        int threads = device.path("threads").asInt();
        List<RunPage.Line> lines = new ArrayList<>();
        lines.add(new RunPage.Line("data", run.data()));
        lines.add(new RunPage.Line(
                "images",
                Text.format(
                        "%,d for training, %,d for testing, of %d x %d pixels, %s, %,d classes",
                        data.path("train").path("images").asInt(),
                        run.testImages(),
                        data.path("height").asInt(),
                        data.path("width").asInt(),
                        data.path("channels").asInt() == 1 ? "grey" : "colour",
                        data.path("classNames").size())));
        lines.add(new RunPage.Line(
                "device",
                device.path("name").asText() + ", " + threads + (threads == 1 ? " thread" : " threads")
                        + ", activations " + device.path("activations").asText()));
        lines.add(new RunPage.Line("machine", environment.path("processor").asText("not told by this run")));
        lines.add(new RunPage.Line("EffConv", environment.path("version").asText("not told by this run")));
        lines.add(new RunPage.Line("commit", environment.path("commit").asText("not told by this run")));
        lines.add(new RunPage.Line("Java", environment.path("java").asText("not told by this run")));
        lines.add(
                environment.has("finished")
                        ? new RunPage.Line(
                                "finished", environment.path("finished").asText())
                        : new RunPage.Line("begun", begun(run)));
        return lines;
    }

    private static String begun(RunFiles run) {
        try {
            return Files.getLastModifiedTime(run.folder().resolve(RunConfig.FILE))
                    .toInstant()
                    .truncatedTo(ChronoUnit.SECONDS)
                    .toString();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}

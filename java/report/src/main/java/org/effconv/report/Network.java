package org.effconv.report;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.StreamSupport;

/**
 * A network that a run trained to its end. What is not known is NaN.
 *
 * @param kind learned, uniform, shape or trained
 * @param sizes one per sized layer
 * @param accuracy on the test part, 0..1
 * @param standardError of that by the number of test images
 * @param multiplyAdds of an image, forward
 * @param milliseconds of an image
 * @param epochs work of learning and training, in epochs of training the uniform network
 * @param seconds of the training
 */
record Network(
        String kind,
        String name,
        int[] sizes,
        double accuracy,
        double standardError,
        double multiplyAdds,
        double parameters,
        double milliseconds,
        double epochs,
        double seconds) {

    static List<Network> of(RunFiles run) {
        JsonNode summary = run.summary();
        List<Network> all = new ArrayList<>();
        int images = run.testImages();
        if (summary.has("learned")) {
            JsonNode learned = summary.path("learned");
            int[] sizes = StreamSupport.stream(summary.path("layers").spliterator(), false)
                    .mapToInt(layer -> layer.path("size").asInt())
                    .toArray();
            double work = Text.number(summary.path("work").path("uniformEpochs"));
            all.add(of("learned", "learned sizes", sizes, learned, summary, work, images));
            double epochs = Double.parseDouble(run.setting("epochs"));
            JsonNode uniform = summary.path("uniform");
            double plainWork = Text.number(uniform.path("multiplyAdds"));
            if (uniform.isObject()) {
                int[] plain = Text.ints(uniform.path("sizes"));
                all.add(of("uniform", Text.plainName(plain), plain, uniform, uniform, epochs, images));
            }
            for (JsonNode shape : summary.path("shapes")) {
                double part = Text.number(shape.path("multiplyAdds")) / plainWork;
                all.add(of(
                        "shape",
                        shape.path("name").asText(),
                        Text.ints(shape.path("sizes")),
                        shape,
                        shape,
                        epochs * part,
                        images));
            }
        } else if (summary.has("testAccuracy")) {
            int[] sizes = Text.ints(summary.path("sizes"));
            all.add(of("trained", "trained network", sizes, summary, summary, Double.NaN, images));
        }
        return all;
    }

    private static Network of(
            String kind, String name, int[] sizes, JsonNode figures, JsonNode costs, double epochs, int images) {
        double p = Text.number(figures.path("testAccuracy"));
        return new Network(
                kind,
                name,
                sizes,
                p,
                images == 0 ? Double.NaN : Math.sqrt(p * (1 - p) / images),
                Text.number(costs.path("multiplyAdds")),
                Text.number(costs.path("parameters")),
                Text.number(figures.path("millisecondsAnImage")),
                epochs,
                Text.number(figures.path("seconds")));
    }

    boolean isLearned() {
        return kind.equals("learned") || kind.equals("trained");
    }

    String colour() {
        return switch (kind) {
            case "learned", "trained" -> "var(--c0)";
            case "uniform" -> "var(--c1)";
            default -> name.startsWith("rising") ? "var(--c2)" : "var(--c3)";
        };
    }

    String accuracyText() {
        return Text.percent(accuracy);
    }

    String costText() {
        return Double.isNaN(multiplyAdds) ? "–" : Text.count((long) multiplyAdds);
    }

    String parametersText() {
        return Double.isNaN(parameters) ? "–" : Text.count((long) parameters);
    }

    String timeText() {
        return Double.isNaN(milliseconds) ? "–" : Text.format("%.3f ms", milliseconds);
    }

    String workText() {
        return Double.isNaN(epochs) ? "–" : Text.format("%.2f", epochs);
    }

    String sizesText() {
        return Text.sizes(sizes);
    }
}

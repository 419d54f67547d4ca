package org.effconv.report;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * All that the page of a run shows, in the order of the page.
 *
 * @param title of the page
 * @param sentence what was learned; empty while it is not known
 * @param facts the same in figures
 * @param gained whether something was gained; empty where nothing was compared
 * @param layers sizes, layer by layer
 */
record RunPage(
        String title,
        String command,
        List<String> notes,
        String sentence,
        List<Fact> facts,
        String gained,
        List<Network> networks,
        List<Layer> layers,
        String plainName,
        Optional<Chart> softSizes,
        List<Candidate> candidates,
        Optional<Chart> candidateLosses,
        List<KernelPictures.Layer> kernels,
        Optional<Chart> losses,
        Optional<Chart> accuracies,
        Optional<Chart> accuracyByWork,
        Optional<Chart> accuracyByCost,
        Optional<Spending> budget,
        Optional<Classes> classes,
        List<Line> time,
        Repeat repeat,
        List<Line> made) {

    /**
     * One figure of the headline.
     *
     * @param id of the element that holds it
     * @param value exact, as summary.json has it
     * @param text as a reader sees it
     */
    record Fact(String id, String label, String value, String text) {}

    /**
     * @param size learned; empty while it is not decided
     * @param plain of the network it is compared with; empty without one
     */
    record Layer(String name, OptionalInt size, OptionalInt plain, String soft, int largest) {
        String bar(int of) {
            return Text.format("%.1f", 100.0 * of / largest);
        }
    }

    record Candidate(int number, String sizes, String steps, String loss, String outcome) {}

    /** @param used in percent of what was allowed */
    record Spending(String counts, String allowed, String used, String share, String bar) {}

    /** A name and what it stands for. */
    record Line(String name, String text) {}

    static RunPage of(RunFiles run) {
        List<Network> networks = Network.of(run);
        JsonNode summary = run.summary();
        int[] learned = networks.isEmpty()
                ? sizesOf(run.sizes().path("layers"), "size")
                : networks.get(0).sizes();
        Optional<Network> plain =
                networks.stream().filter(n -> n.kind().equals("uniform")).findFirst();
        List<Layer> layers = layers(run, learned, plain);
        Curves curves = new Curves(run, layers.stream().map(Layer::name).toList());
        return new RunPage(
                run.architecture() + " on " + run.data(),
                run.config().command(),
                run.notes(),
                Headline.sentence(run, networks),
                Headline.facts(run, networks),
                Headline.gained(summary),
                networks,
                layers,
                plain.map(Network::name).orElse(""),
                curves.softSizes(),
                candidates(summary.path("candidates"), learned),
                curves.candidates(),
                run.model().map(KernelPictures::of).orElse(List.of()),
                curves.losses(),
                curves.accuracies(networks),
                Scatter.byWork(networks),
                Scatter.byCost(networks),
                spending(run),
                Classes.of(run.testCounts(), run.test()),
                Headline.time(run),
                Repeat.of(run),
                Headline.made(run));
    }

    private static int[] sizesOf(JsonNode layers, String key) {
        int[] sizes = new int[layers.size()];
        for (int i = 0; i < sizes.length; i++) {
            sizes[i] = layers.get(i).path(key).asInt();
        }
        return sizes;
    }

    private static List<Layer> layers(RunFiles run, int[] learned, Optional<Network> plain) {
        JsonNode told = run.summary().has("layers")
                ? run.summary().path("layers")
                : run.sizes().path("layers");
        List<String> names = new ArrayList<>();
        told.forEach(layer -> names.add(layer.path("name").asText()));
        if (names.isEmpty()) {
            names.addAll(Text.texts(run.summary().path("layerNames")));
        }
        int largest = 1;
        for (int i = 0; i < learned.length; i++) {
            largest = Math.max(largest, learned[i]);
            largest = Math.max(largest, plain.isPresent() ? plain.get().sizes()[i] : 1);
        }
        List<Layer> layers = new ArrayList<>();
        for (int i = 0; i < names.size(); i++) {
            int at = i;
            double soft = Text.number(told.path(i).path("soft"));
            layers.add(new Layer(
                    names.get(i),
                    i < learned.length ? OptionalInt.of(learned[i]) : OptionalInt.empty(),
                    plain.map(n -> OptionalInt.of(n.sizes()[at])).orElse(OptionalInt.empty()),
                    Double.isNaN(soft) ? "" : Text.format("%.2f", soft),
                    largest));
        }
        return layers;
    }

    private static List<Candidate> candidates(JsonNode list, int[] chosen) {
        List<Candidate> candidates = new ArrayList<>();
        int most = 0;
        for (JsonNode one : list) {
            most = Math.max(most, one.path("steps").asInt());
        }
        for (JsonNode one : list) {
            int[] sizes = Text.ints(one.path("sizes"));
            int steps = one.path("steps").asInt();
            double loss = Text.number(one.path("loss"));
            String outcome;
            if (Arrays.equals(sizes, chosen)) {
                outcome = "chosen, trained to the end";
            } else if (steps == 0) {
                outcome = "not tried";
            } else if (Double.isNaN(loss)) {
                outcome = "could not be trained";
            } else {
                outcome = "dropped after step " + Text.count(steps);
            }
            candidates.add(new Candidate(
                    candidates.size() + 1,
                    Text.sizes(sizes),
                    Text.count(steps),
                    Double.isNaN(loss) ? "–" : Text.format("%.4f", loss),
                    outcome));
        }
        return candidates;
    }

    private static Optional<Spending> spending(RunFiles run) {
        JsonNode from = run.summary().has("budget") ? run.summary() : run.sizes();
        double budget = Text.number(from.path("budget"));
        double spent = Text.number(from.path("spent"));
        if (Double.isNaN(budget) || Double.isNaN(spent)) {
            return Optional.empty();
        }
        String unit =
                switch (from.path("cost").asText()) {
                    case "macs" -> "multiply-adds of an image";
                    case "latency" -> "milliseconds";
                    default -> from.path("cost").asText();
                };
        boolean fine = unit.equals("milliseconds");
        return Optional.of(new Spending(
                unit,
                fine ? Text.format("%.3f", budget) : Text.count((long) budget),
                fine ? Text.format("%.3f", spent) : Text.count((long) spent),
                Text.format("%.1f %%", 100 * spent / budget),
                Text.format("%.1f", Math.min(100, 100 * spent / budget))));
    }
}

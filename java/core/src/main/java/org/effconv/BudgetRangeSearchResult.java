package org.effconv;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;
import org.effconv.choice.SizeLadder;
import org.effconv.choice.SizeLadder.Rung;
import org.effconv.cost.Budget;
import org.effconv.cost.Cost;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.io.AtomicFile;
import org.effconv.io.Json;
import org.effconv.io.SizesFile;
import org.effconv.nn.NetworkPlan;

/**
 * The kernel sizes that a search found for every budget of a range. With more budget no layer's soft size is smaller,
 * and the odd sizes do not sum to less; that order costs accuracy at some budgets, and odd sizes without it are there,
 * too. Holds no device memory.
 */
public final class BudgetRangeSearchResult {
    static final String FILE = "budgets.json";
    private static final String FORMAT = "effconv-budgets-1";

    private final String architecture;
    private final List<String> layers;
    private final double[] ends;
    private final double[] uniform; // costs of uniform sizes 1, 3 ... 33
    private final Answers ordered;
    private final Answers apart; // without the order of the sums; null: read from a file that has none
    private final double seconds;

    private BudgetRangeSearchResult(
            String architecture,
            List<String> layers,
            double[] ends,
            double[] uniform,
            Answers ordered,
            Answers apart,
            double seconds) {
        this.architecture = architecture;
        this.layers = layers;
        this.ends = ends;
        this.uniform = uniform;
        this.ordered = ordered;
        this.apart = apart;
        this.seconds = seconds;
    }

    /** @param parameters of the rungs' networks */
    private record Answers(SizeLadder ladder, long[] parameters) {
        static Answers of(NetworkPlan plan, SizeLadder ladder) {
            return new Answers(
                    ladder,
                    ladder.rungs().stream()
                            .mapToLong(r -> plan.parameters(r.sizes()))
                            .toArray());
        }
    }

    static BudgetRangeSearchResult of(
            NetworkPlan plan, Cost cost, double[] ends, SizeLadder ordered, SizeLadder apart, double seconds) {
        double[] uniform = IntStream.rangeClosed(0, Cost.LARGEST_SIZE / 2)
                .mapToDouble(r -> cost.uniform(2 * r + 1))
                .toArray();
        return new BudgetRangeSearchResult(
                plan.architecture().name(),
                plan.sizedLayerNames(),
                ends,
                uniform,
                Answers.of(plan, ordered),
                Answers.of(plan, apart),
                seconds);
    }

    /** Names of the sized layers, in network order. */
    public List<String> layers() {
        return layers;
    }

    /** What the budgets count. */
    public Cost.Kind costKind() {
        return ordered.ladder.kind();
    }

    /** The smallest budget and the largest, in the cost's unit. */
    public double[] range() {
        return ends.clone();
    }

    /** Wall clock of the search's epochs; NaN if read from a file. */
    public double seconds() {
        return seconds;
    }

    /**
     * One odd kernel size per sized layer, within {@link Cost.Kind#tolerance} of a budget.
     *
     * @param budget in the forms of {@link KernelSizeSearch#budget} but "auto"
     * @throws InvalidInput if it lies outside the range, or no odd sizes meet it: names the nearest that some do
     */
    public int[] sizes(String budget) {
        return rung(ordered, budget).sizes().clone();
    }

    /** The same with everything that is known about them, in the form of sizes.json. */
    public SizesFile file(String budget) {
        return file(ordered, budget);
    }

    /**
     * As {@link #file}, but the odd sizes nearest to the budget's soft ones, whatever those of other budgets are: they
     * may sum to more than a larger budget's.
     */
    public SizesFile fileInAnyOrder(String budget) {
        if (apart == null) {
            throw new InvalidInput(
                    "this search was made by a version that kept sizes in order only; expected one made anew");
        }
        return file(apart, budget);
    }

    private SizesFile file(Answers answers, String budget) {
        Rung rung = rung(answers, budget);
        long owned = answers.parameters[answers.ladder.rungs().indexOf(rung)];
        return new SizesFile(
                architecture,
                owned,
                new SizesFile.Budget(costKind().key(), amount(budget), rung.cost()),
                IntStream.range(0, layers.size())
                        .mapToObj(l -> new SizesFile.Layer(layers.get(l), rung.sizes()[l], rung.soft()[l]))
                        .toList());
    }

    private double amount(String text) {
        Budget budget = Budget.parse(text, costKind().key());
        if (!budget.hasTarget()) {
            throw new InvalidInput("budget '" + text + "': expected one within the range of the search");
        }
        return budget.amount(k -> uniform[(k - 1) / 2]);
    }

    private Rung rung(Answers answers, String text) {
        double amount = amount(text);
        if (amount < ends[0] * (1 - 1e-9) || amount > ends[1] * (1 + 1e-9)) {
            throw new InvalidInput("budget '" + text + "' means " + costKind().format(amount) + "; this search was for "
                    + costKind().format(ends[0]) + " to " + costKind().format(ends[1])
                    + ": expected a budget between them");
        }
        return answers.ladder
                .at(amount)
                .orElseThrow(
                        () -> new InvalidInput("budget '" + text + "': no odd kernel sizes of this search cost within "
                                + Math.round(100 * costKind().tolerance()) + " % of "
                                + costKind().format(amount) + "; the nearest cost "
                                + answers.ladder.rungs().stream()
                                        .map(Rung::cost)
                                        .min(Comparator.comparingDouble(c -> Cost.deviation(c, amount)))
                                        .map(costKind()::format)
                                        .orElse("nothing: it found none for any budget")));
    }

    void write(Path file) {
        ObjectNode json = Json.object()
                .put("format", FORMAT)
                .put("architecture", architecture)
                .put("cost", costKind().key())
                .put("from", ends[0])
                .put("to", ends[1]);
        json.set("layers", Json.tree(layers));
        json.set("uniform", Json.tree(uniform));
        put(json.putArray("sizes"), ordered);
        if (apart != null) {
            put(json.putArray("inAnyOrder"), apart);
        }
        AtomicFile.write(file, Json.pretty(json));
    }

    private static void put(ArrayNode to, Answers answers) {
        for (int i = 0; i < answers.parameters.length; i++) {
            Rung rung = answers.ladder.rungs().get(i);
            ObjectNode entry = to.addObject()
                    .put("budget", rung.budget())
                    .put("spent", rung.cost())
                    .put("parameters", answers.parameters[i]);
            entry.set("sizes", Json.tree(rung.sizes()));
            entry.set("soft", Json.tree(rung.soft()));
        }
    }

    /**
     * Reads what a search has left in its run folder.
     *
     * @throws InvalidInput if there is none, or the file is damaged: names file, field and what was expected
     */
    public static BudgetRangeSearchResult read(Path folder) {
        Path file = folder.resolve(FILE);
        if (!Files.exists(file)) {
            throw new InvalidInput(folder + ": holds no " + FILE
                    + "; expected the run folder of a finished 'effconv search --budget any'");
        }
        ObjectNode json = Json.read(file);
        Cost.Kind kind = Cost.Kind.of(json.path("cost").asText());
        if (!json.path("format").asText().equals(FORMAT) || kind == null) {
            throw new InvalidInput(file + ": format " + json.path("format") + ", cost " + json.path("cost")
                    + "; expected \"" + FORMAT + "\" and parameters, macs or latency");
        }
        List<String> layers = List.of(Json.convert(json.path("layers"), String[].class, file + ": layers"));
        double[] uniform = Json.convert(json.path("uniform"), double[].class, file + ": uniform");
        if (uniform.length != Cost.LARGEST_SIZE / 2 + 1) {
            throw new InvalidInput(
                    file + ": uniform: " + uniform.length + " costs, expected " + (Cost.LARGEST_SIZE / 2 + 1));
        }
        double[] ends = {number(json, "from", file.toString()), number(json, "to", file.toString())};
        return new BudgetRangeSearchResult(
                json.path("architecture").asText(),
                layers,
                ends,
                uniform,
                answers(json, "sizes", kind, layers.size(), file),
                json.has("inAnyOrder") ? answers(json, "inAnyOrder", kind, layers.size(), file) : null,
                Double.NaN);
    }

    private static Answers answers(ObjectNode json, String field, Cost.Kind kind, int layers, Path file) {
        List<Rung> rungs = new ArrayList<>();
        List<Long> parameters = new ArrayList<>();
        for (JsonNode entry : json.path(field)) {
            String at = file + ": " + field + "[" + rungs.size() + "]";
            int[] sizes = Json.convert(entry.path("sizes"), int[].class, at + ".sizes");
            double[] soft = Json.convert(entry.path("soft"), double[].class, at + ".soft");
            if (sizes.length != layers
                    || soft.length != layers
                    || !IntStream.of(sizes).allMatch(k -> k >= 1 && k <= Cost.LARGEST_SIZE && k % 2 == 1)) {
                throw new InvalidInput(at + ": expected an odd size from 1 to " + Cost.LARGEST_SIZE
                        + " and a soft one for each of " + layers + " layers");
            }
            rungs.add(new Rung(number(entry, "budget", at), number(entry, "spent", at), sizes, soft));
            parameters.add((long) number(entry, "parameters", at));
        }
        return new Answers(
                new SizeLadder(kind, List.copyOf(rungs)),
                parameters.stream().mapToLong(Long::longValue).toArray());
    }

    private static double number(JsonNode json, String field, String at) {
        JsonNode node = json.path(field);
        if (!node.isNumber() || !(node.doubleValue() > 0)) {
            throw new InvalidInput(at + ": " + field + ": " + node + ", expected a number above 0");
        }
        return node.doubleValue();
    }

    @Override
    public String toString() {
        return "sizes of " + architecture + " for " + costKind().format(ends[0]) + " to "
                + costKind().format(ends[1]);
    }
}

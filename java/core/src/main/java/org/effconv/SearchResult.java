package org.effconv;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.stream.IntStream;
import org.effconv.choice.FoundSizes;
import org.effconv.cost.Cost;
import org.effconv.io.Json;
import org.effconv.io.SizesFile;
import org.effconv.nn.Architecture;
import org.effconv.nn.NetworkPlan;
import org.effconv.run.SearchOutcome;
import org.effconv.run.SizeLearning;
import org.effconv.train.Phase;
import org.effconv.train.Work;

/** What a search found; holds no device memory. */
public final class SearchResult {
    private final Architecture architecture;
    private final List<String> layers;
    private final double[] soft;
    private final int[] sizes;
    private final long parameters;
    private final long multiplyAdds;
    private final Cost.Kind kind;
    private final double cost;
    private final double budget;
    private final double seconds;
    private final Work work;
    private final long steps;
    private final List<float[]> weights;
    private final List<Candidate> candidates;

    /**
     * A choice that the search tried by training it from its first step on.
     *
     * @param sizes one odd size per sized layer
     * @param steps that it was trained for
     * @param loss class loss over the second half of them, on average; NaN if it could not be trained
     */
    public record Candidate(int[] sizes, int steps, double loss) {}

    SearchResult(SearchOutcome outcome) {
        FoundSizes found = outcome.sizes();
        NetworkPlan plan = outcome.cost().plan();
        architecture = plan.architecture();
        layers = plan.sizedLayerNames();
        soft = found.soft().clone();
        sizes = found.sizes().clone();
        parameters = plan.parameters(sizes);
        multiplyAdds = plan.multiplyAdds(sizes);
        kind = outcome.cost().kind();
        cost = found.cost();
        budget = found.target();
        seconds = outcome.seconds();
        work = outcome.work();
        steps = outcome.steps();
        weights = outcome.weights();
        candidates = outcome.candidates().stream()
                .map(c -> new Candidate(c.sizes(), c.steps(), c.loss()))
                .toList();
    }

    public Architecture architecture() {
        return architecture;
    }

    /** Names of the sized layers, in network order. */
    public List<String> layers() {
        return layers;
    }

    /** One odd kernel size per sized layer, within {@link Cost.Kind#choiceTolerance} of the budget. */
    public int[] sizes() {
        return sizes.clone();
    }

    /** The soft sizes behind them. */
    public double[] softSizes() {
        return soft.clone();
    }

    /** Parameters of the network of these sizes. */
    public long parameters() {
        return parameters;
    }

    /** What the budget counts. */
    public Cost.Kind costKind() {
        return kind;
    }

    /** What the network of these sizes costs, in the budget's unit: parameters, multiply-adds, milliseconds. */
    public double cost() {
        return cost;
    }

    /** Cost asked for; NaN with budget "auto". */
    public double budget() {
        return budget;
    }

    /** Multiply-adds of the network of these sizes on one image, forward. */
    public long multiplyAdds() {
        return multiplyAdds;
    }

    /** Wall clock of what {@link #work} counts. */
    public double seconds() {
        return seconds;
    }

    /**
     * What learning the sizes took beyond the training of the network found: in one run the probe and the candidates
     * that lost, in two stages all of the search.
     */
    public Work work() {
        return work;
    }

    /** Steps of that, a step of each network counted as one. */
    public long steps() {
        return steps;
    }

    /**
     * What the search chose from, in the order of trust, or, as good as a uniform network, that one and then in rising
     * order of cost; empty in two stages.
     */
    public List<Candidate> candidates() {
        return candidates;
    }

    /** The candidates in the form of results: sizes, steps, and the loss of those that could be trained. */
    public ArrayNode candidatesToJson() {
        ArrayNode list = Json.object().putArray("candidates");
        for (Candidate candidate : candidates) {
            ObjectNode one = list.addObject();
            one.set("sizes", Json.tree(candidate.sizes));
            one.put("steps", candidate.steps);
            if (Double.isFinite(candidate.loss)) {
                one.put("loss", candidate.loss);
            }
        }
        return list;
    }

    /**
     * Predicted weights at {@link #sizes}, per layer (K, k, k, C / groups): the start of a warm-started training; empty
     * in one run.
     */
    List<float[]> weights() {
        return weights;
    }

    /** Writes what was decided into a run folder, if there is one. */
    static SizeLearning.Chosen write(SizeLearning.Chosen chosen, Phase.Context context) {
        if (context.folder() != null) {
            new SearchResult(chosen.found()).toFile().write(context.folder().file("sizes.json"));
        }
        return chosen;
    }

    /** In the form of sizes.json. */
    public SizesFile toFile() {
        return new SizesFile(
                architecture.name(),
                parameters,
                new SizesFile.Budget(kind.key(), budget, cost),
                IntStream.range(0, sizes.length)
                        .mapToObj(i -> new SizesFile.Layer(layers.get(i), sizes[i], soft[i]))
                        .toList());
    }

    @Override
    public String toString() {
        return toFile().layers() + ", " + parameters + " parameters";
    }
}

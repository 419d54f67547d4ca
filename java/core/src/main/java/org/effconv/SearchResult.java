package org.effconv;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.stream.IntStream;
import org.effconv.io.Json;
import org.effconv.io.SizesFile;
import org.effconv.nn.Architecture;
import org.effconv.size.Cost;

/** What a search found; holds no device memory. */
public final class SearchResult {
    private final Architecture architecture;
    private final List<String> layers;
    private final double[] soft;
    private final int[] sizes;
    private final long parameters;
    private final Cost.Kind kind;
    private final double cost;
    private final double budget;
    private final double seconds;
    private final long steps;
    private final List<float[]> weights;
    private final List<Trial> trials;

    /**
     * A choice that the search tried at its end.
     *
     * @param sizes  one odd size per sized layer
     * @param epochs of its short training
     * @param loss   class loss over the last of them; NaN if it could not be trained
     */
    public record Trial(int[] sizes, int epochs, double loss) {}

    SearchResult(
            Architecture architecture, List<String> layers, double[] soft, int[] sizes, long parameters, Cost.Kind kind, double cost,
            double budget, double seconds, long steps, List<float[]> weights, List<Trial> trials) {
        this.architecture = architecture;
        this.layers = layers;
        this.soft = soft.clone();
        this.sizes = sizes.clone();
        this.parameters = parameters;
        this.kind = kind;
        this.cost = cost;
        this.budget = budget;
        this.seconds = seconds;
        this.steps = steps;
        this.weights = weights;
        this.trials = trials;
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

    /** Wall clock of the search's epochs, its judgements and its trials. */
    public double seconds() {
        return seconds;
    }

    /** Steps of the search. */
    public long steps() {
        return steps;
    }

    /** What the search chose from at its end, in the order of trying; empty without trials. */
    public List<Trial> trials() {
        return trials;
    }

    /** The trials in the form of results: sizes, epochs, and the loss of those that could be trained. */
    public ArrayNode trialsToJson() {
        ArrayNode list = Json.object().putArray("trials");
        for (Trial trial : trials) {
            ObjectNode one = list.addObject();
            one.set("sizes", Json.tree(trial.sizes));
            one.put("epochs", trial.epochs);
            if (Double.isFinite(trial.loss)) {
                one.put("loss", trial.loss);
            }
        }
        return list;
    }

    /** Predicted weights at {@link #sizes}, per layer (K, k, k, C / groups): the start of a warm-started training. */
    List<float[]> weights() {
        return weights;
    }

    /** In the form of sizes.json. */
    public SizesFile toFile() {
        return new SizesFile(architecture.name(), parameters, new SizesFile.Budget(kind.key(), budget, cost), IntStream.range(0, sizes.length)
                .mapToObj(i -> new SizesFile.Layer(layers.get(i), sizes[i], soft[i]))
                .toList());
    }

    @Override
    public String toString() {
        return toFile().layers() + ", " + parameters + " parameters";
    }
}

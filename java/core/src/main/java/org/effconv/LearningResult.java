package org.effconv;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Collectors;
import org.effconv.io.Json;
import org.effconv.size.Cost;
import org.effconv.train.PeakMemory;

/** What {@link Learning} found and trained. Close it before the device. */
public final class LearningResult implements AutoCloseable {
    private final SearchResult search;
    private final TrainingResult learned;
    private final TrainingResult uniform;
    private final boolean keptUniform;
    private final int[] uniformSizes;
    private final long uniformParameters;
    private double measured = Double.NaN; // milliseconds

    private LearningResult(SearchResult search, TrainingResult learned, TrainingResult uniform, boolean keptUniform) {
        this.search = search;
        this.keptUniform = keptUniform;
        this.learned = learned;
        this.uniform = uniform;
        uniformSizes = uniform == null ? null : uniform.model().sizes();
        uniformParameters = uniform == null ? 0 : uniform.model().parameters();
    }

    static LearningResult alone(SearchResult search, TrainingResult learned) {
        return new LearningResult(search, learned, null, false);
    }

    static LearningResult compared(SearchResult search, TrainingResult learned, TrainingResult uniform) {
        return new LearningResult(search, learned, uniform, false);
    }

    /** The learned sizes are those of the uniform network, trained from the same fresh weights: one training is both. */
    static LearningResult keptUniform(SearchResult search, TrainingResult learned) {
        return new LearningResult(search, learned, null, true);
    }

    LearningResult measured(double milliseconds) {
        measured = milliseconds;
        return this;
    }

    /** What a batch took the network of the learned sizes, measured as its latency table was; NaN where the budget is none of time. */
    public double measuredMilliseconds() {
        return measured;
    }

    public SearchResult search() {
        return search;
    }

    /** The network of the learned sizes. */
    public TrainingResult learned() {
        return learned;
    }

    /** The network of one size, at the same cost; empty without comparison, and where the learned sizes are that network's. */
    public Optional<TrainingResult> uniform() {
        return Optional.ofNullable(uniform);
    }

    /** The run in figures; may be asked for after {@link #close}. */
    public ObjectNode toJson() {
        ObjectNode json = Json.object();
        json.put("architecture", search.architecture().name());
        ArrayNode layers = json.putArray("layers");
        for (int i = 0; i < search.layers().size(); i++) {
            layers.addObject().put("name", search.layers().get(i)).put("size", search.sizes()[i]).put("soft", search.softSizes()[i]);
        }
        json.put("parameters", search.parameters());
        json.put("cost", search.costKind().key()).put("spent", search.cost());
        if (Double.isFinite(search.budget())) {
            json.put("budget", search.budget()).put("spentOverBudget", search.cost() / search.budget());
        }
        if (Double.isFinite(measured)) {
            json.put("measuredMilliseconds", measured);
        }
        json.put("searchSeconds", search.seconds());
        json.set("trials", search.trialsToJson());
        put(json.putObject("learned"), learned);
        json.put("keptUniform", keptUniform);
        if (uniform != null) {
            ObjectNode u = json.putObject("uniform");
            u.set("sizes", Json.tree(uniformSizes));
            u.put("parameters", uniformParameters);
            put(u, uniform);
        }
        return json.put("peakRssBytes", PeakMemory.bytes());
    }

    private static void put(ObjectNode json, TrainingResult r) {
        json.put("testAccuracy", r.testAccuracy()).put("testLoss", r.testLoss()).put("seconds", r.seconds());
    }

    /** The run in a few lines for people; may be asked for after {@link #close}. */
    public String toText() {
        StringBuilder s = new StringBuilder();
        int width = search.layers().stream().mapToInt(String::length).max().orElse(0);
        s.append(String.format(Locale.ROOT, "%nkernel sizes of %s%n", search.architecture().name()));
        for (int i = 0; i < search.layers().size(); i++) {
            s.append(String.format(Locale.ROOT, "  %-" + width + "s  %2d   (soft %.2f)%n", search.layers().get(i), search.sizes()[i],
                    search.softSizes()[i]));
        }
        s.append(String.format(Locale.ROOT, "parameters     %,d", search.parameters()));
        if (search.costKind() != Cost.Kind.PARAMETERS) {
            s.append(String.format(Locale.ROOT, "%ncost           %s", search.costKind().format(search.cost())));
        }
        if (Double.isFinite(search.budget())) {
            s.append(String.format(Locale.ROOT, ", budget %s (%+.2f %%)", search.costKind().format(search.budget()),
                    100 * (search.cost() / search.budget() - 1)));
        }
        if (Double.isFinite(measured)) {
            s.append(String.format(Locale.ROOT, ", measured %s", search.costKind().format(measured)));
        }
        for (SearchResult.Trial trial : search.trials()) {
            s.append(String.format(Locale.ROOT, "%n%-13s  %s  %s", trial == search.trials().get(0) ? "trials" : "",
                    Arrays.stream(trial.sizes()).mapToObj(Integer::toString).collect(Collectors.joining(" ")),
                    Double.isFinite(trial.loss()) ? String.format(Locale.ROOT, "loss %.4f in epoch %d", trial.loss(), trial.epochs()) : "could not be trained"));
        }
        s.append(String.format(Locale.ROOT, "%nlearned sizes  test accuracy %.2f %%%n", 100 * learned.testAccuracy()));
        if (uniform != null) {
            s.append(String.format(Locale.ROOT, "%-13s  test accuracy %.2f %%, %,d parameters%s%n", uniformName(),
                    100 * uniform.testAccuracy(), uniformParameters, uniformNote()));
        }
        if (keptUniform) {
            s.append(String.format(Locale.ROOT, "%-13s  test accuracy %.2f %%: the search kept the uniform sizes (or the mix nearest to them): the same network%n",
                    "uniform", 100 * learned.testAccuracy()));
        }
        s.append(String.format(Locale.ROOT, "time           search %.1f s, training %.1f s", search.seconds(), learned.seconds()));
        if (uniform != null) {
            s.append(String.format(Locale.ROOT, ", training of the uniform network %.1f s", uniform.seconds()));
        }
        return s.append(String.format(Locale.ROOT, "%npeak memory    %.0f MiB resident%n", PeakMemory.bytes() / 1048576.0)).toString();
    }

    private boolean exactlyUniform() {
        return Arrays.stream(uniformSizes).distinct().count() == 1;
    }

    private String uniformName() {
        return exactlyUniform() ? "uniform " + uniformSizes[0] : "near-uniform";
    }

    private String uniformNote() {
        if (exactlyUniform()) {
            return "";
        }
        List<String> sizes = Arrays.stream(uniformSizes).mapToObj(Integer::toString).collect(Collectors.toList());
        return " (no single odd size meets the budget; the nearest mix is " + String.join(" ", sizes) + ")";
    }

    @Override
    public void close() {
        learned.close();
        if (uniform != null) {
            uniform.close();
        }
    }
}

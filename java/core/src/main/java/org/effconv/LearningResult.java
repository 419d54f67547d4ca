package org.effconv;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Collectors;
import org.effconv.io.Json;
import org.effconv.nn.NetworkPlan;
import org.effconv.train.PeakMemory;
import org.effconv.train.Work;

/** What {@link Learning} found and trained. Close it before the device. */
public final class LearningResult implements AutoCloseable {
    private static final double CHEAPER =
            0.95; // of the uniform network's multiply-adds: from there on down it is worth a word

    private final SearchResult search;
    private final TrainingResult learned;
    private final TrainingResult uniform; // null: not trained, or the same network
    private final boolean keptUniform;
    private final List<Plain> shapes;
    private final int[] uniformSizes;
    private final long uniformParameters;
    private final long uniformMultiplyAdds;
    private final long imagesAnEpoch;
    private final int testImages;
    private double[] milliseconds = {Double.NaN, Double.NaN}; // an image takes the learned and the uniform network
    private double measured = Double.NaN; // milliseconds of a batch

    /**
     * Another plain choice of the same cost, which was trained to compare with.
     *
     * @param name for people
     * @param sizes one per sized layer
     * @param multiplyAdds of an image, forward
     * @param testAccuracy share of right answers, 0..1
     */
    public record Plain(String name, int[] sizes, long multiplyAdds, long parameters, double testAccuracy) {}

    /**
     * @param uniformSizes of the network to compare with
     * @param uniform that network; null: not trained, or the same as the learned one
     * @param keptUniform whether it is the same
     * @param shapes other plain choices of that cost
     * @param imagesAnEpoch that training sees
     * @param testImages of the test part
     */
    LearningResult(
            SearchResult search,
            TrainingResult learned,
            int[] uniformSizes,
            TrainingResult uniform,
            boolean keptUniform,
            List<Plain> shapes,
            long imagesAnEpoch,
            int testImages) {
        NetworkPlan plan = learned.model().plan();
        this.search = search;
        this.learned = learned;
        this.uniformSizes = uniformSizes;
        this.uniform = uniform;
        this.keptUniform = keptUniform;
        this.shapes = List.copyOf(shapes);
        this.imagesAnEpoch = imagesAnEpoch;
        this.testImages = testImages;
        uniformParameters = plan.parameters(uniformSizes);
        uniformMultiplyAdds = plan.multiplyAdds(uniformSizes);
    }

    LearningResult measured(double batchMilliseconds) {
        measured = batchMilliseconds;
        return this;
    }

    LearningResult imageMilliseconds(double[] learnedAndUniform) {
        milliseconds = learnedAndUniform.clone();
        return this;
    }

    /**
     * What a batch took the network of the learned sizes, measured as its latency table was; NaN where the budget is
     * none of time.
     */
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

    /**
     * The network of one size, at the same cost; empty without comparison, and where the learned sizes are that
     * network's.
     */
    public Optional<TrainingResult> uniform() {
        return Optional.ofNullable(uniform);
    }

    /**
     * Other plain choices of that cost that were trained: sizes that rise with depth, and that fall; empty unless asked
     * for.
     */
    public List<Plain> shapes() {
        return shapes;
    }

    /** What learning and training took, without the training of the uniform network. */
    public Work work() {
        return search.work().plus(learned.work());
    }

    private double epochs(Work work) {
        return work.epochs(uniformMultiplyAdds, imagesAnEpoch);
    }

    /** Test accuracy of the best of what was trained to compare with: of the uniform network, if nothing else was. */
    private double plainAccuracy() {
        double best = uniform == null ? learned.testAccuracy() : uniform.testAccuracy();
        return shapes.stream().mapToDouble(Plain::testAccuracy).reduce(best, Math::max);
    }

    /** Points of accuracy that the learned network is ahead of that. */
    private double ahead() {
        return 100 * (learned.testAccuracy() - plainAccuracy());
    }

    /**
     * Standard error of that by the number of test images, as if each network had seen images of its own: at most so
     * much.
     */
    private double standardError() {
        double p = learned.testAccuracy();
        double q = plainAccuracy();
        return 100 * Math.sqrt((p * (1 - p) + q * (1 - q)) / testImages);
    }

    private boolean compared() {
        return uniform != null || !shapes.isEmpty();
    }

    /** The run in figures; may be asked for after {@link #close}. */
    public ObjectNode toJson() {
        ObjectNode json = Json.object();
        json.put("architecture", search.architecture().name());
        ArrayNode layers = json.putArray("layers");
        for (int i = 0; i < search.layers().size(); i++) {
            layers.addObject()
                    .put("name", search.layers().get(i))
                    .put("size", search.sizes()[i])
                    .put("soft", search.softSizes()[i]);
        }
        json.put("parameters", search.parameters()).put("multiplyAdds", search.multiplyAdds());
        json.put("cost", search.costKind().key()).put("spent", search.cost());
        if (Double.isFinite(search.budget())) {
            json.put("budget", search.budget()).put("spentOverBudget", search.cost() / search.budget());
        }
        number(json, "measuredMilliseconds", measured);
        json.put("searchSeconds", search.seconds());
        json.set("candidates", search.candidatesToJson());
        json.set("work", workJson());
        number(put(json.putObject("learned"), learned), "millisecondsAnImage", milliseconds[0]);
        json.put("keptUniform", keptUniform);
        if (uniform != null) {
            ObjectNode u = json.putObject("uniform");
            u.set("sizes", Json.tree(uniformSizes));
            u.put("parameters", uniformParameters).put("multiplyAdds", uniformMultiplyAdds);
            number(put(u, uniform), "millisecondsAnImage", milliseconds[1]);
        }
        for (Plain shape : shapes) {
            ObjectNode one = json.withArray("shapes").addObject().put("name", shape.name);
            one.set("sizes", Json.tree(shape.sizes));
            one.put("parameters", shape.parameters)
                    .put("multiplyAdds", shape.multiplyAdds)
                    .put("testAccuracy", shape.testAccuracy);
        }
        if (compared()) {
            json.put("pointsAhead", ahead()).put("pointsStandardError", standardError());
        }
        if (compared() || keptUniform) {
            json.put("gained", gained());
        }
        return json.put("peakRssBytes", PeakMemory.bytes());
    }

    private ObjectNode workJson() {
        ObjectNode json = work().put(Json.object()).put("uniformEpochs", epochs(work()));
        search.work().put(json.putObject("search")).put("uniformEpochs", epochs(search.work()));
        learned.work().put(json.putObject("training")).put("uniformEpochs", epochs(learned.work()));
        return json;
    }

    private static void number(ObjectNode json, String key, double value) {
        if (Double.isFinite(value)) {
            json.put(key, value);
        }
    }

    private static ObjectNode put(ObjectNode json, TrainingResult r) {
        json.put("testAccuracy", r.testAccuracy()).put("testLoss", r.testLoss()).put("seconds", r.seconds());
        json.set("test", r.test().toJson(r.model().classNames()));
        return json;
    }

    /** The run in a few lines for people; may be asked for after {@link #close}. */
    public String toText() {
        StringBuilder s = new StringBuilder();
        sizesText(s);
        candidatesText(s);
        networksText(s);
        workText(s);
        line(s, "peak memory    %.0f MiB resident", PeakMemory.bytes() / 1048576.0);
        return s.toString();
    }

    private void sizesText(StringBuilder s) {
        int width = search.layers().stream().mapToInt(String::length).max().orElse(0);
        line(s, "%nkernel sizes of %s", search.architecture().name());
        for (int i = 0; i < search.layers().size(); i++) {
            line(
                    s,
                    "  %-" + width + "s  %2d   (soft %.2f)",
                    search.layers().get(i),
                    search.sizes()[i],
                    search.softSizes()[i]);
        }
        if (Double.isFinite(search.budget())) {
            line(
                    s,
                    "budget         %s, spent %+.2f %%%s",
                    search.costKind().format(search.budget()),
                    100 * (search.cost() / search.budget() - 1),
                    Double.isFinite(measured)
                            ? ", measured " + search.costKind().format(measured)
                            : "");
        } else {
            line(s, "cost           %s", search.costKind().format(search.cost()));
        }
    }

    private void candidatesText(StringBuilder s) {
        for (int i = 0; i < search.candidates().size(); i++) {
            SearchResult.Candidate one = search.candidates().get(i);
            line(
                    s,
                    "%-13s  %s  %s",
                    i == 0 ? "candidates" : "",
                    words(one.sizes()),
                    one.steps() == 0
                            ? "not tried"
                            : Double.isFinite(one.loss())
                                    ? String.format(Locale.ROOT, "loss %.4f in step %d", one.loss(), one.steps())
                                    : "could not be trained");
        }
    }

    private void networksText(StringBuilder s) {
        line(
                s,
                "%-13s  %13s  %15s  %12s%s",
                "",
                "test accuracy",
                "multiply-adds",
                "parameters",
                timed() ? "  time of an image" : "");
        row(s, "learned sizes", learned.testAccuracy(), search.multiplyAdds(), search.parameters(), milliseconds[0]);
        if (uniform != null) {
            row(s, uniformName(), uniform.testAccuracy(), uniformMultiplyAdds, uniformParameters, milliseconds[1]);
            if (!exactlyUniform()) {
                line(s, "%-13s  (no single odd size meets the budget; the nearest mix is %s)", "", words(uniformSizes));
            }
        }
        shapes.forEach(
                shape -> row(s, shape.name, shape.testAccuracy, shape.multiplyAdds, shape.parameters, Double.NaN));
        if (compared()) {
            line(
                    s,
                    "%-13s  %+.2f points%s, with a standard error of at most %.2f by the %,d test images; another seed moves it, too",
                    "difference",
                    ahead(),
                    shapes.isEmpty() ? "" : " to the best of these",
                    standardError(),
                    testImages);
        }
        if (compared() || keptUniform) {
            line(s, "%-13s  %s", "gained", gained());
        }
    }

    private void workText(StringBuilder s) {
        line(
                s,
                "work           learning the sizes %.2f epochs of training %s (%.1f %% of it), training %.2f; %s in all, %.0f processor seconds",
                epochs(search.work()),
                uniformName(),
                100 * search.work().multiplyAdds() / learned.work().multiplyAdds(),
                epochs(learned.work()),
                work().toText(),
                work().processorSeconds());
        line(
                s,
                "time           search %.1f s, training %.1f s%s",
                search.seconds(),
                learned.seconds(),
                uniform == null
                        ? ""
                        : String.format(Locale.ROOT, ", training of the uniform network %.1f s", uniform.seconds()));
    }

    private static void line(StringBuilder s, String format, Object... values) {
        s.append(String.format(Locale.ROOT, format + "%n", values));
    }

    private void row(StringBuilder s, String name, double accuracy, long multiplyAdds, long parameters, double time) {
        line(
                s,
                "%-13s  %11.2f %%  %,15d  %,12d%s",
                name,
                100 * accuracy,
                multiplyAdds,
                parameters,
                Double.isFinite(time) ? String.format(Locale.ROOT, "  %13.3f ms", time) : "");
    }

    private boolean timed() {
        return Double.isFinite(milliseconds[0]);
    }

    private String gained() {
        if (keptUniform) {
            return "nothing: the sizes are those of the network nearest to uniform, which is what a plain training would have given";
        }
        double saved = 1 - (double) search.multiplyAdds() / uniformMultiplyAdds;
        String fewer = saved >= 1 - CHEAPER
                ? String.format(Locale.ROOT, " with %.0f %% fewer multiply-adds", 100 * saved)
                : "";
        if (ahead() > standardError()) {
            return "accuracy, by more than the standard error" + fewer;
        }
        if (ahead() < -standardError()) {
            return "no accuracy: the learned sizes are behind" + fewer;
        }
        return fewer.isEmpty() ? "nothing that this test part can show" : "about the same accuracy" + fewer;
    }

    private boolean exactlyUniform() {
        return Arrays.stream(uniformSizes).distinct().count() == 1;
    }

    private String uniformName() {
        return exactlyUniform() ? "uniform " + uniformSizes[0] : "near-uniform";
    }

    private static String words(int[] sizes) {
        return Arrays.stream(sizes).mapToObj(Integer::toString).collect(Collectors.joining(" "));
    }

    @Override
    public void close() {
        learned.close();
        if (uniform != null) {
            uniform.close();
        }
    }
}

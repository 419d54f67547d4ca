package org.effconv;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Collectors;
import org.effconv.io.Json;
import org.effconv.nn.NetworkPlan;
import org.effconv.train.PeakMemory;
import org.effconv.train.Work;

/** What {@link Learning} found and trained. Close it before the device. */
public final class LearningResult implements AutoCloseable {
    private static final double CHEAPER = 0.95; // of the uniform network's multiply-adds: from there on down it is worth a word

    private final SearchResult search;
    private final TrainingResult learned;
    private final TrainingResult uniform; // null: not trained, or the same network
    private final boolean keptUniform;
    private final int[] uniformSizes;
    private final long uniformParameters;
    private final long uniformMultiplyAdds;
    private final long imagesAnEpoch;
    private final int testImages;
    private double[] milliseconds = {Double.NaN, Double.NaN}; // an image takes the learned and the uniform network
    private double measured = Double.NaN; // milliseconds of a batch

    /**
     * @param uniformSizes  of the network to compare with
     * @param uniform       that network; null: not trained, or the same as the learned one
     * @param keptUniform   whether it is the same
     * @param imagesAnEpoch that training sees
     * @param testImages    of the test part
     */
    LearningResult(
            SearchResult search, TrainingResult learned, int[] uniformSizes, TrainingResult uniform, boolean keptUniform, long imagesAnEpoch,
            int testImages) {
        NetworkPlan plan = learned.model().plan();
        this.search = search;
        this.learned = learned;
        this.uniformSizes = uniformSizes;
        this.uniform = uniform;
        this.keptUniform = keptUniform;
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

    /** What learning and training took, without the training of the uniform network. */
    public Work work() {
        return search.work().plus(learned.work());
    }

    private double epochs(Work work) {
        return work.epochs(uniformMultiplyAdds, imagesAnEpoch);
    }

    /** Points of accuracy that the learned network is ahead of the uniform one; 0 if they are the same, NaN without comparison. */
    private double ahead() {
        return keptUniform ? 0 : uniform == null ? Double.NaN : 100 * (learned.testAccuracy() - uniform.testAccuracy());
    }

    /** Standard error of that by the number of test images, as if each network had seen images of its own: at most so much. */
    private double standardError() {
        double p = learned.testAccuracy();
        double q = uniform.testAccuracy();
        return 100 * Math.sqrt((p * (1 - p) + q * (1 - q)) / testImages);
    }

    /** The run in figures; may be asked for after {@link #close}. */
    public ObjectNode toJson() {
        ObjectNode json = Json.object();
        json.put("architecture", search.architecture().name());
        ArrayNode layers = json.putArray("layers");
        for (int i = 0; i < search.layers().size(); i++) {
            layers.addObject().put("name", search.layers().get(i)).put("size", search.sizes()[i]).put("soft", search.softSizes()[i]);
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
            json.put("pointsAhead", ahead()).put("pointsStandardError", standardError());
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
        return json.put("testAccuracy", r.testAccuracy()).put("testLoss", r.testLoss()).put("seconds", r.seconds());
    }

    /** The run in a few lines for people; may be asked for after {@link #close}. */
    public String toText() {
        StringBuilder s = new StringBuilder();
        int width = search.layers().stream().mapToInt(String::length).max().orElse(0);
        line(s, "%nkernel sizes of %s", search.architecture().name());
        for (int i = 0; i < search.layers().size(); i++) {
            line(s, "  %-" + width + "s  %2d   (soft %.2f)", search.layers().get(i), search.sizes()[i], search.softSizes()[i]);
        }
        if (Double.isFinite(search.budget())) {
            line(s, "budget         %s, spent %+.2f %%%s", search.costKind().format(search.budget()), 100 * (search.cost() / search.budget() - 1),
                    Double.isFinite(measured) ? ", measured " + search.costKind().format(measured) : "");
        } else {
            line(s, "cost           %s", search.costKind().format(search.cost()));
        }
        for (int i = 0; i < search.candidates().size(); i++) {
            SearchResult.Candidate one = search.candidates().get(i);
            line(s, "%-13s  %s  %s", i == 0 ? "candidates" : "", words(one.sizes()),
                    one.steps() == 0 ? "not tried" : Double.isFinite(one.loss()) ? String.format(Locale.ROOT, "loss %.4f in step %d", one.loss(), one.steps())
                            : "could not be trained");
        }
        line(s, "%-13s  %13s  %15s  %12s%s", "", "test accuracy", "multiply-adds", "parameters", timed() ? "  time of an image" : "");
        row(s, "learned sizes", learned, search.multiplyAdds(), search.parameters(), milliseconds[0]);
        if (uniform != null) {
            row(s, uniformName(), uniform, uniformMultiplyAdds, uniformParameters, milliseconds[1]);
            line(s, "%-13s  %+.2f points, with a standard error of at most %.2f by the %,d test images; another seed moves it, too%s", "difference",
                    ahead(), standardError(), testImages, exactlyUniform() ? "" : "%n".formatted() + " ".repeat(15)
                    + "(no single odd size meets the budget; the nearest mix is " + words(uniformSizes) + ")");
        }
        if (uniform != null || keptUniform) {
            line(s, "%-13s  %s", "gained", gained());
        }
        line(s, "work           learning the sizes %.2f epochs of training %s (%.1f %% of it), training %.2f; %s in all, %.0f processor seconds",
                epochs(search.work()), uniformName(), 100 * search.work().multiplyAdds() / learned.work().multiplyAdds(),
                epochs(learned.work()), work().toText(), work().processorSeconds());
        line(s, "time           search %.1f s, training %.1f s%s", search.seconds(), learned.seconds(),
                uniform == null ? "" : String.format(Locale.ROOT, ", training of the uniform network %.1f s", uniform.seconds()));
        line(s, "peak memory    %.0f MiB resident", PeakMemory.bytes() / 1048576.0);
        return s.toString();
    }

    private static void line(StringBuilder s, String format, Object... values) {
        s.append(String.format(Locale.ROOT, format + "%n", values));
    }

    private void row(StringBuilder s, String name, TrainingResult result, long multiplyAdds, long parameters, double time) {
        line(s, "%-13s  %11.2f %%  %,15d  %,12d%s", name, 100 * result.testAccuracy(), multiplyAdds, parameters,
                timed() ? String.format(Locale.ROOT, "  %13.3f ms", time) : "");
    }

    private boolean timed() {
        return Double.isFinite(milliseconds[0]);
    }

    private String gained() {
        if (keptUniform) {
            return "nothing: the sizes are those of the network nearest to uniform, which is what a plain training would have given";
        }
        double saved = 1 - (double) search.multiplyAdds() / uniformMultiplyAdds;
        String fewer = saved >= 1 - CHEAPER ? String.format(Locale.ROOT, " with %.0f %% fewer multiply-adds", 100 * saved) : "";
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

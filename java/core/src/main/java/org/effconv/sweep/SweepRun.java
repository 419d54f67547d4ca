package org.effconv.sweep;

import com.fasterxml.jackson.databind.node.ObjectNode;
import org.effconv.Settings;
import org.effconv.io.Json;
import org.effconv.nn.Architecture;

/**
 * One search or one training of a sweep.
 *
 * @param kind what is run
 * @param architecture of the network
 * @param budget as the user wrote it
 * @param target what that is, in the unit of the budget's cost
 * @param method whose sizes are trained; of a search the one that first asks for it
 * @param variant which of a method's networks: a size ("k5"), a draw ("draw2"); of a search
 *     {@link Method#searchVariant}; or ""
 * @param sizes kernel sizes to train; null in a search, and where they come from the search {@code search}
 * @param search id of the search that must have ended before, for its sizes or, where the method has no search, for the
 *     work to match; null without one
 * @param data what the sweep calls its images, and what they are
 * @param settings complete, with architecture, data, images, budget and seed of this run
 */
public record SweepRun(
        Kind kind,
        Architecture architecture,
        String budget,
        double target,
        Method method,
        String variant,
        int[] sizes,
        String search,
        Data data,
        Settings settings) {
    /**
     * A dataset of a sweep.
     *
     * @param name as it was written when the sweep began, wherever it lies now
     * @param digest of its images, labels and classes
     */
    public record Data(String name, String digest) {}

    /** What is run. */
    public enum Kind {
        /** Of kernel sizes. */
        SEARCH,
        /** Of a network of given sizes. */
        TRAINING,
        /** Of a network with continuous kernels. */
        CONTINUOUS
    }

    /** Unique in a sweep, and stable: what a row of the results is found by. */
    public String id() {
        String name = kind == Kind.SEARCH ? "search" : method.text();
        String what = variant.isEmpty() ? name : name + "-" + variant;
        return task() + "/" + budget + "/" + what + "/seed" + seed();
    }

    /** Architecture, data and images: what accuracies may be compared within. */
    public String task() {
        int images = settings.get(Settings.TRAIN_IMAGES);
        return architecture.name() + "/" + data.name + (images == 0 ? "" : "/" + images);
    }

    public long seed() {
        return settings.get(Settings.SEED);
    }

    /** The same with sizes, which a search has found meanwhile. */
    public SweepRun withSizes(int[] found) {
        return new SweepRun(kind, architecture, budget, target, method, variant, found, search, data, settings);
    }

    /** The same, trained for so many epochs. */
    SweepRun withEpochs(int epochs) {
        return new SweepRun(
                kind,
                architecture,
                budget,
                target,
                method,
                variant,
                sizes,
                search,
                data,
                settings.with(Settings.EPOCHS, epochs));
    }

    /** Equal for trainings that are bit for bit the same, whatever method they serve. */
    public String training() {
        return task() + "/" + (kind == Kind.CONTINUOUS ? "continuous" : Json.line(sizes)) + "/epochs"
                + settings.get(Settings.EPOCHS) + "/seed" + seed();
    }

    /** What a row says of the run, beside its results. */
    public ObjectNode identity() {
        ObjectNode json = Json.object();
        json.put("kind", kind == Kind.SEARCH ? "search" : "training")
                .put("id", id())
                .put("arch", architecture.name())
                .put("archDigest", architecture.digest())
                .put("data", data.name)
                .put("dataDigest", data.digest)
                .put("trainImages", settings.get(Settings.TRAIN_IMAGES))
                .put("budget", budget)
                .put("budgetCost", settings.budget().cost().key())
                .put("budgetTarget", target);
        if (kind != Kind.SEARCH) {
            json.put("method", method.text()).put("variant", variant).put("epochs", settings.get(Settings.EPOCHS));
        }
        return json.put("seed", seed());
    }
}

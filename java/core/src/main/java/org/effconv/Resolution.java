package org.effconv;

import java.nio.file.Path;
import java.util.Locale;
import java.util.Optional;
import org.effconv.backend.Compute;
import org.effconv.backend.MaskKind;
import org.effconv.backend.OptimizerRule;
import org.effconv.choice.SizeRounding;
import org.effconv.cost.Cost;
import org.effconv.data.Augmentation;
import org.effconv.data.Dataset;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.latency.LatencyTable;
import org.effconv.nn.NetworkPlan;
import org.effconv.nn.SizedLayer;
import org.effconv.predict.SearchSettings;
import org.effconv.run.OneRun;
import org.effconv.run.RunInputs;
import org.effconv.run.SizeLearning;
import org.effconv.run.SizeTarget;
import org.effconv.run.TwoStages;
import org.effconv.train.MemoryNeed;
import org.effconv.train.OptimizerSettings;
import org.effconv.train.Phase;
import org.effconv.train.Schedule;
import org.effconv.train.TrainingOptions;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** From settings to the values that a job runs with. A job comes here before it starts, and not again. */
final class Resolution {
    private static final Logger LOG = LoggerFactory.getLogger(Resolution.class);
    private static final SearchSettings STANDARD = SearchSettings.standard();
    private static final double MOMENTUM = 0.9;
    private static final String ADAMW = "adamw";
    private static final double PROBE_WARMUP = 0.1;
    private static final double PROBE_FROZEN = 0.1;
    private static final String STEADY = "steady";
    static final String NO_SIZE_PREDICTOR = "none";

    private Resolution() {}

    static RunInputs inputs(Settings settings, Compute compute, NetworkPlan plan, Dataset data) {
        return new RunInputs(compute, plan, training(settings, data));
    }

    /** Of the training of the network found. */
    static TrainingOptions training(Settings settings, Dataset data) {
        boolean adam = settings.get(Settings.OPTIMIZER).equals(ADAMW);
        OptimizerRule rule =
                (adam ? OptimizerRule.adamW() : OptimizerRule.sgd(MOMENTUM)).withClipNorm(settings.get(Settings.CLIP));
        double rate = settings.get(Settings.LR) > 0
                ? settings.get(Settings.LR)
                : adam ? Settings.ADAMW_RATE : Settings.SGD_RATE;
        double decay = settings.get(Settings.WEIGHT_DECAY) >= 0
                ? settings.get(Settings.WEIGHT_DECAY)
                : adam ? Settings.ADAMW_DECAY : Settings.SGD_DECAY;
        Schedule schedule = Schedule.named(settings.get(Settings.SCHEDULE), settings.get(Settings.WARMUP));
        return new TrainingOptions(
                settings.get(Settings.EPOCHS),
                settings.get(Settings.BATCH),
                new OptimizerSettings(rule, rate, decay, schedule),
                settings.get(Settings.SMOOTHING),
                augmentation(settings, data),
                settings.get(Settings.SEED));
    }

    // Planted images lose their meaning when moved or mirrored; grey images are often characters, which mirroring
    // changes.
    static Augmentation augmentation(Settings settings, Dataset data) {
        if (!settings.get(Settings.AUGMENT) || data.name().startsWith("planted:")) {
            return Augmentation.none();
        }
        return new Augmentation(
                Math.min(Augmentation.MAX_PAD, Math.min(data.height(), data.width()) / 8), data.channels() == 3);
    }

    static Phase.TestPart testPart(Settings settings) {
        return settings.get(Settings.BEST_EPOCH) ? Phase.TestPart.EVERY_EPOCH : Phase.TestPart.LAST_EPOCH;
    }

    /**
     * What the probe of one run takes from settings: the paper's own update, at the predicted sizes themselves, and the
     * optimiser that its predictors were tried with, whichever the training has.
     */
    private static OneRun.Probe probe(Settings settings, Dataset data) {
        Settings own = settings.with(Settings.OPTIMIZER, ADAMW)
                .with(Settings.LR, 0.0)
                .with(Settings.WEIGHT_DECAY, -1.0)
                .with(Settings.SCHEDULE, "cosine")
                .with(Settings.WARMUP, PROBE_WARMUP);
        return new OneRun.Probe(probe(settings), training(own, data));
    }

    static SearchSettings probe(Settings settings) {
        return search(settings)
                .change()
                .update(SearchSettings.Update.GRADIENT)
                .start(0)
                .frozen(PROBE_FROZEN)
                .closing(0)
                .spread(0)
                .price(STANDARD.price())
                .build();
    }

    /** What a search takes from settings. */
    static SearchSettings search(Settings settings) {
        return STANDARD.change()
                .mask(MaskKind.valueOf(upper(settings.get(Settings.MASK))))
                .kernels(SearchSettings.Kernels.valueOf(upper(settings.get(Settings.PREDICTOR))))
                .update(SearchSettings.Update.valueOf(upper(settings.get(Settings.SIZE_UPDATE))))
                .start(settings.get(Settings.START_SIZE))
                .frozen(settings.get(Settings.FROZEN))
                .closing(polish(settings) > 0 ? settings.get(Settings.CLOSING) : 0)
                .spread(settings.get(Settings.SPREAD))
                .price(settings.get(Settings.PRICE))
                .ceiling(settings.get(Settings.CEILING))
                .build();
    }

    // A choice that only has to stay below a ceiling is rounded.
    private static int polish(Settings settings) {
        return settings.get(Settings.CEILING) ? 0 : settings.get(Settings.POLISH);
    }

    private static String upper(String name) {
        return name.toUpperCase(Locale.ROOT);
    }

    /**
     * The latency table that settings name.
     *
     * @throws InvalidInput if they name none, or the file is wrong
     */
    static LatencyTable latencyTable(Settings settings) {
        if (settings.get(Settings.LATENCY_TABLE).equals(Settings.NO_TABLE)) {
            throw new InvalidInput("budget '" + settings.get(Settings.BUDGET)
                    + "' counts time: expected --latency-table FILE, which 'effconv latency-table' measures");
        }
        return LatencyTable.read(Path.of(settings.get(Settings.LATENCY_TABLE)));
    }

    /** @param table what time is counted by; empty if the budget counts something else */
    static Cost cost(Settings settings, Compute compute, NetworkPlan plan, Optional<LatencyTable> table) {
        return switch (settings.costKind()) {
            case PARAMETERS -> Cost.parameters(compute.backend(), plan);
            case MULTIPLY_ADDS -> Cost.multiplyAdds(compute.backend(), plan);
            case LATENCY -> table.orElseThrow().cost(compute, plan, settings.get(Settings.LATENCY_TABLE));
        };
    }

    /** What a job's sizes may cost, once its search settings have been checked. */
    static SizeTarget target(Job<?> job, RunInputs inputs) {
        Settings settings = job.settings();
        check(settings, inputs.plan());
        Optional<LatencyTable> table = job.latencyTable();
        Cost cost = cost(settings, inputs.compute(), inputs.plan(), table);
        return new SizeTarget(settings.budget(), cost, settings.budget().target(cost), table);
    }

    /**
     * Checks what needs no device: that search settings go together, and that what a search trains for a network is not
     * too large.
     *
     * @throws InvalidInput if it is not so
     */
    static void check(Settings settings, NetworkPlan plan) {
        checkTogether(settings);
        values(plan, search(settings)); // refuses those that do not go together
    }

    /** Checks that what a search trains is not too large, and has room in memory. */
    static void checkMemory(Job<?> job, RunInputs inputs, Dataset data, SearchSettings search) {
        MemoryNeed.ofTraining(
                inputs.compute(),
                inputs.plan(),
                data,
                inputs.training(),
                values(inputs.plan(), search),
                job.out() != null);
    }

    private static long values(NetworkPlan plan, SearchSettings search) {
        plan.checkSizes(plan.largestSizes());
        long values = plan.fixedParameters();
        for (SizedLayer layer : plan.sizedLayers()) {
            long kernels = search.kernelValues(layer);
            plan.checkValues(layer, kernels, "values that a search learns in place of its kernels");
            values += kernels;
        }
        return values;
    }

    /** Epochs that learning sizes takes beside the training of the network found; about so many in one run. */
    static double overheadEpochs(Settings settings) {
        int fixed = settings.get(Settings.SEARCH_EPOCHS);
        return settings.oneRun() && fixed == 0
                ? OneRun.overheadEpochs(settings.get(Settings.EPOCHS))
                : searchEpochs(settings);
    }

    /** Epochs of the search of two stages. */
    static int searchEpochs(Settings settings) {
        int fixed = settings.get(Settings.SEARCH_EPOCHS);
        double share = settings.get(Settings.SEARCH_FRACTION) * settings.get(Settings.EPOCHS);
        int most = settings.hasTarget() ? Settings.MOST_SEARCH_EPOCHS : Settings.MOST_OPEN_SEARCH_EPOCHS;
        return fixed > 0 ? fixed : (int) Math.max(1, Math.min(most, Math.ceil(share - 1e-9)));
    }

    static boolean sizePredictor(Settings settings) {
        return !settings.get(Settings.SIZE_PREDICTOR).equals(NO_SIZE_PREDICTOR);
    }

    private static void checkTogether(Settings settings) {
        if (!sizePredictor(settings) && !settings.get(Settings.SIZE_UPDATE).equals(STEADY)) {
            throw new InvalidInput("--size-predictor none: expected with --size-update steady only");
        }
        if (settings.budget().asGoodAs() && !settings.oneRun()) {
            throw new InvalidInput("budget '" + settings.get(Settings.BUDGET)
                    + "': candidates are compared within the one training; expected "
                    + "--flow one-run and no --ceiling, or another budget, such as k5");
        }
        if (settings.get(Settings.WARM_START) && settings.oneRun()) {
            throw new InvalidInput(
                    "--warm-start: in one run the training goes on anyway; expected with --flow two-stage only");
        }
    }

    /** A job's way to learn sizes, once its budget and the device's memory have been checked. */
    static SizeLearning learning(Job<?> job, RunInputs inputs, SizeTarget target, Dataset data) {
        Settings settings = job.settings();
        if (settings.hasTarget() && !target.budget().asGoodAs()) {
            SizeRounding.requireReachable(target.cost(), target.amount());
        }
        checkMemory(job, inputs, data, search(settings));
        if (!settings.oneRun()) {
            LOG.info("sizes are learned in two stages");
            return new TwoStages(
                    inputs,
                    target,
                    new TwoStages.Search(
                            search(settings), sizePredictor(settings), searchEpochs(settings), polish(settings)));
        }
        if (!settings.givenForTwoStages().isEmpty()) {
            LOG.warn(
                    "{}: of no effect in one run, but with --flow two-stage",
                    String.join(", ", settings.givenForTwoStages()));
        }
        return new OneRun(inputs, target, probe(settings, data), overheadEpochs(settings));
    }
}

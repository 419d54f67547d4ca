package org.effconv;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.effconv.choice.SizeRounding;
import org.effconv.cost.Budget;
import org.effconv.cost.Cost;
import org.effconv.data.Dataset;
import org.effconv.error.EffconvException;
import org.effconv.nn.Architecture;
import org.effconv.nn.NetworkPlan;
import org.effconv.nn.SizedLayer;
import org.effconv.predict.SearchSettings;
import org.effconv.train.Phase;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Learns the kernel sizes of an architecture's convolutions under a budget of parameters, multiply-adds or time. */
public final class KernelSizeSearch extends Job<KernelSizeSearch> {
    private static final Logger LOG = LoggerFactory.getLogger(KernelSizeSearch.class);

    private KernelSizeSearch(Settings settings, Architecture architecture) {
        super("search", settings, architecture);
    }

    /** For a built-in architecture, or one of the user's own in a .json file. */
    public static KernelSizeSearch of(String architecture) {
        return new KernelSizeSearch(Settings.standard(), architecture(architecture));
    }

    public static KernelSizeSearch of(Architecture architecture) {
        return new KernelSizeSearch(Settings.standard(), architecture);
    }

    private KernelSizeSearch(Path folder) {
        super("search", folder);
    }

    /** With all settings given; the architecture is this one. */
    public static KernelSizeSearch of(Settings settings, Architecture architecture) {
        return new KernelSizeSearch(settings, architecture);
    }

    /** Continues the run in a folder; its settings are the run's. */
    public static KernelSizeSearch resume(Path folder) {
        return new KernelSizeSearch(folder);
    }

    @Override
    KernelSizeSearch self() {
        return this;
    }

    /**
     * A number of parameters ("120k") or of multiply-adds ("30MMAC"), a time ("4.2ms"), a ratio to uniform size 3
     * ("1.5x"), a uniform size ("k5") or "auto". What the last three count is {@link Settings#COST}.
     */
    public KernelSizeSearch budget(String budget) {
        return set(Settings.BUDGET, budget);
    }

    /**
     * Epochs to spend on learning sizes. Those of the training that they are for, which one run begins, are
     * {@link Settings#EPOCHS}.
     */
    public KernelSizeSearch epochs(int epochs) {
        return set(Settings.SEARCH_EPOCHS, epochs);
    }

    /**
     * Runs the search on the dataset's training part.
     *
     * @throws EffconvException.InvalidInput if settings, data and architecture do not fit together
     * @throws EffconvException.JobFailed if the loss is no longer finite, or no odd sizes meet the budget
     */
    public SearchResult run(Device device, Dataset images) {
        Dataset data = select(images, settings());
        try (Device.Claim claim = device.claim()) {
            NetworkPlan plan = plan(data);
            check(this, device, data, plan);
            return inFolder(
                    device, data, context -> choose(this, context, device, plan).result());
        }
    }

    /** Checks a job's budget and search settings against a network, and the network against the device. */
    static void check(Job<?> job, Device device, Dataset data, NetworkPlan plan) {
        Settings settings = job.settings();
        check(settings, plan);
        SearchSettings search = settings.search();
        Budget budget = settings.budget();
        Cost cost = job.cost(device, plan);
        double target = budget.target(cost);
        if (Double.isFinite(target) && !search.ceiling() && !budget.asGoodAs()) {
            SizeRounding.requireReachable(cost, target);
        }
        checkSize(job, device, data, plan, search);
    }

    /**
     * Checks what needs no device: that search settings go together, and that what a search trains for a network is not
     * too large.
     *
     * @throws EffconvException.InvalidInput if it is not so
     */
    public static void check(Settings settings, NetworkPlan plan) {
        if (settings.get(Settings.SIZE_PREDICTOR).equals("none")
                && !settings.get(Settings.SIZE_UPDATE).equals("steady")) {
            throw new EffconvException.InvalidInput("--size-predictor none: expected with --size-update steady only");
        }
        if (settings.budget().asGoodAs() && !settings.oneRun()) {
            throw new EffconvException.InvalidInput("budget '" + settings.get(Settings.BUDGET)
                    + "': candidates are compared within the one training; expected "
                    + "--flow one-run and no --ceiling, or another budget, such as k5");
        }
        if (settings.get(Settings.WARM_START) && settings.oneRun()) {
            throw new EffconvException.InvalidInput(
                    "--warm-start: in one run the training goes on anyway; expected with --flow two-stage only");
        }
        values(plan, settings.search()); // refuses those that do not go together, before anything is written
    }

    /** Checks that what a search trains is not too large, and has room in memory. */
    static void checkSize(Job<?> job, Device device, Dataset data, NetworkPlan plan, SearchSettings search) {
        MemoryNeed.check(job, device, data, plan, values(plan, search));
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

    /** Whether these settings choose sizes within the training that they are for. */
    public static boolean inOneRun(Settings settings) {
        return settings.oneRun();
    }

    /**
     * Epochs that learning sizes takes with these settings, beside the training of the network found; about so many in
     * one run.
     */
    public static double overheadEpochs(Settings settings) {
        return settings.oneRun() ? OneRun.overheadEpochs(settings) : epochs(settings);
    }

    /** Epochs of the search of two stages with these settings. */
    public static int epochs(Settings settings) {
        int fixed = settings.get(Settings.SEARCH_EPOCHS);
        double share = settings.get(Settings.SEARCH_FRACTION) * settings.get(Settings.EPOCHS);
        int most = settings.hasTarget() ? Settings.MOST_SEARCH_EPOCHS : Settings.MOST_OPEN_SEARCH_EPOCHS;
        return fixed > 0 ? fixed : (int) Math.max(1, Math.min(most, Math.ceil(share - 1e-9)));
    }

    /**
     * What the budget of some settings counts, for a network on a device.
     *
     * @param table what time is counted by; null if the budget counts something else
     */
    public static Cost cost(Device device, NetworkPlan plan, Settings settings, LatencyTable table) {
        return switch (settings.costKind()) {
            case PARAMETERS -> Cost.parameters(device.backend(), plan);
            case MULTIPLY_ADDS -> Cost.multiplyAdds(device.backend(), plan);
            case LATENCY -> table.cost(device, plan, settings.get(Settings.LATENCY_TABLE));
        };
    }

    @Override
    void addIdentity(ObjectNode identity) {
        addLatencyTable(identity);
    }

    /**
     * What a search decided.
     *
     * @param result that it gives
     * @param left where the training of each of its candidates was left, to go on with; null: it has not begun
     */
    record Chosen(SearchResult result, List<Phase.Left> left) {
        /** Where the training of these sizes was left; null: it has not begun. */
        Phase.Left left(int[] sizes) {
            for (int i = 0; i < left.size(); i++) {
                if (Arrays.equals(result.candidates().get(i).sizes(), sizes)) {
                    return left.get(i);
                }
            }
            return null;
        }
    }

    /** The search of a job, within its run folder if there is one. */
    static Chosen choose(Job<?> job, Phase.Context context, Device device, NetworkPlan plan) {
        Settings settings = job.settings();
        if (settings.oneRun() && !settings.givenForTwoStages().isEmpty()) {
            LOG.warn(
                    "{}: of no effect in one run, but with --flow two-stage",
                    String.join(", ", settings.givenForTwoStages()));
        }
        if (!settings.oneRun()) {
            LOG.info("sizes are learned in two stages");
        }
        Chosen chosen = settings.oneRun()
                ? OneRun.choose(job, context, device, plan)
                : new Chosen(PredictorSearch.search(job, context, device, plan), List.of());
        if (context.folder() != null) {
            chosen.result.toFile().write(context.folder().file("sizes.json"));
        }
        return chosen;
    }

    static List<String> layerNames(NetworkPlan plan) {
        return plan.sizedLayers().stream().map(SizedLayer::name).toList();
    }
}

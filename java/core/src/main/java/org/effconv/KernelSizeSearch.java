package org.effconv;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.Optional;
import org.effconv.cost.Cost;
import org.effconv.data.Dataset;
import org.effconv.error.EffconvException;
import org.effconv.latency.LatencyTable;
import org.effconv.nn.Architecture;
import org.effconv.nn.NetworkPlan;
import org.effconv.predict.SearchSettings;
import org.effconv.run.RunInputs;
import org.effconv.run.SizeLearning;

/** Learns the kernel sizes of an architecture's convolutions under a budget of parameters, multiply-adds or time. */
public final class KernelSizeSearch extends Job<KernelSizeSearch> {
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
            RunInputs inputs = inputs(device, data);
            SizeLearning learning = Resolution.learning(this, inputs, Resolution.target(this, inputs), data);
            return inFolder(
                    device,
                    data,
                    context -> new SearchResult(SearchResult.write(learning.choose(context), context)
                            .found()));
        }
    }

    /**
     * Checks what needs no device: that search settings go together, and that what a search trains for a network is not
     * too large.
     *
     * @throws EffconvException.InvalidInput if it is not so
     */
    public static void check(Settings settings, NetworkPlan plan) {
        Resolution.check(settings, plan);
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
        return Resolution.overheadEpochs(settings);
    }

    /** How a search of two stages moves sizes, and where its kernels come from. */
    public static SearchSettings searchSettings(Settings settings) {
        return Resolution.search(settings);
    }

    /** The same for the probe of one run. */
    public static SearchSettings probeSettings(Settings settings) {
        return Resolution.probe(settings);
    }

    /**
     * The latency table that settings name, read from its file.
     *
     * @throws EffconvException.InvalidInput if they name none, or the file is wrong
     */
    public static LatencyTable latencyTable(Settings settings) {
        return Resolution.latencyTable(settings);
    }

    /**
     * What the budget of some settings counts, for a network on a device.
     *
     * @param table what time is counted by; null if the budget counts something else
     */
    public static Cost cost(Device device, NetworkPlan plan, Settings settings, LatencyTable table) {
        return Resolution.cost(settings, device.compute(), plan, Optional.ofNullable(table));
    }

    @Override
    void addIdentity(ObjectNode identity) {
        addLatencyTable(identity);
    }
}

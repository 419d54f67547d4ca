package org.effconv;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.effconv.choice.SizeLadder;
import org.effconv.choice.SizePath;
import org.effconv.choice.SizeRounding;
import org.effconv.cost.BudgetRange;
import org.effconv.cost.Cost;
import org.effconv.data.Dataset;
import org.effconv.error.EffconvException;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.nn.Architecture;
import org.effconv.nn.Network;
import org.effconv.predict.SearchSettings;
import org.effconv.run.RunInputs;
import org.effconv.run.TwoStages;
import org.effconv.search.RangeWeights;
import org.effconv.train.Phase;
import org.effconv.train.TrainingOptions;

/** Learns the kernel sizes of an architecture's convolutions for a whole range of budgets, in one search. */
public final class BudgetRangeSearch extends Job<BudgetRangeSearch> {
    static final String COMMAND = "search-any";
    /** The range where none is given. */
    public static final String STANDARD = "any";

    private BudgetRangeSearch(Settings settings, Architecture architecture) {
        super(COMMAND, settings, architecture);
    }

    private BudgetRangeSearch(Path folder) {
        super(COMMAND, folder);
    }

    /**
     * For a built-in architecture, or one of the user's own in a .json file; uniform size 3 to 7 unless told otherwise.
     */
    public static BudgetRangeSearch of(String architecture) {
        return new BudgetRangeSearch(Settings.standard().with(Settings.BUDGET, STANDARD), architecture(architecture));
    }

    /** With all settings given; the architecture is this one. */
    public static BudgetRangeSearch of(Settings settings, Architecture architecture) {
        return new BudgetRangeSearch(settings, architecture);
    }

    /** Continues the run in a folder; its settings are the run's. */
    public static BudgetRangeSearch resume(Path folder) {
        return new BudgetRangeSearch(folder);
    }

    @Override
    BudgetRangeSearch self() {
        return this;
    }

    /** A range: "any" (k3 to k7), or its ends in the forms of {@link KernelSizeSearch#budget}, as "any:100k..300k". */
    public BudgetRangeSearch budget(String range) {
        return set(Settings.BUDGET, range);
    }

    /** Epochs of the search. */
    public BudgetRangeSearch epochs(int epochs) {
        return set(Settings.SEARCH_EPOCHS, epochs);
    }

    @Override
    void addIdentity(ObjectNode identity) {
        addLatencyTable(identity);
    }

    /**
     * Runs the search on the dataset's training part; writes budgets.json into the run folder, if there is one.
     *
     * @throws InvalidInput if settings, data and architecture do not fit together
     * @throws EffconvException.JobFailed if the loss is no longer finite
     */
    public BudgetRangeSearchResult run(Device device, Dataset images) {
        Dataset data = select(images, settings());
        try (Device.Claim claim = device.claim()) {
            RunInputs inputs = inputs(device, data);
            Cost cost = Resolution.cost(settings(), inputs.compute(), inputs.plan(), latencyTable());
            BudgetRange range = settings().budgetRange();
            double[] ends = range.targets(cost); // refuses those that no sizes meet
            SearchSettings search = searchSettings();
            Resolution.checkMemory(this, inputs, data, search);
            TrainingOptions training = inputs.training().withEpochs(Resolution.searchEpochs(settings()));
            boolean follower = Resolution.sizePredictor(settings());
            return inFolder(device, data, context -> {
                try (RangeWeights weights = RangeWeights.of(
                                context.backend(),
                                inputs.compute().parameterType(),
                                cost,
                                range,
                                search,
                                inputs.seed());
                        Network network = inputs.network()) {
                    if (!follower) {
                        weights.withoutSizePredictor();
                    }
                    return search(context, network, weights, training, cost, ends);
                }
            });
        }
    }

    // It has no last part, so that there is more of the others.
    private SearchSettings searchSettings() {
        return Resolution.search(settings().with(Settings.CLOSING, 0.0));
    }

    private static BudgetRangeSearchResult search(
            Phase.Context context,
            Network network,
            RangeWeights weights,
            TrainingOptions training,
            Cost cost,
            double[] ends) {
        Phase.Outcome outcome = Phase.run(
                context,
                TwoStages.PHASE,
                network,
                weights,
                training,
                new MiddleSizes(weights, cost),
                Phase.TestPart.NEVER);
        SizePath path = weights.path();
        BudgetRangeSearchResult result = BudgetRangeSearchResult.of(
                cost.plan(),
                cost,
                ends,
                SizeLadder.of(path, ends[0], ends[1]),
                SizeLadder.apart(path, ends[0], ends[1]),
                outcome.seconds());
        if (context.folder() != null) {
            result.write(context.folder().file(BudgetRangeSearchResult.FILE));
        }
        return result;
    }

    /** What metrics say of the sizes: those at the middle budget. */
    private record MiddleSizes(RangeWeights weights, Cost cost) implements Phase.Sizes {
        private int[] rounded() {
            return SizeRounding.round(weights.middleSizes(), cost);
        }

        @Override
        public List<Integer> sizes() {
            return Arrays.stream(rounded()).boxed().toList();
        }

        @Override
        public List<Double> softSizes() {
            return Arrays.stream(weights.middleSizes()).boxed().toList();
        }

        @Override
        public long parameters() {
            return cost.plan().parameters(rounded());
        }

        @Override
        public double budgetRatio() {
            return cost.soft(weights.middleSizes()).total() / weights.middleTarget();
        }
    }
}

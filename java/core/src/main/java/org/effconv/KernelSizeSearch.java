package org.effconv;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.effconv.autodiff.Tape;
import org.effconv.data.Dataset;
import org.effconv.data.Images;
import org.effconv.nn.Architecture;
import org.effconv.nn.Network;
import org.effconv.nn.NetworkPlan;
import org.effconv.nn.SizedLayer;
import org.effconv.nn.WeightSource;
import org.effconv.size.Baselines;
import org.effconv.size.Budget;
import org.effconv.size.Cost;
import org.effconv.size.FoundSizes;
import org.effconv.size.SizePolish;
import org.effconv.size.SearchSettings;
import org.effconv.size.SizeRounding;
import org.effconv.size.SynthesisedWeights;
import org.effconv.tensor.Arena;
import org.effconv.train.Evaluation;
import org.effconv.train.Normalisation;
import org.effconv.train.Phase;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Learns the kernel sizes of an architecture's convolutions under a budget of parameters, multiply-adds or time. */
public final class KernelSizeSearch extends Job<KernelSizeSearch> {
    private static final Logger LOG = LoggerFactory.getLogger(KernelSizeSearch.class);
    private static final int POLISH_BATCHES = 32;
    private static final int POLISH_LIMIT = 2; // batches judged per step of the search, each about a quarter of a step

    static final String PHASE = "search";

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
     * A number of parameters ("120k") or of multiply-adds ("30MMAC"), a time ("4.2ms"), a ratio to uniform size 3 ("1.5x"), a
     * uniform size ("k5") or "auto". What the last three count is {@link Settings#COST}.
     */
    public KernelSizeSearch budget(String budget) {
        return set(Settings.BUDGET, budget);
    }

    /** Epochs of the search. */
    public KernelSizeSearch epochs(int epochs) {
        return set(Settings.SEARCH_EPOCHS, epochs);
    }

    /**
     * Runs the search on the dataset's training part.
     *
     * @throws EffconvException.InvalidInput if settings, data and architecture do not fit together
     * @throws EffconvException.JobFailed    if the loss is no longer finite, or no odd sizes meet the budget
     */
    public SearchResult run(Device device, Dataset images) {
        Dataset data = select(images, settings());
        try (Device.Claim claim = device.claim()) {
            NetworkPlan plan = plan(data);
            check(this, device, data, plan);
            return inFolder(device, data, context -> search(this, context, device, plan));
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
        if (Double.isFinite(target) && !search.ceiling()) {
            SizeRounding.requireReachable(cost, target);
        }
        checkSize(job, device, data, plan, search);
    }

    /**
     * Checks what needs no device: that search settings go together, and that what a search trains for a network is not too large.
     *
     * @throws EffconvException.InvalidInput if it is not so
     */
    public static void check(Settings settings, NetworkPlan plan) {
        if (settings.get(Settings.SIZE_PREDICTOR).equals("none") && !settings.get(Settings.SIZE_UPDATE).equals("steady")) {
            throw new EffconvException.InvalidInput("--size-predictor none: expected with --size-update steady only");
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

    /** Epochs of a search with these settings. */
    public static int epochs(Settings settings) {
        int fixed = settings.get(Settings.SEARCH_EPOCHS);
        double share = settings.get(Settings.SEARCH_FRACTION) * settings.get(Settings.EPOCHS);
        return fixed > 0 ? fixed : (int) Math.max(1, Math.min(Settings.MOST_SEARCH_EPOCHS, Math.ceil(share - 1e-9)));
    }

    /** Epochs at most of all trials that end a search with these settings. */
    public static int mostTrialEpochs(Settings settings) {
        return SizeTrials.mostEpochs(settings);
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

    /** The search of a job, within its run folder if there is one. */
    static SearchResult search(Job<?> job, Phase.Context context, Device device, NetworkPlan plan) {
        Settings settings = job.settings();
        long seed = settings.get(Settings.SEED);
        Budget budget = settings.budget();
        Cost cost = job.cost(device, plan);
        try (Network network = new Network(device.backend(), plan, device.activationType(), seed);
                SynthesisedWeights weights = new SynthesisedWeights(device.backend(), device.activationType().parameterType(), cost,
                        budget, settings.search(), seed)) {
            if (settings.get(Settings.SIZE_PREDICTOR).equals("none")) {
                weights.withoutSizePredictor();
            }
            Phase.Outcome outcome = Phase.run(context, PHASE, network, weights, job.options(context.data(), epochs(settings)),
                    new SoftSizes(weights, cost, budget.target(cost)), Phase.TestPart.NEVER);
            predict(device, weights);
            long start = System.nanoTime();
            Choice choice = polished(job, context, network, weights, cost, outcome.steps());
            double seconds = outcome.seconds() + (System.nanoTime() - start) / 1e9;
            FoundSizes found = choice.found;
            int trialEpochs = SizeTrials.epochs(settings);
            List<SearchResult.Trial> tried = List.of();
            if (choice.finalists.isPresent() && trialEpochs > 0) {
                SizeTrials.Outcome trials = SizeTrials.best(job, context, device, new SizeTrials.Start(network, weights), choice.finalists.get(), trialEpochs);
                tried = trials.tried();
                found = found.movedTo(trials.sizes(), cost);
                seconds += trials.seconds();
            }
            SearchResult result = new SearchResult(plan.architecture(), layerNames(plan), found.soft(), found.sizes(),
                    plan.parameters(found.sizes()), cost.kind(), found.cost(), found.target(), seconds, outcome.steps(),
                    weights.predictedWeights(found.sizes()), tried);
            if (context.folder() != null) {
                result.toFile().write(context.folder().file("sizes.json"));
            }
            return result;
        }
    }

    /**
     * @param found     by the judge
     * @param finalists those and what else to try, if there is anything else
     */
    private record Choice(FoundSizes found, Optional<SizePolish.Finalists> finalists) {}

    private static Choice polished(
            Job<?> job, Phase.Context context, Network network, SynthesisedWeights weights, Cost cost, long steps) {
        Settings settings = job.settings();
        FoundSizes found = weights.found();
        if (!settings.judged()) {
            return new Choice(found, Optional.empty());
        }
        Images images = judging(context.data(), settings.get(Settings.BATCH));
        boolean priced = Double.isNaN(found.target());
        SizePolish polish = new SizePolish(cost, found.target(), (sizes, batches) -> {
            weights.judge(sizes);
            Evaluation.Batches judged = Evaluation.batches(context.backend(), network, weights, new WeightSource.Progress(1, 1), images,
                    Normalisation.of(context.data()), settings.get(Settings.BATCH), settings.get(Settings.SEED), batches, context.stop());
            if (!priced) {
                return judged.losses();
            }
            // Kernels have learned less at one size than at the next, and answer less surely there, which is no reason to pay for a
            // ring; to answer wrongly is. So the price is held against wrong answers.
            double price = settings.get(Settings.PRICE) * Math.log(cost.at(sizes));
            return Arrays.stream(judged.errorsAsLosses(cost.plan().input().classes())).map(loss -> loss + price).toArray();
        });
        int[] plain = priced ? found.sizes() : Baselines.mixed(cost, found.target());
        List<SizePolish.Move> moves = polish.polish(weights.proposals(), plain, settings.get(Settings.POLISH), POLISH_BATCHES, POLISH_LIMIT * steps);
        weights.judge(null);
        for (SizePolish.Move move : moves) {
            LOG.info(String.format(Locale.ROOT, "polish: %s, loss smaller by %.4f +- %.4f",
                    Arrays.toString(move.sizes()), move.improvement(), move.standardError()));
        }
        if (polish.cutShort()) {
            LOG.info("polish ends here: to judge more would take more than {} batches, twice as many as the search had steps", POLISH_LIMIT * steps);
        } else if (moves.isEmpty()) {
            LOG.info("polish: {} stays, nothing is clearly better", Arrays.toString(plain));
        }
        FoundSizes best = !moves.isEmpty() ? found.movedTo(moves.get(moves.size() - 1).sizes(), cost)
                : polish.cutShort() ? found : found.movedTo(plain, cost);
        boolean one = Arrays.equals(best.sizes(), plain) && polish.ranked().isEmpty();
        return new Choice(best, priced || one ? Optional.empty() : Optional.of(polish.finalists(best.sizes(), plain)));
    }

    // The validation part, if it is large enough; a search sees each training image few times, so that these serve, too.
    private static Images judging(Dataset data, int batch) {
        return data.validation().filter(images -> images.count() >= POLISH_BATCHES * batch).orElse(data.train());
    }

    // The sizes as the last update left them, also where this process ran no step of the search.
    private static void predict(Device device, SynthesisedWeights weights) {
        try (Arena arena = new Arena(device.backend().memory())) {
            weights.begin(new Tape(device.backend(), arena, false), new WeightSource.Progress(1, 1));
        }
    }

    static List<String> layerNames(NetworkPlan plan) {
        return plan.sizedLayers().stream().map(SizedLayer::name).toList();
    }

    /** What metrics say of a search's sizes. */
    private record SoftSizes(SynthesisedWeights weights, Cost cost, double target) implements Phase.Sizes {
        private int[] rounded() {
            return SizeRounding.round(weights.sizes(), cost.layers());
        }

        @Override
        public List<Integer> sizes() {
            return Arrays.stream(rounded()).boxed().toList();
        }

        @Override
        public List<Double> softSizes() {
            return Arrays.stream(weights.sizes()).boxed().toList();
        }

        @Override
        public long parameters() {
            return cost.plan().parameters(rounded());
        }

        @Override
        public double budgetRatio() {
            return cost.soft(weights.sizes()).total() / target;
        }
    }
}

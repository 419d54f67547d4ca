package org.effconv;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.effconv.autodiff.Tape;
import org.effconv.choice.Baselines;
import org.effconv.choice.FoundSizes;
import org.effconv.choice.SizePolish;
import org.effconv.choice.SizeRounding;
import org.effconv.cost.Budget;
import org.effconv.cost.Cost;
import org.effconv.data.Dataset;
import org.effconv.data.Images;
import org.effconv.nn.Network;
import org.effconv.nn.NetworkPlan;
import org.effconv.nn.WeightSource;
import org.effconv.search.SynthesisedWeights;
import org.effconv.tensor.Arena;
import org.effconv.train.Evaluation;
import org.effconv.train.Normalisation;
import org.effconv.train.Phase;
import org.effconv.train.Work;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The first of two stages: sizes and kernels are predicted and learn together; then odd sizes are chosen. Nobody goes
 * on with its weights.
 */
final class PredictorSearch {
    static final String PHASE = "search";

    private static final Logger LOG = LoggerFactory.getLogger(PredictorSearch.class);
    private static final int POLISH_BATCHES = 32;
    // Batches judged per step of the search, each about a quarter of a step: so that search and choice stay a tenth of
    // a long training.
    private static final int POLISH_LIMIT = 1;
    private static final int OPEN_POLISH_LIMIT = 2; // without a budget

    private PredictorSearch() {}

    /** The search of a job, within its run folder if there is one. */
    static SearchResult search(Job<?> job, Phase.Context context, Device device, NetworkPlan plan) {
        Settings settings = job.settings();
        long seed = settings.get(Settings.SEED);
        Budget budget = settings.budget();
        Cost cost = job.cost(device, plan);
        try (Network network = new Network(device.backend(), plan, device.activationType(), seed);
                SynthesisedWeights weights = new SynthesisedWeights(
                        device.backend(),
                        device.activationType().parameterType(),
                        cost,
                        budget,
                        settings.search(),
                        seed)) {
            if (settings.get(Settings.SIZE_PREDICTOR).equals("none")) {
                weights.withoutSizePredictor();
            }
            Phase.Outcome outcome = Phase.run(
                    context,
                    PHASE,
                    network,
                    weights,
                    job.options(context.data(), KernelSizeSearch.epochs(settings)),
                    new SoftSizes(weights, cost, budget.target(cost)),
                    Phase.TestPart.NEVER);
            predict(device, weights);
            long start = System.nanoTime();
            Choice choice = polished(job, context, network, weights, cost, outcome.steps());
            double seconds = outcome.seconds() + (System.nanoTime() - start) / 1e9;
            FoundSizes found = choice.found;
            return new SearchResult(
                    plan,
                    found,
                    cost,
                    seconds,
                    outcome.work().plus(choice.work),
                    outcome.steps(),
                    weights.predictedWeights(found.sizes()),
                    List.of());
        }
    }

    /**
     * @param found by the judge
     * @param work of judging
     */
    private record Choice(FoundSizes found, Work work) {}

    private static Choice polished(
            Job<?> job, Phase.Context context, Network network, SynthesisedWeights weights, Cost cost, long steps) {
        Settings settings = job.settings();
        FoundSizes found = weights.found();
        if (!settings.judged()) {
            return new Choice(found, Work.NONE);
        }
        Images images = judging(context.data(), settings.get(Settings.BATCH));
        boolean priced = Double.isNaN(found.target());
        Work.Meter meter = new Work.Meter();
        SizePolish polish = new SizePolish(cost, found.target(), (sizes, batches) -> {
            weights.judge(sizes);
            Evaluation.Batches judged = Evaluation.batches(
                    context.backend(),
                    network,
                    weights,
                    new WeightSource.Progress(1, 1),
                    images,
                    Normalisation.of(context.data()),
                    settings.get(Settings.BATCH),
                    settings.get(Settings.SEED),
                    batches,
                    context.stop());
            meter.add((double) judged.losses().length
                    * Math.min(settings.get(Settings.BATCH), images.count())
                    * cost.plan().multiplyAdds(sizes));
            if (!priced) {
                return judged.losses();
            }
            // Kernels have learned less at one size than at the next, and answer less surely there, which is no reason
            // to pay for a
            // ring; to answer wrongly is. So the price is held against wrong answers.
            double price = settings.get(Settings.PRICE) * Math.log(cost.at(sizes));
            return Arrays.stream(judged.errorsAsLosses(cost.plan().input().classes()))
                    .map(loss -> loss + price)
                    .toArray();
        });
        int[] plain = priced ? found.sizes() : Baselines.mixed(cost, found.target());
        long limit = steps * (priced ? OPEN_POLISH_LIMIT : POLISH_LIMIT);
        List<SizePolish.Move> moves =
                polish.polish(weights.proposals(), plain, settings.get(Settings.POLISH), POLISH_BATCHES, limit);
        weights.judge(null);
        for (SizePolish.Move move : moves) {
            LOG.info(String.format(
                    Locale.ROOT,
                    "polish: %s, loss smaller by %.4f +- %.4f",
                    Arrays.toString(move.sizes()),
                    move.improvement(),
                    move.standardError()));
        }
        if (polish.cutShort()) {
            LOG.info(
                    "polish ends here: to judge more would take more than {} batches; the search had {} steps",
                    limit,
                    steps);
        } else if (moves.isEmpty()) {
            LOG.info("polish: {} stays, nothing is clearly better", Arrays.toString(plain));
        }
        FoundSizes best = !moves.isEmpty()
                ? found.movedTo(moves.get(moves.size() - 1).sizes(), cost)
                : polish.cutShort() ? found : found.movedTo(plain, cost);
        return new Choice(best, meter.work());
    }

    // The validation part, if it is large enough; a search sees each training image few times, so that these serve,
    // too.
    private static Images judging(Dataset data, int batch) {
        return data.validation()
                .filter(images -> images.count() >= POLISH_BATCHES * batch)
                .orElse(data.train());
    }

    // The sizes as the last update left them, also where this process ran no step of the search.
    static void predict(Device device, SynthesisedWeights weights) {
        try (Arena arena = new Arena(device.backend().memory())) {
            weights.begin(new Tape(device.backend(), arena, false), new WeightSource.Progress(1, 1));
        }
    }

    /** What metrics say of a search's sizes. */
    record SoftSizes(SynthesisedWeights weights, Cost cost, double target) implements Phase.Sizes {
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

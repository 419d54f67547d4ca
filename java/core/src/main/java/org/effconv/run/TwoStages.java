package org.effconv.run;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.effconv.autodiff.Tape;
import org.effconv.backend.Backend;
import org.effconv.choice.Baselines;
import org.effconv.choice.FoundSizes;
import org.effconv.choice.SizePolish;
import org.effconv.choice.SizeRounding;
import org.effconv.cost.Cost;
import org.effconv.data.Dataset;
import org.effconv.data.Images;
import org.effconv.nn.Network;
import org.effconv.nn.WeightSource;
import org.effconv.predict.SearchSettings;
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
public final class TwoStages implements SizeLearning {
    public static final String PHASE = "search";

    private static final Logger LOG = LoggerFactory.getLogger(TwoStages.class);
    private static final int POLISH_BATCHES = 32;
    // Batches judged per step of the search, each about a quarter of a step: so that search and choice stay a tenth of
    // a long training.
    private static final int POLISH_LIMIT = 1;
    private static final int OPEN_POLISH_LIMIT = 2; // without a budget

    private final RunInputs inputs;
    private final SizeTarget target;
    private final Search search;

    /**
     * How the search runs.
     *
     * @param settings how sizes move and where kernels come from
     * @param sizePredictor whether a size predictor follows the sizes; without one, each layer has a size of its own
     * @param epochs of the search
     * @param polish moves of the choice among odd sizes at most; 0: soft sizes are rounded
     */
    public record Search(SearchSettings settings, boolean sizePredictor, int epochs, int polish) {}

    public TwoStages(RunInputs inputs, SizeTarget target, Search search) {
        this.inputs = inputs;
        this.target = target;
        this.search = search;
    }

    @Override
    public Chosen choose(Phase.Context context) {
        Cost cost = target.cost();
        try (Network network = inputs.network();
                SynthesisedWeights weights = SynthesisedWeights.of(
                        context.backend(),
                        inputs.compute().parameterType(),
                        cost,
                        target.budget(),
                        search.settings,
                        inputs.seed())) {
            if (!search.sizePredictor) {
                weights.withoutSizePredictor();
            }
            Phase.Outcome outcome = Phase.run(
                    context,
                    PHASE,
                    network,
                    weights,
                    inputs.training().withEpochs(search.epochs),
                    new SoftSizes(weights, cost, target.amount()),
                    Phase.TestPart.NEVER);
            predict(context.backend(), weights);
            long start = System.nanoTime();
            Choice choice = polished(context, network, weights, outcome.steps());
            double seconds = outcome.seconds() + (System.nanoTime() - start) / 1e9;
            FoundSizes found = choice.found;
            return new Chosen(
                    new SearchOutcome(
                            found,
                            cost,
                            seconds,
                            outcome.work().plus(choice.work),
                            outcome.steps(),
                            weights.predictedWeights(found.sizes()),
                            List.of()),
                    List.of());
        }
    }

    /**
     * @param found by the judge
     * @param work of judging
     */
    private record Choice(FoundSizes found, Work work) {}

    private Choice polished(Phase.Context context, Network network, SynthesisedWeights weights, long steps) {
        FoundSizes found = weights.found();
        if (search.polish == 0) {
            return new Choice(found, Work.NONE);
        }
        Cost cost = target.cost();
        int batch = inputs.training().batch();
        Images images = judging(context.data(), batch);
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
                    batch,
                    inputs.seed(),
                    batches,
                    context.stop());
            meter.add((double) judged.losses().length
                    * Math.min(batch, images.count())
                    * cost.plan().multiplyAdds(sizes));
            if (!priced) {
                return judged.losses();
            }
            // Kernels have learned less at one size than at the next, and answer less surely there, which is no reason
            // to pay for a
            // ring; to answer wrongly is. So the price is held against wrong answers.
            double price = search.settings.price() * Math.log(cost.at(sizes));
            return Arrays.stream(judged.errorsAsLosses(cost.plan().input().classes()))
                    .map(loss -> loss + price)
                    .toArray();
        });
        int[] plain = priced ? found.sizes() : Baselines.mixed(cost, found.target());
        long limit = steps * (priced ? OPEN_POLISH_LIMIT : POLISH_LIMIT);
        List<SizePolish.Move> moves = polish.polish(weights.proposals(), plain, search.polish, POLISH_BATCHES, limit);
        weights.judgeNoMore();
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
    public static void predict(Backend backend, SynthesisedWeights weights) {
        try (Arena arena = new Arena(backend.memory())) {
            weights.begin(new Tape(backend, arena, false), new WeightSource.Progress(1, 1));
        }
    }

    /** What metrics say of a search's sizes. */
    record SoftSizes(SynthesisedWeights weights, Cost cost, double target) implements Phase.Sizes {
        private int[] rounded() {
            return SizeRounding.round(weights.sizes(), cost);
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

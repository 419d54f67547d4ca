package org.effconv.run;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.effconv.choice.FoundSizes;
import org.effconv.choice.SizeCandidates;
import org.effconv.choice.SizeRace;
import org.effconv.cost.Budget;
import org.effconv.cost.Cost;
import org.effconv.data.Dataset;
import org.effconv.nn.Network;
import org.effconv.predict.SearchSettings;
import org.effconv.search.SynthesisedWeights;
import org.effconv.train.FixedSizes;
import org.effconv.train.Phase;
import org.effconv.train.StepLog;
import org.effconv.train.TrainedWeights;
import org.effconv.train.TrainingListener;
import org.effconv.train.TrainingOptions;
import org.effconv.train.Work;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The choice of sizes within the one training that they are for.
 *
 * <ol>
 *   <li>A <em>probe</em>: for some steps a size predictor and a kernel predictor are trained end to end, by the class
 *       loss and the budget. It tells which way sizes should go. Nobody goes on with its weights.
 *   <li>{@link SizeCandidates}: plain shapes, and what the probe points to.
 *   <li>A {@link SizeRace}: each candidate begins the training of all epochs, from the same seed, on the same batches;
 *       all but one are given up after a part of it. The survivor's training goes on to the end: it is, bit for bit,
 *       the ordinary training of its sizes.
 * </ol>
 *
 * <p>What is not the survivor's training is {@linkplain #overheadEpochs little}. Each part is a phase with a checkpoint
 * of its own; what was decided is not stored but follows from them again.
 */
public final class OneRun implements SizeLearning {
    public static final String PROBE = "probe";
    public static final String CANDIDATE = "candidate";

    private static final Logger LOG = LoggerFactory.getLogger(OneRun.class);

    private static final int CANDIDATES = 3;
    private static final int ONE_MORE = 240; // steps of heats from where on there is time for one more
    private static final double OVERHEAD_SHARE = 0.08; // of the epochs
    private static final double OVERHEAD_ROOT = 0.4; // of their square root: 2.2 epochs of 30, 4 of 100
    private static final double PROBE_SHARE = 0.25; // of the overhead
    private static final int MOST_PROBE_STEPS = 120;
    private static final int LEAST_PROBE_STEPS = 16; // fewer move nothing
    private static final double PROBE_STEP =
            1.3; // in steps of a candidate: spare rings, and sizes that are off the budget for a while

    // As-good-as: what the probe may cost, in what the uniform network does, and how many networks of its cost the
    // compared ones come to.
    private static final double PROBED_PART = 0.6;
    private static final double COMPARED = 2.2;

    private final RunInputs inputs;
    private final SizeTarget target;
    private final Probe probe;
    private final double overheadEpochs;

    /**
     * How the probe runs.
     *
     * @param search what its predictors are and how sizes move
     * @param training how they are trained, over any number of epochs
     */
    public record Probe(SearchSettings search, TrainingOptions training) {}

    /**
     * @param inputs what the job runs with; its training is that of every candidate
     * @param target with a budget to meet
     * @param overheadEpochs to spend on what is not the survivor's training
     */
    public OneRun(RunInputs inputs, SizeTarget target, Probe probe, double overheadEpochs) {
        this.inputs = inputs;
        this.target = target;
        this.probe = probe;
        this.overheadEpochs = overheadEpochs;
    }

    /**
     * Epochs to spend on what is not the training of the network found, for a training of so many: at most a tenth of
     * 30, a twentieth of 100.
     */
    public static double overheadEpochs(int epochs) {
        return Math.min(OVERHEAD_SHARE * epochs, OVERHEAD_ROOT * Math.sqrt(epochs));
    }

    /** Steps of the probe; 0: none, the candidates are then of plain shapes alone. */
    public static int probeSteps(double overheadSteps) {
        int steps = (int) Math.min(MOST_PROBE_STEPS, PROBE_SHARE * overheadSteps);
        return steps < LEAST_PROBE_STEPS ? 0 : steps;
    }

    @Override
    public Chosen choose(Phase.Context context) {
        return new Choice(context).choose();
    }

    private final class Choice {
        private final Phase.Context context;
        private final Cost cost = target.cost();
        private final double amount = target.amount();
        private final int batches; // of an epoch
        private Phase.Left[] left; // of each candidate
        private double seconds;
        private Work work = Work.NONE;
        private long steps;

        Choice(Phase.Context context) {
            this.context = context;
            int images = context.data().train().count();
            batches = images / Math.min(inputs.training().batch(), images);
        }

        Chosen choose() {
            double overhead = overheadEpochs * batches;
            int probing = probeSteps(overhead);
            Budget budget = target.budget();
            return budget.asGoodAs() ? cheapest(overhead, probing, (int) budget.value()) : best(overhead, probing);
        }

        // The best of those that cost what was asked for.
        private Chosen best(double overhead, int probing) {
            double racing = overhead - PROBE_STEP * probing;
            int most = racing < ONE_MORE ? CANDIDATES : CANDIDATES + 1;
            double[] soft = soft(SizeCandidates.open(cost, amount, most) ? probing : 0, amount);
            List<int[]> candidates = SizeCandidates.of(soft, cost, amount, most);
            left = new Phase.Left[candidates.size()];
            if (candidates.size() == 1) {
                return chosen(soft, candidates, new SizeRace.Result(0, List.of(new SizeRace.Entry(0, Double.NaN))));
            }
            int[] heats = SizeRace.heats(
                    candidates.size(),
                    racing,
                    (long) batches * inputs.training().epochs());
            return chosen(
                    soft,
                    candidates,
                    SizeRace.run(candidates.size(), heats, (one, count) -> train(candidates.get(one), one, count)));
        }

        // The cheapest of those that begin to learn as well as the uniform network.
        private Chosen cheapest(double overhead, int probing, int size) {
            double searched = Math.max(cost.fixed() + PROBED_PART * (amount - cost.fixed()), cost.uniform(1));
            double[] soft = soft(probing, searched);
            int[] uniform = cost.layers().stream()
                    .mapToInt(layer -> Math.min(size, layer.kmax()))
                    .toArray();
            List<int[]> candidates = new ArrayList<>(List.of(uniform));
            candidates.addAll(SizeCandidates.cheaper(soft, cost, searched, amount, uniform));
            left = new Phase.Left[candidates.size()];
            double steps = (overhead - PROBED_PART * PROBE_STEP * probing) / COMPARED;
            int heat = (int) Math.max(
                    1, Math.min(steps, (double) batches * inputs.training().epochs()));
            double[] costs = candidates.stream()
                    .mapToDouble(sizes -> cost.at(sizes) - cost.fixed())
                    .toArray();
            return chosen(
                    soft,
                    candidates,
                    SizeRace.cheapest(costs, heat, (one, count) -> train(candidates.get(one), one, count)));
        }

        private Chosen chosen(double[] soft, List<int[]> candidates, SizeRace.Result race) {
            List<SearchOutcome.Candidate> told = new ArrayList<>();
            for (int i = 0; i < left.length; i++) {
                SizeRace.Entry entry = race.entries().get(i);
                told.add(new SearchOutcome.Candidate(candidates.get(i), entry.steps(), entry.loss()));
                LOG.info(
                        "{}",
                        String.format(
                                Locale.ROOT,
                                "candidate %d: %s, loss %.4f at step %d%s",
                                i + 1,
                                Arrays.toString(candidates.get(i)),
                                entry.loss(),
                                entry.steps(),
                                i == race.winner() ? ", goes on" : ""));
                if (i != race.winner() && left[i] != null) {
                    seconds += left[i].seconds();
                    work = work.plus(left[i].work());
                    steps += left[i].losses().length;
                }
            }
            int[] sizes = candidates.get(race.winner());
            FoundSizes found = new FoundSizes(soft, sizes, sizes, cost.at(sizes), amount);
            SearchOutcome result = new SearchOutcome(found, cost, seconds, work, steps, List.of(), told);
            return new Chosen(result, Arrays.asList(left));
        }

        private double[] soft(int probing, double searched) {
            return probing == 0 ? SizeCandidates.start(cost, searched) : probe(probing, searched);
        }

        // On so many of the images that whole epochs have that many steps.
        private double[] probe(int count, double searched) {
            int epochs = (count + batches - 1) / batches;
            int batch =
                    Math.min(inputs.training().batch(), context.data().train().count());
            Dataset some = context.data().take(count / epochs * batch, Integer.MAX_VALUE);
            try (Network network = inputs.network();
                    SynthesisedWeights weights = SynthesisedWeights.of(
                            context.backend(),
                            inputs.compute().parameterType(),
                            cost,
                            Budget.of(cost, searched),
                            probe.search,
                            inputs.seed())) {
                List<TrainingListener> listeners = new ArrayList<>(context.listeners());
                if (context.folder() != null) {
                    listeners.add(new StepLog(context.folder().file(StepLog.FILE), PROBE, weights::sizes));
                }
                Phase.Context probing = new Phase.Context(
                        context.backend(), some, context.folder(), context.identity(), listeners, context.stop());
                Phase.Outcome outcome = Phase.run(
                        probing,
                        PROBE,
                        network,
                        weights,
                        probe.training.withEpochs(epochs),
                        new TwoStages.SoftSizes(weights, cost, searched),
                        Phase.TestPart.NEVER);
                seconds += outcome.seconds();
                work = work.plus(outcome.work());
                steps += outcome.steps();
                TwoStages.predict(context.backend(), weights);
                return weights.sizes();
            }
        }

        private double[] train(int[] sizes, int candidate, int count) {
            try (Network network = inputs.network();
                    TrainedWeights weights = inputs.weights(sizes)) {
                left[candidate] = Phase.runTo(
                        context,
                        CANDIDATE + (candidate + 1),
                        network,
                        weights,
                        inputs.training(),
                        new FixedSizes(inputs.plan(), sizes),
                        count,
                        left[candidate]);
                double[] losses = left[candidate].losses();
                context.listeners()
                        .forEach(listener -> listener.onCandidate(sizes.clone(), count, SizeRace.mean(losses, count)));
                return losses;
            }
        }
    }
}

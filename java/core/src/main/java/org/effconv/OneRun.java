package org.effconv;

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
import org.effconv.nn.NetworkPlan;
import org.effconv.nn.TrainedWeights;
import org.effconv.search.SynthesisedWeights;
import org.effconv.train.Phase;
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
final class OneRun {
    static final String PROBE = "probe";
    static final String CANDIDATE = "candidate";

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

    private OneRun() {}

    /**
     * Epochs to spend on what is not the training of the network found, for a training of so many: at most a tenth of
     * 30, a twentieth of 100.
     */
    static double overheadEpochs(Settings settings) {
        int fixed = settings.get(Settings.SEARCH_EPOCHS);
        int epochs = settings.get(Settings.EPOCHS);
        return fixed > 0 ? fixed : Math.min(OVERHEAD_SHARE * epochs, OVERHEAD_ROOT * Math.sqrt(epochs));
    }

    /** Steps of the probe; 0: none, the candidates are then of plain shapes alone. */
    static int probeSteps(double overheadSteps) {
        int steps = (int) Math.min(MOST_PROBE_STEPS, PROBE_SHARE * overheadSteps);
        return steps < LEAST_PROBE_STEPS ? 0 : steps;
    }

    static KernelSizeSearch.Chosen choose(Job<?> job, Phase.Context context, Device device, NetworkPlan plan) {
        return new Choice(job, context, device, plan).choose();
    }

    private static final class Choice {
        private final Job<?> job;
        private final Phase.Context context;
        private final Device device;
        private final NetworkPlan plan;
        private final Cost cost;
        private final double target;
        private final TrainingOptions options;
        private final int batches; // of an epoch
        private Phase.Left[] left; // of each candidate
        private double seconds;
        private Work work = Work.NONE;
        private long steps;

        Choice(Job<?> job, Phase.Context context, Device device, NetworkPlan plan) {
            this.job = job;
            this.context = context;
            this.device = device;
            this.plan = plan;
            cost = job.cost(device, plan);
            target = job.settings().budget().target(cost);
            options = job.options(context.data(), job.settings().get(Settings.EPOCHS));
            int images = context.data().train().count();
            batches = images / Math.min(options.batch(), images);
        }

        KernelSizeSearch.Chosen choose() {
            double overhead = overheadEpochs(job.settings()) * batches;
            int probing = probeSteps(overhead);
            Budget budget = job.settings().budget();
            return budget.asGoodAs() ? cheapest(overhead, probing, (int) budget.value()) : best(overhead, probing);
        }

        // The best of those that cost what was asked for.
        private KernelSizeSearch.Chosen best(double overhead, int probing) {
            double[] soft = soft(probing, target);
            double racing = overhead - PROBE_STEP * probing;
            List<int[]> candidates =
                    SizeCandidates.of(soft, cost, target, racing < ONE_MORE ? CANDIDATES : CANDIDATES + 1);
            left = new Phase.Left[candidates.size()];
            if (candidates.size() == 1) {
                return chosen(soft, candidates, new SizeRace.Result(0, List.of(new SizeRace.Entry(0, Double.NaN))));
            }
            int[] heats = SizeRace.heats(candidates.size(), racing, (long) batches * options.epochs());
            return chosen(
                    soft,
                    candidates,
                    SizeRace.run(candidates.size(), heats, (one, count) -> train(candidates.get(one), one, count)));
        }

        // The cheapest of those that begin to learn as well as the uniform network.
        private KernelSizeSearch.Chosen cheapest(double overhead, int probing, int size) {
            double searched = Math.max(cost.fixed() + PROBED_PART * (target - cost.fixed()), cost.uniform(1));
            double[] soft = soft(probing, searched);
            int[] uniform = cost.layers().stream()
                    .mapToInt(layer -> Math.min(size, layer.kmax()))
                    .toArray();
            List<int[]> candidates = new ArrayList<>(List.of(uniform));
            candidates.addAll(SizeCandidates.cheaper(soft, cost, searched, target, uniform));
            left = new Phase.Left[candidates.size()];
            double steps = (overhead - PROBED_PART * PROBE_STEP * probing) / COMPARED;
            int heat = (int) Math.max(1, Math.min(steps, (double) batches * options.epochs()));
            double[] costs = candidates.stream()
                    .mapToDouble(sizes -> cost.at(sizes) - cost.fixed())
                    .toArray();
            return chosen(
                    soft,
                    candidates,
                    SizeRace.cheapest(costs, heat, (one, count) -> train(candidates.get(one), one, count)));
        }

        private KernelSizeSearch.Chosen chosen(double[] soft, List<int[]> candidates, SizeRace.Result race) {
            List<SearchResult.Candidate> told = new ArrayList<>();
            for (int i = 0; i < left.length; i++) {
                SizeRace.Entry entry = race.entries().get(i);
                told.add(new SearchResult.Candidate(candidates.get(i), entry.steps(), entry.loss()));
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
            FoundSizes found = new FoundSizes(soft, sizes, sizes, cost.at(sizes), target);
            SearchResult result = new SearchResult(plan, found, cost, seconds, work, steps, List.of(), told);
            return new KernelSizeSearch.Chosen(result, Arrays.asList(left));
        }

        private double[] soft(int probing, double searched) {
            return probing == 0 ? SizeCandidates.start(cost, searched) : probe(probing, searched);
        }

        // On so many of the images that whole epochs have that many steps.
        private double[] probe(int count, double searched) {
            int epochs = (count + batches - 1) / batches;
            Dataset some = context.data()
                    .take(
                            count
                                    / epochs
                                    * Math.min(
                                            options.batch(),
                                            context.data().train().count()),
                            Integer.MAX_VALUE);
            Phase.Context probing = new Phase.Context(
                    context.backend(), some, context.folder(), context.identity(), context.listeners(), context.stop());
            Settings settings = job.settings();
            try (Network network =
                            new Network(device.backend(), plan, device.activationType(), settings.get(Settings.SEED));
                    SynthesisedWeights weights = new SynthesisedWeights(
                            device.backend(),
                            device.activationType().parameterType(),
                            cost,
                            Budget.of(cost, searched),
                            settings.probe(),
                            settings.get(Settings.SEED))) {
                Phase.Outcome outcome = Phase.run(
                        probing,
                        PROBE,
                        network,
                        weights,
                        job.probeOptions(some, epochs),
                        new PredictorSearch.SoftSizes(weights, cost, searched),
                        Phase.TestPart.NEVER);
                seconds += outcome.seconds();
                work = work.plus(outcome.work());
                steps += outcome.steps();
                PredictorSearch.predict(device, weights);
                return weights.sizes();
            }
        }

        private double[] train(int[] sizes, int candidate, int count) {
            long seed = job.settings().get(Settings.SEED);
            try (Network network = new Network(device.backend(), plan, device.activationType(), seed);
                    TrainedWeights weights =
                            new TrainedWeights(device.backend(), plan, sizes, device.activationType(), seed)) {
                left[candidate] = Phase.runTo(
                        context,
                        CANDIDATE + (candidate + 1),
                        network,
                        weights,
                        options,
                        new Training.FixedSizes(plan, sizes),
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

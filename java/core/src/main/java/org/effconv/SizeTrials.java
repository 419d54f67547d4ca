package org.effconv;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import org.effconv.EffconvException.JobFailed;
import org.effconv.nn.Network;
import org.effconv.nn.NetworkPlan;
import org.effconv.nn.TrainedWeights;
import org.effconv.size.SizePolish;
import org.effconv.size.SynthesisedWeights;
import org.effconv.train.Phase;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The end of a search: its best choices of equal cost are each trained for a short while, as ordinary CNNs, and the one with the smallest
 * class loss over the last epoch is taken, if it is {@linkplain #CLEARLY clearly} smaller than that of the sizes where the choice began,
 * which stay otherwise. Predicted kernels tell good choices from bad ones but not the best among good ones, since they know some sizes
 * better than others; weights of their own, trained on, do not.
 *
 * <p>A short training prefers what learns fast, which is not always what is better in the end. So a choice that is ahead of the start must
 * be clearly ahead in a {@linkplain #LONGER longer} trial, too: there what is gained by learning fast shrinks or turns
 * (docs/results/judge.md).
 *
 * <p>All start from what the search has learned: the kernels predicted for their sizes, and the rest of its network. From fresh weights,
 * which differ with the sizes, the luck of the start is several times as large as what the sizes are worth (docs/results/judge.md).
 *
 * <p>The loss is that of the training steps and not the validation part's: it is of many more images, and shared batches make its
 * differences small in noise; in trainings that see an image a few times it says as much.
 */
final class SizeTrials {
    /** At most so many choices are tried. */
    static final int MOST = 6;

    private static final int OF_A_WAY = 3; // that rise, or that fall; with one of the other way, the answer and the start that is MOST

    /** How many times as long the best choice and the start are then trained. */
    static final int LONGER = 3;

    /** Part of the loss by which a choice must be better than where the choice began: two trials of one choice differ by about that. */
    static final double CLEARLY = 0.01;

    private static final Logger LOG = LoggerFactory.getLogger(SizeTrials.class);
    private static final String PHASE = "trial";

    /**
     * @param sizes   the best
     * @param seconds of all trials
     * @param tried   all, in the order of trying; a choice that could not be trained has no finite loss
     */
    record Outcome(int[] sizes, double seconds, List<SearchResult.Trial> tried) {}

    /**
     * What trials start from.
     *
     * @param network the search's
     * @param weights the search's, which predict kernels
     */
    record Start(Network network, SynthesisedWeights weights) {}

    /** One trial. */
    interface Trial {
        /**
         * @param index of the trial, from 0 on
         * @throws JobFailed if the loss is no longer finite
         */
        Phase.Outcome train(int index, int[] sizes, int epochs);
    }

    private final int[] start;
    private final Trial trial;
    private final List<SearchResult.Trial> tried = new ArrayList<>();
    private double seconds;
    private JobFailed failure; // the last one

    private SizeTrials(int[] start, Trial trial) {
        this.start = start;
        this.trial = trial;
    }

    /** Epochs at most of all trials of a search. */
    static int mostEpochs(Settings settings) {
        return (MOST + 2 * LONGER) * epochs(settings);
    }

    /** Epochs of each trial of a search, but for the longer ones; 0: none. */
    static int epochs(Settings settings) {
        double share = settings.get(Settings.TRIALS) * KernelSizeSearch.epochs(settings);
        return settings.judged() && settings.budget().hasTarget() ? (int) Math.ceil(share - 1e-9) : 0;
    }

    /**
     * @param epochs of each, at least one; then of the best and the start {@value #LONGER} times as many
     * @throws JobFailed if none can be trained: the loss of all is no longer finite
     */
    static Outcome best(Job<?> job, Phase.Context context, Device device, Start start, SizePolish.Finalists choices, int epochs) {
        return best(choices, epochs, (index, sizes, length) -> train(job, context, device, start, PHASE + (index + 1), sizes, length));
    }

    static Outcome best(SizePolish.Finalists choices, int epochs, Trial trial) {
        SizeTrials trials = new SizeTrials(choices.start(), trial);
        trials.tryAll(choices, epochs);
        int[] best = trials.answer(epochs);
        if (!Arrays.equals(best, choices.start())) {
            int longer = LONGER * epochs;
            trials.lossAfter(choices.start(), longer);
            trials.lossAfter(best, longer);
            best = trials.answer(longer);
        }
        return new Outcome(best, trials.seconds, List.copyOf(trials.tried));
    }

    // Which way sizes should go from layer to layer is tried out with one choice of each; more of that way follow only if it is any good.
    private void tryAll(SizePolish.Finalists choices, int epochs) {
        lossAfter(choices.answer(), epochs);
        double ofStart = lossAfter(choices.start(), epochs);
        double rising = lossOfFirst(choices.rising(), epochs);
        double falling = lossOfFirst(choices.falling(), epochs);
        if (Math.min(rising, falling) <= (1 + CLEARLY) * ofStart) {
            List<int[]> way = rising <= falling ? choices.rising() : choices.falling();
            way.stream().limit(OF_A_WAY).forEachOrdered(sizes -> lossAfter(sizes, epochs));
        }
        choices.rest().stream().limit(MOST > tried.size() ? 1 : 0).forEachOrdered(sizes -> lossAfter(sizes, epochs));
    }

    private double lossOfFirst(List<int[]> choices, int epochs) {
        return choices.isEmpty() ? Double.POSITIVE_INFINITY : lossAfter(choices.get(0), epochs);
    }

    /** The best of those that were tried for so many epochs; of several the first. */
    private int[] answer(int epochs) {
        SearchResult.Trial best = tried.stream().filter(one -> one.epochs() == epochs && Double.isFinite(one.loss()))
                .min(Comparator.comparingDouble(SearchResult.Trial::loss)).orElseThrow(() -> failure);
        double ofStart = lossAfter(start, epochs);
        if (!Arrays.equals(best.sizes(), start) && best.loss() > (1 - CLEARLY) * ofStart && ofStart < Double.POSITIVE_INFINITY) {
            LOG.info("trials: {} stays, nothing is clearly better", Arrays.toString(start));
            return start;
        }
        return best.sizes();
    }

    /** Of a trial, which is run if it has not been; infinite for a choice that cannot be trained: it has lost, and no more than that. */
    private double lossAfter(int[] sizes, int epochs) {
        for (SearchResult.Trial known : tried) {
            if (known.epochs() == epochs && Arrays.equals(known.sizes(), sizes)) {
                return Double.isNaN(known.loss()) ? Double.POSITIVE_INFINITY : known.loss();
            }
        }
        int index = tried.size();
        try {
            Phase.Outcome outcome = trial.train(index, sizes, epochs);
            seconds += outcome.seconds();
            LOG.info(String.format(Locale.ROOT, "trial: %s, loss %.4f in epoch %d", Arrays.toString(sizes), outcome.loss(), epochs));
            tried.add(new SearchResult.Trial(sizes.clone(), epochs, outcome.loss()));
            return outcome.loss();
        } catch (JobFailed e) {
            failure = e;
            tried.add(new SearchResult.Trial(sizes.clone(), epochs, Double.NaN));
            LOG.warn("trial: {} has lost: {}", Arrays.toString(sizes), e.getMessage());
            return Double.POSITIVE_INFINITY;
        }
    }

    private static Phase.Outcome train(
            Job<?> job, Phase.Context context, Device device, Start start, String phase, int[] sizes, int epochs) {
        long seed = job.settings().get(Settings.SEED);
        NetworkPlan plan = start.network.plan();
        try (Network network = new Network(device.backend(), plan, device.activationType(), seed);
                TrainedWeights weights = new TrainedWeights(device.backend(), plan, sizes, device.activationType(), seed, start.weights.predictedWeights(sizes))) {
            network.startFrom(device.backend(), start.network);
            return Phase.run(context, phase, network, weights, job.options(context.data(), epochs), new Training.FixedSizes(plan, sizes),
                    Phase.TestPart.NEVER);
        }
    }
}

package org.effconv;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.effconv.EffconvException.InvalidInput;
import org.effconv.EffconvException.JobFailed;
import org.effconv.nn.Network;
import org.effconv.nn.NetworkPlan;
import org.effconv.nn.TrainedWeights;
import org.effconv.size.SynthesisedWeights;
import org.effconv.train.Phase;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The end of a search: its best choices of equal cost are each trained for a short while, as ordinary CNNs, and the one with the smallest class loss over
 * the last epoch is taken, if it is {@linkplain #CLEARLY clearly} smaller than that of the sizes where the choice began, which stay otherwise. Predicted kernels tell good choices from bad ones but not the best among good ones, since they know some sizes better than others; weights of
 * their own, trained on, do not.
 *
 * <p>All start from what the search has learned: the kernels predicted for their sizes, and the rest of its network. From fresh weights, which differ with the sizes, the luck of
 * the start is several times as large as what the sizes are worth (docs/results/judge.md).
 *
 * <p>The loss is that of the training steps and not the validation part's: it is of many more images, and shared batches make its
 * differences small in noise; in trainings that see an image a few times it says as much.
 */
final class SizeTrials {
    /** At most so many choices are tried. */
    static final int MOST = 6;

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
     * @param sizes   where the choice began, which stay unless others are clearly better
     */
    record Start(Network network, SynthesisedWeights weights, int[] sizes) {}

    /** One trial. */
    interface Trial {
        /**
         * @param index of the choice, from 0 on
         * @throws JobFailed if the loss is no longer finite
         */
        Phase.Outcome train(int index, int[] sizes);
    }

    private SizeTrials() {}

    /** Epochs of each trial of a search; 0: none. */
    static int epochs(Settings settings) {
        double share = settings.get(Settings.TRIALS) * KernelSizeSearch.epochs(settings);
        return settings.judged() && settings.budget().hasTarget() ? (int) Math.ceil(share - 1e-9) : 0;
    }

    /**
     * @param choices odd sizes, the likeliest first, which also wins a tie
     * @param epochs  of each, at least one
     * @throws JobFailed if none can be trained: the loss of all is no longer finite
     */
    static Outcome best(Job<?> job, Phase.Context context, Device device, Start start, List<int[]> choices, int epochs) {
        return best(choices, start.sizes, (index, sizes) -> train(job, context, device, start, PHASE + (index + 1), sizes, epochs));
    }

    static Outcome best(List<int[]> choices, int[] start, Trial trial) {
        int[] best = null;
        double ofStart = Double.POSITIVE_INFINITY;
        double least = Double.POSITIVE_INFINITY;
        double seconds = 0;
        JobFailed failure = null;
        List<SearchResult.Trial> tried = new ArrayList<>();
        for (int i = 0; i < choices.size(); i++) {
            int[] sizes = choices.get(i);
            try {
                Phase.Outcome outcome = trial.train(i, sizes);
                if (Double.isNaN(outcome.loss())) { // of a trial that was done before a restart, and whose lines are gone
                    throw new InvalidInput("metrics.jsonl has no line of " + PHASE + (i + 1) + ", whose checkpoint is there; expected the folder as the run left it");
                }
                seconds += outcome.seconds();
                LOG.info(String.format(Locale.ROOT, "trial: %s, loss %.4f", Arrays.toString(sizes), outcome.loss()));
                tried.add(new SearchResult.Trial(sizes.clone(), outcome.loss()));
                if (Arrays.equals(sizes, start)) {
                    ofStart = outcome.loss();
                }
                if (outcome.loss() < least) {
                    least = outcome.loss();
                    best = sizes;
                }
            } catch (JobFailed e) { // a choice that cannot be trained has lost, and no more than that
                failure = e;
                tried.add(new SearchResult.Trial(sizes.clone(), Double.NaN));
                LOG.warn("trial: {} has lost: {}", Arrays.toString(sizes), e.getMessage());
            }
        }
        if (best == null) {
            throw failure;
        }
        if (!Arrays.equals(best, start) && least > (1 - CLEARLY) * ofStart && ofStart < Double.POSITIVE_INFINITY) {
            LOG.info("trials: {} stays, nothing is clearly better", Arrays.toString(start));
            best = start;
        }
        return new Outcome(best, seconds, List.copyOf(tried));
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

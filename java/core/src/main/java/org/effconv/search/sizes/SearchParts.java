package org.effconv.search.sizes;

import org.effconv.nn.WeightSource.Progress;
import org.effconv.predict.SearchSettings;

/**
 * The three parts of a search: sizes stand at their start, then they move, then they stand at what was found. Kernels
 * learn in all.
 *
 * <p>While they move, every second pair of steps leaves them alone, so that kernels go on learning at odd sizes, on
 * smaller grids.
 */
public final class SearchParts {
    private final double frozen;
    private final double closing;
    private final boolean alternating;

    /**
     * @param plain whether one budget is searched by the steady update. Where not, the answer is not chosen by the
     *     kernels in the end, so that there is no last part, and sizes move in every step of theirs
     */
    public SearchParts(SearchSettings settings, boolean plain) {
        frozen = settings.frozen();
        closing = plain ? settings.closing() : 0;
        alternating = plain;
    }

    /** Whether sizes move. The two steps of a pair, which share their draws, are alike. */
    public boolean moving(Progress progress) {
        return progress.fraction() >= frozen && !over(progress) && (!alternating || progress.step() / 2 % 2 == 0);
    }

    /** Whether they stand at what was found. */
    public boolean over(Progress progress) {
        return closing > 0 && progress.fraction() >= 1 - closing;
    }

    /** How many steps sizes move in. */
    public double movingSteps(Progress progress) {
        return part(progress) / (alternating ? 2 : 1);
    }

    /** How many of these are over, as a fraction. */
    public double moved(Progress progress) {
        double done = progress.step() - progress.totalSteps() * frozen;
        return Math.max(0, Math.min(1, done / part(progress)));
    }

    private double part(Progress progress) {
        return progress.totalSteps() * (1 - frozen - closing);
    }
}

package org.effconv.size;

import org.effconv.nn.WeightSource.Progress;

/** The three parts of a search: sizes stand at their start, then they move, then they stand at what was found. Kernels learn in all. */
final class SearchParts {
    private final double frozen;
    private final double closing;

    /**
     * @param judged whether the answer is chosen by the kernels in the end; where it is not, there is no last part
     */
    SearchParts(SearchSettings settings, boolean judged) {
        frozen = settings.frozen();
        closing = judged ? settings.closing() : 0;
    }

    /** Whether sizes move. */
    boolean moving(Progress progress) {
        return progress.fraction() >= frozen && !over(progress);
    }

    /** Whether they stand at what was found. */
    boolean over(Progress progress) {
        return closing > 0 && progress.fraction() >= 1 - closing;
    }

    /** How many steps sizes move in. */
    double movingSteps(Progress progress) {
        return progress.totalSteps() * (1 - frozen - closing);
    }

    /** How many of these are over, as a fraction. */
    double moved(Progress progress) {
        double done = progress.step() - progress.totalSteps() * frozen;
        return Math.max(0, Math.min(1, done / movingSteps(progress)));
    }
}

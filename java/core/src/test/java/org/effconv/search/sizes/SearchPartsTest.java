package org.effconv.search.sizes;

import static org.junit.jupiter.api.Assertions.*;

import java.util.stream.LongStream;
import org.effconv.nn.WeightSource.Progress;
import org.effconv.predict.SearchSettings;
import org.junit.jupiter.api.Test;

class SearchPartsTest {
    private static final long STEPS = 100;

    private static long moving(SearchParts parts) {
        return LongStream.range(0, STEPS)
                .filter(i -> parts.moving(new Progress(i, STEPS)))
                .count();
    }

    private static SearchSettings settings(double frozen, double closing) {
        return SearchSettings.standard()
                .change()
                .frozen(frozen)
                .closing(closing)
                .build();
    }

    @Test
    void sizesMoveInEverySecondPairOfTheMiddlePart() {
        SearchParts parts = new SearchParts(settings(0.4, 0.2), true);
        for (long i = 0; i < STEPS; i++) {
            Progress progress = new Progress(i, STEPS);
            assertEquals(i >= 40 && i < 80 && i % 4 < 2, parts.moving(progress), "step " + i);
            assertEquals(i >= 80, parts.over(progress), "step " + i);
        }
        assertEquals(20, moving(parts));
        assertEquals(20, parts.movingSteps(new Progress(0, STEPS)), 1e-12);
    }

    @Test
    void whatIsNotChosenByTheKernelsMovesInEveryStepToTheEnd() {
        SearchParts parts = new SearchParts(settings(0.4, 0.2), false);
        assertEquals(60, moving(parts));
        assertEquals(60, parts.movingSteps(new Progress(0, STEPS)), 1e-12);
        assertFalse(parts.over(new Progress(STEPS - 1, STEPS)));
    }

    @Test
    void theFractionRunsFromNoughtToOne() {
        SearchParts parts = new SearchParts(settings(0.4, 0.2), true);
        assertEquals(0, parts.moved(new Progress(0, STEPS)));
        assertEquals(0, parts.moved(new Progress(40, STEPS)), 1e-12);
        assertEquals(0.5, parts.moved(new Progress(60, STEPS)), 1e-12);
        assertEquals(1, parts.moved(new Progress(80, STEPS)), 1e-12);
        assertEquals(1, parts.moved(new Progress(99, STEPS)), 1e-12);
    }

    @Test
    void noPartsMeanThatSizesMoveFromTheFirstStepOn() {
        assertEquals(STEPS / 2, moving(new SearchParts(settings(0, 0), true)));
    }
}

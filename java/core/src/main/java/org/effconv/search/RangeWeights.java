package org.effconv.search;

import java.util.stream.IntStream;
import org.effconv.autodiff.Tape;
import org.effconv.backend.Backend;
import org.effconv.choice.SizePath;
import org.effconv.cost.BudgetRange;
import org.effconv.cost.Cost;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.predict.SearchSettings;
import org.effconv.predict.SizePredictor;
import org.effconv.search.sizes.BudgetGrid;
import org.effconv.tensor.DataType;

/** One search for a range of budgets: each step works at one of a few, and the size predictor is told which. */
public final class RangeWeights extends SteadyWeights {
    private static final int START_ROUNDS = 100;
    private static final double START_WITHIN = 1e-3; // pixels

    private final BudgetGrid grid;

    private RangeWeights(
            Backend backend, DataType type, Cost cost, SearchSettings settings, long seed, BudgetGrid grid) {
        super(
                backend,
                type,
                cost,
                settings,
                seed,
                new Kind(grid.start(BudgetGrid.middle()), Double.NaN, false, true, false),
                grid);
        this.grid = grid;
        try {
            learnStarts();
        } catch (Throwable e) { // or an Error: memory may run out
            close();
            throw e;
        }
    }

    /**
     * @param type of the parameters: F32, or F64 to verify gradients
     * @param cost the network's layers and costs
     * @param range of what the networks may cost
     * @param seed of initial values and of every step's draws
     * @throws InvalidInput if the network cannot meet them all, or settings are not those of a range
     */
    public static RangeWeights of(
            Backend backend, DataType type, Cost cost, BudgetRange range, SearchSettings settings, long seed) {
        if (settings.update() != SearchSettings.Update.STEADY || settings.ceiling() || settings.start() != 0) {
            throw new InvalidInput(
                    "budget '" + range + "': a range is searched by the steady update from uniform sizes; "
                            + "expected neither --size-update gradient, --ceiling nor --start-size");
        }
        double[] ends = range.targets(cost);
        return new RangeWeights(backend, type, cost, settings, seed, new BudgetGrid(settings, cost, ends[0], ends[1]));
    }

    // The predictor starts at the middle budget's sizes whatever it is told; here it learns those of the others.
    private void learnStarts() {
        double off = Double.POSITIVE_INFINITY;
        for (int round = 0; round < START_ROUNDS && off > START_WITHIN; round++) {
            off = 0;
            for (int g = 0; g < BudgetGrid.COUNT; g++) {
                off = Math.max(off, follow(g));
            }
        }
    }

    /** One step of the predictor to the sizes wanted at a budget; by how many pixels it was off at most. */
    private double follow(int g) {
        follower.at(BudgetGrid.position(g));
        double[] v = backend.readDoubles(follower.predict().v().value());
        double[] wanted = grid.sizes(g);
        follower.moveTo(wanted);
        return IntStream.range(0, v.length)
                .mapToDouble(l -> Math.abs(v[l] - wanted[l]))
                .max()
                .orElseThrow();
    }

    @Override
    SizePredictor.Sizes predict(Tape tape, Progress progress, boolean learning) {
        grid.at(progress.step());
        follower.at(BudgetGrid.position(tape.recording() ? grid.budget(progress.step()) : BudgetGrid.middle()));
        return super.predict(tape, progress, learning);
    }

    /** The sizes at every budget of the range, as of now. */
    public SizePath path() {
        return new SizePath(cost, grid.answers());
    }

    /** Wanted sizes at the middle budget of the range. */
    public double[] middleSizes() {
        return grid.sizes(BudgetGrid.middle());
    }

    /** The middle budget of the range, in the cost's unit. */
    public double middleTarget() {
        return grid.targets()[BudgetGrid.middle()];
    }
}

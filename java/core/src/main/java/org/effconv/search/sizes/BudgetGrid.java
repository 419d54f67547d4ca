package org.effconv.search.sizes;

import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.effconv.cost.Cost;
import org.effconv.cost.EqualCost;
import org.effconv.predict.SearchSettings;

/**
 * The steady update for a range of budgets: a few of them, spaced evenly in log P, each with its own steady sizes. A
 * step works at one of them (two steps in a row, which share their draws, at the same), in turn. What pulls on sizes
 * there moves that budget's, and in every second round those of the neighbouring budgets, too: a pull q_l = v_l dL/dv_l
 * is one on log v, and changes slowly along the range. So a budget's pulls are averaged over a quarter, a half and a
 * quarter of it and its neighbours, which keeps the noise of each nearer to that of a search for one budget.
 */
public final class BudgetGrid implements SizeUpdate {
    /** Budgets of a range. */
    public static final int COUNT = 5;

    private static final int STRIDE = 2; // coprime to COUNT: neighbours do not follow each other

    private final double[] targets = new double[COUNT];
    private final SteadySizes[] steady = new SteadySizes[COUNT];
    private final double[][] starts = new double[COUNT][];
    private int current = COUNT / 2;
    private boolean leaking;

    public BudgetGrid(SearchSettings settings, Cost cost, double low, double high) {
        for (int g = 0; g < COUNT; g++) {
            targets[g] = g == COUNT - 1 ? high : low * Math.pow(high / low, position(g));
            double uniform = EqualCost.uniform(cost, targets[g]);
            starts[g] = cost.layers().stream()
                    .mapToDouble(layer -> Math.min(uniform, layer.kmax()))
                    .toArray();
            steady[g] = new SteadySizes(settings, cost, targets[g], starts[g]);
        }
    }

    /** Where budget g lies in the range, 0 to 1 in log P. */
    public static double position(int g) {
        return g / (COUNT - 1.0);
    }

    /** The budget that stands for all where one must: the middle one. */
    public static int middle() {
        return COUNT / 2;
    }

    public double[] targets() {
        return targets.clone();
    }

    public double[] start(int g) {
        return starts[g].clone();
    }

    @Override
    public int budgets() {
        return COUNT;
    }

    @Override
    public int budget(long step) {
        long pair = step / 2;
        return (int) ((pair % COUNT * STRIDE + pair / COUNT) % COUNT);
    }

    @Override
    public void at(long step) {
        current = budget(step);
        leaking = step / 2 / COUNT % 2 == 0;
    }

    /** Wanted sizes at budget g. */
    public double[] sizes(int g) {
        return steady[g].sizes();
    }

    /** Answers at all budgets, from the smallest. */
    public List<double[]> answers() {
        return Arrays.stream(steady).map(SteadySizes::answer).toList();
    }

    @Override
    public double[] sizes() {
        return steady[current].sizes();
    }

    @Override
    public double[] answer() {
        return steady[current].answer();
    }

    @Override
    public void update(double[] v, double[] gradient, double fraction, double steps) {
        steady[current].update(v, gradient, fraction, steps * share(current));
        if (leaking) {
            for (int g : neighbours(current)) {
                double[] there = steady[g].sizes();
                double[] same = new double[v.length]; // the same pull on log v
                Arrays.setAll(same, l -> v[l] * gradient[l] / there[l]);
                steady[g].update(there, same, fraction, steps * share(g));
            }
        }
    }

    // Of all steps, those that move budget g: its own, and half of its neighbours'.
    private static double share(int g) {
        return (1 + 0.5 * neighbours(g).length) / COUNT;
    }

    private static int[] neighbours(int g) {
        return IntStream.of(g - 1, g + 1).filter(h -> h >= 0 && h < COUNT).toArray();
    }

    @Override
    public Map<String, double[]> state() {
        Map<String, double[]> all = new HashMap<>();
        for (int g = 0; g < COUNT; g++) {
            String prefix = prefix(g);
            steady[g].state().forEach((name, values) -> all.put(prefix + name, values));
        }
        return all;
    }

    @Override
    public void restore(Map<String, double[]> state) {
        for (int g = 0; g < COUNT; g++) {
            String prefix = prefix(g);
            Map<String, double[]> own = new HashMap<>();
            state.forEach((name, values) -> {
                if (name.startsWith(prefix)) {
                    own.put(name.substring(prefix.length()), values);
                }
            });
            steady[g].restore(own);
        }
    }

    private static String prefix(int g) {
        return "budget" + g + ".";
    }
}

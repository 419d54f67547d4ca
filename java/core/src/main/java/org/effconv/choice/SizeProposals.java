package org.effconv.choice;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.effconv.cost.Cost;
import org.effconv.cost.EqualCost;

/**
 * Choices of odd sizes that a search puts before its judge, each at most once, the likeliest first: roundings of the
 * soft sizes, of sizes further along the way they went and of sizes that rise or fall with depth, and sizes drawn at
 * random.
 */
public final class SizeProposals {
    private static final int ROUNDINGS = 8; // of the soft sizes
    private static final double[] FURTHER = {2, 3, 4}; // times the way that the soft sizes went
    private static final double[] RATIOS = {1.5, 2, 3, 4}; // of the last size over the first, and the reverse
    private static final int DRAWS = 24;
    public static final double IN_USE =
            0.2; // pixels above an odd size from where on the next ring is taken to be in use
    private static final int MOST_COMBINED = 4; // layers

    private final Cost cost;
    private final double target;
    private final Map<List<Integer>, int[]> found = new LinkedHashMap<>();

    private SizeProposals(Cost cost, double target) {
        this.cost = cost;
        this.target = target;
    }

    /**
     * @param soft where the search ended
     * @param start soft sizes where it began
     * @param target P*, which all proposals meet
     * @param spread of the draws, see {@link EqualCost#drawn}
     * @param seed of the draws
     */
    public static List<int[]> of(double[] soft, double[] start, Cost cost, double target, double spread, long seed) {
        SizeProposals proposals = new SizeProposals(cost, target);
        proposals.add(SizeRounding.near(soft, -1, 0, cost, target, ROUNDINGS));
        proposals.addFurther(soft, start);
        proposals.addGraded();
        proposals.addDrawn(soft, start, spread, seed);
        return List.copyOf(proposals.found.values());
    }

    /**
     * For a search without a budget: of the two odd sizes on either side of each soft size (the larger if its ring has
     * a mask of 0.1 or more), all combinations, or in a network of more than four layers those that differ from the
     * plain rounding in one.
     */
    public static List<int[]> roundings(double[] soft, Cost cost) {
        int[] plain = SizeRounding.round(soft, cost);
        int[] other = new int[soft.length];
        for (int l = 0; l < other.length; l++) {
            boolean unused = soft[l] >= plain[l] && soft[l] < plain[l] + IN_USE;
            int beyond = soft[l] < plain[l] ? plain[l] - 2 : plain[l] + 2;
            other[l] = unused || beyond < 1 || beyond > cost.layers().get(l).kmax() ? plain[l] : beyond;
        }
        boolean few = soft.length <= MOST_COMBINED;
        List<int[]> choices = new ArrayList<>();
        for (int choice = 1; choice < (few ? 1 << soft.length : soft.length + 1); choice++) {
            int[] sizes = plain.clone();
            for (int l = 0; l < sizes.length; l++) {
                boolean differs = few ? (choice >> l & 1) == 1 : l == choice - 1;
                sizes[l] = differs ? other[l] : plain[l];
            }
            if (!Arrays.equals(sizes, plain) && choices.stream().noneMatch(known -> Arrays.equals(known, sizes))) {
                choices.add(sizes);
            }
        }
        return choices;
    }

    private void add(List<int[]> choices) {
        choices.forEach(sizes -> found.putIfAbsent(Arrays.stream(sizes).boxed().collect(Collectors.toList()), sizes));
    }

    private void addNearest(double[] v) {
        add(SizeRounding.near(EqualCost.scaled(v, cost, target), -1, 0, cost, target, 1));
    }

    private void addFurther(double[] soft, double[] start) {
        for (double times : FURTHER) {
            double[] v = new double[soft.length];
            Arrays.setAll(v, l -> start[l] * Math.pow(soft[l] / start[l], times));
            addNearest(v);
        }
    }

    private void addGraded() {
        int last = Math.max(1, cost.layers().size() - 1);
        for (double ratio : RATIOS) {
            for (double way : new double[] {ratio, 1 / ratio}) {
                double[] v = new double[cost.layers().size()];
                Arrays.setAll(v, l -> Math.pow(way, (double) l / last));
                addNearest(v);
            }
        }
    }

    private void addDrawn(double[] soft, double[] start, double spread, long seed) {
        for (int draw = 0; draw < DRAWS; draw++) {
            double[] z = EqualCost.normals(soft.length, seed, ~draw); // steps have the indices from 0 on
            addNearest(EqualCost.drawn(draw % 2 == 0 ? soft : start, spread, z, cost, false));
        }
    }
}

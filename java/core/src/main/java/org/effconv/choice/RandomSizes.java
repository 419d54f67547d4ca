package org.effconv.choice;

import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;
import org.effconv.cost.Cost;
import org.effconv.error.EffconvException.JobFailed;
import org.effconv.nn.SizedLayer;

/**
 * Draws odd sizes uniformly from all choices that meet a budget. The choices are counted by dynamic programming over
 * the layers: completions(l, u) = sum over sizes k of layer l of completions(l + 1, u + cost(l, k)), u being what the
 * layers before cost, in units of a small part of the tolerance. A layer's size is then drawn in proportion to the
 * completions it leaves. Costs rounded to units widen the window a little; a choice outside the exact one is drawn
 * again, which leaves the others equally likely.
 */
final class RandomSizes {
    private static final int UNITS = 512; // of the tolerance
    private static final int ATTEMPTS = 10_000;

    private final Cost cost;
    private final double target;
    private final double unit;
    private final double[][] completions; // (layers + 1, units)

    RandomSizes(Cost cost, double target) {
        this.cost = cost;
        this.target = target;
        unit = target * cost.kind().choiceTolerance() / UNITS;
        List<SizedLayer> layers = cost.layers();
        int n = layers.size();
        double open = target - cost.fixed();
        double margin = target * cost.kind().choiceTolerance();
        int low = (int) Math.max(0, Math.floor((open - margin) / unit) - n);
        int high = (int) Math.max(0, Math.ceil((open + margin) / unit) + n);
        completions = new double[n + 1][high + 1];
        for (int u = low; u <= high; u++) {
            completions[n][u] = 1;
        }
        for (int l = n - 1; l >= 0; l--) {
            for (int k = 1; k <= layers.get(l).kmax(); k += 2) {
                int units = units(l, k);
                for (int u = 0; u + units <= high; u++) {
                    completions[l][u] += completions[l + 1][u + units];
                }
            }
        }
    }

    private int units(int layer, int k) {
        double units = cost.layer(layer, k) / unit;
        return (int) Math.min(Integer.MAX_VALUE / 2, Math.round(units));
    }

    int[] draw(SplittableRandom random) {
        for (int attempt = 0; attempt < ATTEMPTS && completions[0][0] > 0; attempt++) {
            int[] sizes = attempt(random);
            if (cost.meets(cost.at(sizes), target)) {
                return sizes;
            }
        }
        throw new JobFailed(String.format(
                Locale.ROOT,
                "no odd sizes cost within %.0f %% of %s",
                100 * cost.kind().choiceTolerance(),
                cost.kind().format(target)));
    }

    private int[] attempt(SplittableRandom random) {
        int[] sizes = new int[cost.layers().size()];
        int used = 0;
        for (int l = 0; l < sizes.length; l++) {
            double left = random.nextDouble() * completions[l][used];
            int next = used;
            for (int k = 1; k <= cost.layers().get(l).kmax(); k += 2) {
                int u = used + units(l, k);
                if (u >= completions[l].length || completions[l + 1][u] == 0) {
                    continue;
                }
                sizes[l] = k; // the last possible one where rounding leaves a rest
                next = u;
                left -= completions[l + 1][u];
                if (left < 0) {
                    break;
                }
            }
            used = next;
        }
        return sizes;
    }
}

package org.effconv.sweep;

import java.util.List;
import org.effconv.Settings;
import org.effconv.error.EffconvException.InvalidInput;

/**
 * What a sweep goes through: every combination.
 *
 * @param architectures names or .json files
 * @param data datasets
 * @param trainImages numbers of training images; 0 for all
 * @param budgets as {@link Settings#BUDGET}
 * @param methods whose networks are trained
 * @param seeds of every run
 * @param draws networks of {@link Method#RANDOM} per seed
 * @param match what networks are given alike
 * @param settings everything else, the same for all runs
 */
public record SweepOptions(
        List<String> architectures,
        List<String> data,
        List<Integer> trainImages,
        List<String> budgets,
        List<Method> methods,
        List<Long> seeds,
        int draws,
        Match match,
        Settings settings) {
    /** @throws InvalidInput if a list is empty or names something twice, or the work to match is nobody's */
    public SweepOptions {
        check("arch", architectures);
        check("data", data);
        check("train-images", trainImages);
        check("budget", budgets);
        check("methods", methods);
        check("seed", seeds);
        if (draws < 1) {
            throw new InvalidInput("--draws " + draws + ": expected 1 or more");
        }
        if (match == Match.WORK && !methods.contains(Method.LEARNED)) {
            throw new InvalidInput("--match work, --methods " + methods
                    + ": expected learned among them, whose work the others are to have");
        }
    }

    private static void check(String name, List<?> list) {
        if (list.isEmpty()) {
            throw new InvalidInput("--" + name + ": expected at least one");
        }
        if (list.stream().distinct().count() < list.size()) {
            throw new InvalidInput("--" + name + " " + list + ": expected every one once");
        }
    }
}

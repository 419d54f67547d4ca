package org.effconv.report;

import java.util.List;
import java.util.Optional;
import java.util.function.ToDoubleFunction;

/** Accuracy of finished networks against what they cost. */
final class Scatter {
    private static final String ERROR = " A bar is one standard error to each side, by the number of test images.";

    private Scatter() {}

    static Optional<Chart> byWork(List<Network> networks) {
        return of(
                networks,
                new ChartBuilder(
                        "by-work",
                        "Accuracy against work",
                        "work, in epochs of training the uniform network",
                        "test accuracy, %"),
                Network::epochs,
                "Test accuracy of each network against all the work it took, learning of the sizes included." + ERROR);
    }

    static Optional<Chart> byCost(List<Network> networks) {
        return of(
                networks,
                new ChartBuilder(
                        "by-cost", "Accuracy against multiply-adds", "multiply-adds of an image", "test accuracy, %"),
                Network::multiplyAdds,
                "Test accuracy of each network against the multiply-adds that one image takes it." + ERROR);
    }

    private static Optional<Chart> of(
            List<Network> networks, ChartBuilder chart, ToDoubleFunction<Network> x, String text) {
        if (networks.size() < 2) {
            return Optional.empty();
        }
        networks.forEach(n ->
                chart.point(n.name(), n.colour(), x.applyAsDouble(n), 100 * n.accuracy(), 100 * n.standardError()));
        return chart.isEmpty() ? Optional.empty() : Optional.of(chart.build(text));
    }
}

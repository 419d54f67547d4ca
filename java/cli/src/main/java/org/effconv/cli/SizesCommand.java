package org.effconv.cli;

import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.effconv.BudgetRangeSearchResult;
import org.effconv.io.SizesFile;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code effconv sizes}: what a search for a range of budgets found for one of them. */
@Command(
        name = "sizes",
        mixinStandardHelpOptions = true,
        description =
                "Tells the kernel sizes that 'effconv search' found for one budget. It computes nothing and needs no "
                        + "device.")
final class SizesCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Option(names = "--run", required = true, paramLabel = "DIR", description = "Run folder of 'effconv search'.")
    private Path run;

    @Option(
            names = "--budget",
            required = true,
            paramLabel = "BUDGET",
            description =
                    "Budget within the range of the search: an amount (120k, 30MMAC, 4.2ms), a ratio to 3x3 (1.5x) or "
                            + "a uniform size (k5).")
    private String budget;

    @Option(
            names = "--any-order",
            description =
                    "Choose the sizes by this budget alone. Without it the sum of sizes never falls as the budget "
                            + "rises, which costs accuracy at some budgets.")
    private boolean anyOrder;

    @Option(
            names = "--out",
            paramLabel = "FILE",
            description = "Write the sizes to this file, for 'effconv train --sizes'.")
    private Path out;

    @Override
    public Integer call() {
        BudgetRangeSearchResult result = BudgetRangeSearchResult.read(run);
        SizesFile sizes = anyOrder ? result.fileInAnyOrder(budget) : result.file(budget);
        if (out != null) {
            sizes.write(out);
        }
        PrintWriter to = spec.commandLine().getOut();
        int width =
                sizes.layers().stream().mapToInt(l -> l.name().length()).max().orElse(0);
        for (SizesFile.Layer layer : sizes.layers()) {
            to.printf(Locale.ROOT, "%-" + width + "s  %2d   (soft %.2f)%n", layer.name(), layer.size(), layer.soft());
        }
        SizesFile.Budget of = sizes.budget();
        to.printf(
                Locale.ROOT,
                "cost %s, budget %s (%+.2f %%); %,d parameters%n",
                result.costKind().format(of.spent()),
                result.costKind().format(of.asked()),
                100 * (of.spent() / of.asked() - 1),
                sizes.parameters());
        if (out != null) {
            to.println(out);
        }
        to.flush();
        return 0;
    }
}

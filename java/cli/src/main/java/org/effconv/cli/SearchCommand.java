package org.effconv.cli;

import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import org.effconv.BudgetRangeSearch;
import org.effconv.BudgetRangeSearchResult;
import org.effconv.Device;
import org.effconv.Setting;
import org.effconv.Settings;
import org.effconv.data.Dataset;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.io.ShellWord;
import org.effconv.nn.Architecture;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code effconv search}: one search for a range of budgets. */
@Command(
        name = "search",
        mixinStandardHelpOptions = true,
        description =
                "Learns kernel sizes once for a whole range of budgets, and trains no network. 'effconv sizes' then "
                        + "tells the sizes of any budget in the range. "
                        + "For one budget, and the training of its network, use 'effconv learn'.")
final class SearchCommand extends RunCommand<BudgetRangeSearch, SearchCommand.Found> {
    private static List<Setting<?>> others() {
        return List.of(
                Settings.BUDGET,
                Settings.FLOW,
                Settings.WARM_START,
                Settings.COMPARE,
                Settings.COMPARE_SHAPES,
                Settings.BEST_EPOCH,
                Settings.START_SIZE,
                Settings.CEILING,
                Settings.SIZE_UPDATE,
                Settings.PRICE,
                Settings.CLOSING,
                Settings.POLISH);
    }

    @Option(
            names = "--budget",
            paramLabel = "RANGE",
            description = "Range of budgets: any, which is k3 to k7, or any:FROM..TO. Its ends are parameters (100k), "
                    + "multiply-adds (30MMAC), "
                    + "times (4.2ms), ratios to 3x3 (1.5x) or uniform sizes (k5). (default: any)")
    private String budget;

    SearchCommand() {
        super(() -> Settings.table().stream().filter(s -> !others().contains(s)).toList());
    }

    /** What the search found; nothing of it needs to be closed. */
    record Found(BudgetRangeSearchResult result) implements AutoCloseable {
        @Override
        public void close() {}
    }

    @Override
    BudgetRangeSearch newJob(Settings settings, Architecture architecture, Dataset data) {
        String range =
                budget != null ? budget : System.getProperty(Settings.BUDGET.property(), BudgetRangeSearch.STANDARD);
        return BudgetRangeSearch.of(settings.withText(Settings.BUDGET, range, "--budget"), architecture);
    }

    @Override
    BudgetRangeSearch oldJob(Path folder) {
        if (budget != null) {
            throw new InvalidInput("--budget and --resume: expected one of them, a run goes on with its own settings");
        }
        return BudgetRangeSearch.resume(folder);
    }

    @Override
    Found run(BudgetRangeSearch job, Device device, Dataset data) {
        return new Found(job.run(device, data));
    }

    @Override
    void report(Found found, BudgetRangeSearch job, PrintWriter to, End end) {
        BudgetRangeSearchResult result = found.result();
        to.printf(Locale.ROOT, "%n%s%n", result);
        to.printf(Locale.ROOT, "time           search %.1f s%n", result.seconds());
        to.printf(Locale.ROOT, "run folder     %s%n", job.out());
        to.printf(Locale.ROOT, "the sizes of a budget: effconv sizes --run %s --budget ...%n", ShellWord.of(job.out()));
    }
}

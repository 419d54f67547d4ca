package org.effconv.cli;

import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import org.effconv.AnySearch;
import org.effconv.AnySearchResult;
import org.effconv.Device;
import org.effconv.Setting;
import org.effconv.Settings;
import org.effconv.data.Dataset;
import org.effconv.nn.Architecture;
import picocli.CommandLine.Command;

/** {@code effconv search}: one search for a range of budgets. */
@Command(
        name = "search",
        mixinStandardHelpOptions = true,
        description = "Learns kernel sizes once for a whole range of budgets (--budget any, or any:k3..k7); 'effconv sizes' then tells those of "
                + "any budget in it. For one budget, and the training of its network, there is 'effconv learn'.")
final class SearchCommand extends RunCommand<AnySearch, SearchCommand.Found> {
    private static final List<Setting<?>> OF_TRAINING = List.of(
            Settings.WARM_START, Settings.COMPARE, Settings.START_SIZE, Settings.CEILING, Settings.SIZE_UPDATE, Settings.PRICE, Settings.POLISH, Settings.TRIALS);

    SearchCommand() {
        super(Settings.table().stream().filter(s -> !OF_TRAINING.contains(s)).toList());
    }

    /** What the search found; nothing of it needs to be closed. */
    record Found(AnySearchResult result) implements AutoCloseable {
        @Override
        public void close() {}
    }

    @Override
    AnySearch newJob(Settings settings, Architecture architecture, Dataset data) {
        return AnySearch.of(settings, architecture);
    }

    @Override
    AnySearch oldJob(Path folder) {
        return AnySearch.resume(folder);
    }

    @Override
    Found run(AnySearch job, Device device, Dataset data) {
        return new Found(job.run(device, data));
    }

    @Override
    void report(Found found, AnySearch job, PrintWriter to, long liveBytes) {
        AnySearchResult result = found.result();
        to.printf(Locale.ROOT, "%n%s%n", result);
        to.printf(Locale.ROOT, "time           search %.1f s%n", result.seconds());
        to.printf("run folder     %s%n", job.out());
        to.printf("'effconv sizes --run %s --budget ...' tells the sizes of a budget%n", job.out());
    }
}

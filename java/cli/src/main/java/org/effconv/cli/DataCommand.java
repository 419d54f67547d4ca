package org.effconv.cli;

import java.io.PrintWriter;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.effconv.Job;
import org.effconv.Setting;
import org.effconv.Settings;
import org.effconv.data.DatasetReport;
import org.effconv.data.Datasets;
import org.effconv.error.EffconvException.InvalidInput;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code effconv data}: what a dataset is, and which of its images are damaged. */
@Command(
        name = "data",
        mixinStandardHelpOptions = true,
        description = {
            "Reads a whole dataset and tells its form, the images of each class, their sizes, mean and deviation.",
            "Names every damaged image.",
            "Exit code 2 if images are damaged, or of several sizes and no --image-size is given."
        })
final class DataCommand implements Callable<Integer> {
    static List<Setting<?>> offered() {
        return List.of(Settings.IMAGE_SIZE, Settings.VALIDATION);
    }

    private static final int SHOWN_SIZES = 5;

    @Spec
    private CommandSpec spec;

    @Parameters(paramLabel = "DATA", description = "A folder, a file or a name, as for --data of learn.")
    private String data;

    @Option(
            names = "--most",
            paramLabel = "N",
            defaultValue = "20",
            description = "List at most this many classes, and damaged images of each part. (default: 20)")
    private int most;

    @Override
    public Integer call() {
        if (most < 0) {
            throw new InvalidInput("--most " + most + ": expected 0 or more");
        }
        Settings settings = SettingOptions.settings(spec.commandLine().getParseResult(), offered());
        DatasetReport report =
                Datasets.inspect(settings.with(Settings.DATA, data).get(Settings.DATA), Job.reading(settings));
        PrintWriter out = spec.commandLine().getOut();
        out.printf(
                Locale.ROOT,
                "%s: %s, %,d classes%n",
                report.name(),
                report.format(),
                report.classNames().size());
        classes(out, report);
        for (DatasetReport.Part part : report.parts()) {
            out.printf(Locale.ROOT, "%-12s%,d images of %s%n", part.name(), part.images(), sizes(part.sizes()));
        }
        DatasetReport.Statistics statistics = report.statistics();
        out.printf(
                Locale.ROOT,
                "%-12smean %s, deviation %s (of 255; %s)%n",
                report.parts().get(0).name(),
                numbers(statistics.mean()),
                numbers(statistics.deviation()),
                statistics.mean().length == 1 ? "grey" : "red, green, blue");
        if (report.parts().size() == 1) {
            out.printf(
                    Locale.ROOT,
                    "There is no test part: of each class %.0f %% of the images are set aside as one.%n",
                    100 * Job.reading(settings).heldOut());
        }
        damaged(out, report);
        boolean mixed = settings.get(Settings.IMAGE_SIZE) == 0
                && report.parts().stream()
                                .flatMap(part -> part.sizes().keySet().stream())
                                .distinct()
                                .count()
                        > 1;
        if (mixed) {
            out.println("Images are of several sizes: --image-size N scales them all to N x N.");
        }
        out.flush();
        return report.damaged() > 0 || mixed ? Effconv.BAD_INPUT : 0;
    }

    private void classes(PrintWriter out, DatasetReport report) {
        out.print(String.format(Locale.ROOT, "%-24s", "images of class"));
        report.parts().forEach(part -> out.print(String.format(Locale.ROOT, "%12s", part.name())));
        out.println();
        int shown = Math.min(most, report.classNames().size());
        for (int c = 0; c < shown; c++) {
            out.print(String.format(Locale.ROOT, "%-24s", report.classNames().get(c)));
            for (DatasetReport.Part part : report.parts()) {
                out.print(String.format(Locale.ROOT, "%,12d", part.counts().get(c)));
            }
            out.println();
        }
        if (shown < report.classNames().size()) {
            out.printf(Locale.ROOT, "... and %,d more%n", report.classNames().size() - shown);
        }
    }

    private static String sizes(Map<String, Integer> sizes) {
        if (sizes.size() == 1) {
            return sizes.keySet().iterator().next();
        }
        String some = sizes.entrySet().stream()
                .limit(SHOWN_SIZES)
                .map(e -> String.format(Locale.ROOT, "%s (%,d)", e.getKey(), e.getValue()))
                .collect(Collectors.joining(", "));
        return String.format(
                Locale.ROOT, "%,d sizes: %s%s", sizes.size(), some, sizes.size() > SHOWN_SIZES ? ", ..." : "");
    }

    private static String numbers(double[] values) {
        return Arrays.stream(values)
                .mapToObj(v -> String.format(Locale.ROOT, "%.4f", v))
                .collect(Collectors.joining(" "));
    }

    private void damaged(PrintWriter out, DatasetReport report) {
        for (DatasetReport.Part part : report.parts()) {
            int count = part.damaged().size();
            if (count > 0) {
                out.printf(Locale.ROOT, "damaged in %s: %,d%n", part.name(), count);
                part.damaged().stream().limit(most).forEach(line -> out.println("  " + Printable.line(line)));
                if (count > most) {
                    out.printf(Locale.ROOT, "  ... and %,d more%n", count - most);
                }
            }
        }
    }
}

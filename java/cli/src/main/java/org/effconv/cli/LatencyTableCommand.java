package org.effconv.cli;

import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.effconv.Device;
import org.effconv.Job;
import org.effconv.Setting;
import org.effconv.Settings;
import org.effconv.data.Dataset;
import org.effconv.data.Datasets;
import org.effconv.latency.LatencyTable;
import org.effconv.nn.NetworkPlan;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code effconv latency-table}: measures what a budget of time is counted by. */
@Command(
        name = "latency-table",
        mixinStandardHelpOptions = true,
        description =
                "Measures how long each layer of a network takes on this device at each kernel size. Budgets of time "
                        + "are counted by it.")
final class LatencyTableCommand implements Callable<Integer> {
    static List<Setting<?>> offered() {
        return List.of(
                Settings.ARCH,
                Settings.DATA,
                Settings.IMAGE_SIZE,
                Settings.DEVICE,
                Settings.THREADS,
                Settings.PRECISION,
                Settings.BATCH);
    }

    @Spec
    private CommandSpec spec;

    @Parameters(paramLabel = "FILE", description = "JSON file to write; one that is there is replaced.")
    private Path file;

    @Option(names = "--inference", description = "Time a forward pass instead of a training step.")
    private boolean inference;

    @Option(
            names = "--repeats",
            paramLabel = "N",
            defaultValue = "7",
            description = "Rounds; each measures every layer at every size, and 12 whole networks. The lower quartile "
                    + "counts. "
                    + "(default: 7)")
    private int repeats;

    @Override
    public Integer call() {
        Settings settings = SettingOptions.settings(spec.commandLine().getParseResult(), offered());
        Dataset data = Datasets.open(settings.get(Settings.DATA), Job.reading(settings));
        NetworkPlan plan = Job.architecture(settings.get(Settings.ARCH))
                .plan(new NetworkPlan.Input(data.height(), data.width(), data.channels(), data.classes()));
        LatencyTable.Pass pass = inference ? LatencyTable.Pass.INFERENCE : LatencyTable.Pass.TRAINING;
        OutputFile.requireName(file); // before minutes are spent on it
        LatencyTable table;
        try (Device device = Device.open(settings)) {
            table = device.measureLatency(plan, pass, settings.get(Settings.BATCH), repeats);
        }
        table.write(file);
        PrintWriter to = spec.commandLine().getOut();
        LatencyTable.Setup setup = table.setup();
        to.printf(
                Locale.ROOT,
                "%s, %s, %s of %d images: %d shapes of layers, %.3f ms for the rest%n",
                setup.device(),
                setup.network(),
                setup.pass().key(),
                setup.batch(),
                table.rows().size(),
                table.rest());
        for (LatencyTable.Check check : table.checks()) {
            to.printf(
                    Locale.ROOT,
                    "sizes %s: %.3f ms measured, %.3f ms by the table (%+.1f %%)%n",
                    Arrays.toString(check.sizes()),
                    check.measured(),
                    check.predicted(),
                    100 * (check.predicted() / check.measured() - 1));
        }
        to.println(file);
        to.flush();
        return 0;
    }
}

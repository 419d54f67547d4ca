package org.effconv.cli;

import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.effconv.Device;
import org.effconv.Setting;
import org.effconv.Settings;
import org.effconv.TrainedModel;
import org.effconv.data.Dataset;
import org.effconv.data.Datasets;
import org.effconv.train.Evaluation;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code effconv eval}: accuracy of a trained network. */
@Command(name = "eval", mixinStandardHelpOptions = true, description = "Tells how well a trained network does on the test part of a dataset.")
final class EvalCommand implements Callable<Integer> {
    static final List<Setting<?>> OFFERED = List.of(
            Settings.DATA, Settings.DEVICE, Settings.GPU_MEMORY, Settings.CONV, Settings.THREADS, Settings.PRECISION, Settings.BATCH);

    static final String MODEL_HELP = "a model.safetensors, or the run folder that has one";

    @Spec
    private CommandSpec spec;

    @Parameters(paramLabel = "MODEL", description = MODEL_HELP)
    private Path model;

    static Path modelFile(Path fileOrRun) {
        return Files.isDirectory(fileOrRun) ? fileOrRun.resolve("model.safetensors") : fileOrRun;
    }

    @Override
    public Integer call() {
        Settings settings = SettingOptions.settings(spec.commandLine().getParseResult(), OFFERED);
        Path file = modelFile(model);
        try (Device device = Device.open(settings);
                TrainedModel trained = TrainedModel.load(device, file)) {
            Dataset data = Datasets.open(settings.get(Settings.DATA));
            Evaluation e = trained.evaluateTest(data, settings.get(Settings.BATCH));
            PrintWriter to = spec.commandLine().getOut();
            to.printf(Locale.ROOT, "%s: %,d parameters%n", trained.plan(), trained.parameters());
            to.printf(Locale.ROOT, "%s: test accuracy %.2f %%, loss %.4f (%d images)%n", data.name(), 100 * e.accuracy(), e.loss(), e.images());
            to.flush();
        }
        return 0;
    }
}

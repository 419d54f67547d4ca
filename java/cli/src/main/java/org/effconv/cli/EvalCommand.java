package org.effconv.cli;

import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.effconv.Device;
import org.effconv.Job;
import org.effconv.Setting;
import org.effconv.Settings;
import org.effconv.TrainedModel;
import org.effconv.data.Dataset;
import org.effconv.data.Datasets;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.train.Answers;
import org.effconv.train.Evaluation;
import org.effconv.train.RunConfig;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code effconv eval}: accuracy of a trained network. */
@Command(
        name = "eval",
        mixinStandardHelpOptions = true,
        description = "Tells how well a trained network does on the test part of its run's dataset, or of another that "
                + "--data names.")
final class EvalCommand implements Callable<Integer> {
    static List<Setting<?>> offered() {
        return List.of(
                Settings.DATA,
                Settings.IMAGE_SIZE,
                Settings.DATA_MEMORY,
                Settings.DEVICE,
                Settings.GPU_MEMORY,
                Settings.CONV,
                Settings.THREADS,
                Settings.PRECISION,
                Settings.BATCH);
    }

    static final String MODEL_HELP = "A model.safetensors, or the run folder that holds one.";

    @Spec
    private CommandSpec spec;

    @Parameters(paramLabel = "MODEL", description = MODEL_HELP)
    private Path model;

    static Path modelFile(Path fileOrRun) {
        return Files.isDirectory(fileOrRun) ? fileOrRun.resolve("model.safetensors") : fileOrRun;
    }

    @Override
    public Integer call() {
        Settings settings = SettingOptions.settings(spec.commandLine().getParseResult(), offered());
        Path file = modelFile(model);
        try (Device device = Device.open(settings);
                TrainedModel trained = TrainedModel.load(device, file)) {
            Dataset data = data(settings, file);
            Evaluation e = trained.evaluateTest(data, settings.get(Settings.BATCH));
            PrintWriter to = spec.commandLine().getOut();
            to.printf(Locale.ROOT, "%s: %,d parameters%n", trained.plan(), trained.parameters());
            to.printf(
                    Locale.ROOT,
                    "%s: test accuracy %.2f %%, loss %.4f (%d images)%n",
                    data.name(),
                    100 * e.accuracy(),
                    e.loss(),
                    e.images());
            classes(e.answers(), trained.classNames(), to);
            to.flush();
        }
        return 0;
    }

    private static void classes(Answers answers, List<String> names, PrintWriter to) {
        if (answers.classes() > Answers.TOP) {
            to.printf(
                    Locale.ROOT,
                    "among the first %d answers: %.2f %%%n",
                    Answers.TOP,
                    100.0 * answers.topCorrect() / answers.images());
        }
        int[] images = answers.imagesByClass();
        int[] correct = answers.correctByClass();
        int width = names.stream().mapToInt(String::length).max().orElse(0);
        for (int c = 0; c < images.length; c++) {
            if (images[c] > 0) {
                to.printf(
                        Locale.ROOT,
                        "  %-" + width + "s  %6.2f %%  %,d of %,d%n",
                        names.get(c),
                        100.0 * correct[c] / images[c],
                        correct[c],
                        images[c]);
            }
        }
    }

    // A model fits any images of its shape, so that what is meant is not guessed: a run knows its own.
    private Dataset data(Settings settings, Path file) {
        if (SettingOptions.isSet(spec.commandLine().getParseResult(), Settings.DATA)) {
            return Datasets.open(settings.get(Settings.DATA), Job.reading(settings));
        }
        Path folder = file.toAbsolutePath().getParent();
        if (!RunConfig.isIn(folder)) {
            throw new InvalidInput(file
                    + ": stands in no run folder, so that nothing says what it was trained on; expected --data DATA");
        }
        return Job.data(folder);
    }
}

package org.effconv.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.effconv.Device;
import org.effconv.Setting;
import org.effconv.Settings;
import org.effconv.TrainedModel;
import org.effconv.Training;
import org.effconv.TrainingResult;
import org.effconv.data.Dataset;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.io.Json;
import org.effconv.nn.Architecture;
import org.effconv.train.PeakMemory;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code effconv train}: training with given sizes. */
@Command(
        name = "train",
        mixinStandardHelpOptions = true,
        description = "Trains a network of given kernel sizes as an ordinary CNN.")
final class TrainCommand extends RunCommand<Training, TrainingResult> {
    private static final Pattern UNIFORM = Pattern.compile("k(\\d{1,3})");
    private static final Pattern LIST =
            Pattern.compile("[\\d,]+"); // a repeated group would take a stack frame for each layer
    private static final Pattern SIZE = Pattern.compile("\\d{1,3}");
    private static final String FORMS =
            "a sizes.json, one size for all layers, as k5, or one per sized layer, as 3,3,5,7";

    @Option(
            names = "--sizes",
            paramLabel = "FILE|kN|LIST",
            description = "Kernel sizes, needed for a new run: " + FORMS + ".")
    private String sizes;

    TrainCommand() {
        super(() -> Settings.table().stream().filter(TrainCommand::applies).collect(Collectors.toList()));
    }

    private static boolean applies(Setting<?> s) {
        return !Settings.ofSearch().contains(s);
    }

    @Override
    Training newJob(Settings settings, Architecture architecture, Dataset data) {
        if (sizes == null) {
            throw new InvalidInput("--sizes is missing: expected " + FORMS);
        }
        var uniform = UNIFORM.matcher(sizes.toLowerCase(Locale.ROOT));
        if (uniform.matches()) {
            return Training.uniform(settings, architecture, data, Integer.parseInt(uniform.group(1)));
        }
        if (LIST.matcher(sizes).matches()) {
            return Training.of(
                    settings,
                    architecture,
                    Arrays.stream(sizes.split(",", -1))
                            .mapToInt(TrainCommand::size)
                            .toArray());
        }
        return Training.fromFile(settings, architecture, data, Path.of(sizes));
    }

    private static int size(String text) {
        if (!SIZE.matcher(text).matches()) {
            throw new InvalidInput("--sizes: '" + (text.length() > 20 ? text.substring(0, 20) + "..." : text)
                    + "' in the list; expected " + FORMS);
        }
        return Integer.parseInt(text);
    }

    @Override
    Training oldJob(Path folder) {
        if (sizes != null) {
            throw new InvalidInput("--sizes and --resume: expected one of them, a run goes on with its own sizes");
        }
        return Training.resume(folder);
    }

    @Override
    TrainingResult run(Training job, Device device, Dataset data) {
        return job.run(device, data);
    }

    @Override
    void report(TrainingResult result, Training job, PrintWriter to, End end) {
        end.tell(job.out(), figures(result, job), text(result), to);
    }

    private static ObjectNode figures(TrainingResult result, Training job) {
        TrainedModel model = result.model();
        ObjectNode json = Json.object();
        json.put("architecture", job.architecture().name());
        json.set("sizes", Json.tree(model.sizes()));
        json.set("layerNames", Json.tree(model.plan().sizedLayerNames()));
        json.put("parameters", model.parameters())
                .put("multiplyAdds", model.plan().multiplyAdds(model.sizes()))
                .put("testAccuracy", result.testAccuracy())
                .put("testLoss", result.testLoss())
                .put("seconds", result.seconds())
                .put("peakRssBytes", PeakMemory.bytes());
        json.set("test", result.test().toJson(model.classNames()));
        return json;
    }

    private static String text(TrainingResult result) {
        List<String> k = Arrays.stream(result.model().sizes())
                .mapToObj(Integer::toString)
                .toList();
        return String.format(
                Locale.ROOT,
                "%nsizes          %s%nparameters     %,d%ntest accuracy  %.2f %%%ntime           %.1f s%npeak memory  "
                        + "  %.0f MiB resident%n",
                String.join(" ", k),
                result.model().parameters(),
                100 * result.testAccuracy(),
                result.seconds(),
                PeakMemory.bytes() / 1048576.0);
    }
}

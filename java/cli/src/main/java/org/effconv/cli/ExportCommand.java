package org.effconv.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.effconv.Device;
import org.effconv.Settings;
import org.effconv.TrainedModel;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.nn.NetworkPlan;
import org.effconv.onnx.OnnxExport;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code effconv export}: a trained network for other programs. */
@Command(
        name = "export",
        mixinStandardHelpOptions = true,
        description =
                "Writes a trained network in fp32 for other programs. What it writes takes pixel values from 0 to 255 in "
                        + "(N, C, H, W) order and gives logits.")
final class ExportCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Parameters(paramLabel = "MODEL", description = EvalCommand.MODEL_HELP)
    private Path model;

    @Option(
            names = "--format",
            paramLabel = "FORMAT",
            defaultValue = "onnx",
            description =
                    "One of onnx, safetensors (PyTorch's state_dict), pytorch and keras (a Python program with its "
                            + "weights). (default: ${DEFAULT-VALUE})")
    private String format;

    @Option(
            names = "--out",
            paramLabel = "PATH",
            description =
                    "File or, for pytorch and keras, folder to write; an older export there is replaced. (default: "
                            + "model.onnx, weights.safetensors, pytorch or keras beside the model)")
    private Path out;

    @Override
    public Integer call() {
        ExportFormat to = ExportFormat.of(format);
        Path file = EvalCommand.modelFile(model);
        Path target = out != null ? out : file.resolveSibling(to.name);
        Settings cpu = Settings.standard()
                .with(Settings.DEVICE, "cpu")
                .with(Settings.THREADS, 1)
                .with(Settings.PRECISION, "fp32");
        try (Device device = Device.open(cpu);
                TrainedModel trained = TrainedModel.load(device, file)) {
            if (!to.folder) {
                requireNameOfFile(target, file);
            }
            to.export.write(trained, target);
            tell(trained, to, target);
        }
        return 0;
    }

    private void tell(TrainedModel trained, ExportFormat format, Path target) {
        NetworkPlan.Input in = trained.plan().input();
        PrintWriter to = spec.commandLine().getOut();
        String operators = format == ExportFormat.ONNX ? ", ONNX operators " + OnnxExport.OPERATORS : "";
        to.printf(Locale.ROOT, "%s: %s, %,d parameters%s%n", target, trained.plan(), trained.parameters(), operators);
        if (format == ExportFormat.SAFETENSORS) {
            to.println("weights alone: mean and std of the pixels are in the metadata");
        } else {
            to.printf(
                    Locale.ROOT,
                    "input %s: float (N, %d, %d, %d), 0 to 255; output %s: float (N, %d)%n",
                    OnnxExport.INPUT,
                    in.channels(),
                    in.height(),
                    in.width(),
                    OnnxExport.OUTPUT,
                    in.classes());
        }
        to.flush();
    }

    private static void requireNameOfFile(Path target, Path model) {
        OutputFile.requireName(target);
        try {
            if (Files.exists(target) && Files.isSameFile(target, model)) {
                throw new InvalidInput(target + ": is the model itself; expected another file");
            }
        } catch (IOException e) {
            throw new UncheckedIOException("cannot read " + target + ": " + e, e);
        }
    }
}

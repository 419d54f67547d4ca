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

/** {@code effconv export}: a trained network as an ONNX model. */
@Command(
        name = "export",
        mixinStandardHelpOptions = true,
        description =
                "Writes a trained network as an ONNX model in fp32. It takes pixel values from 0 to 255 in (N, C, H, "
                        + "W) order and gives logits.")
final class ExportCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Parameters(paramLabel = "MODEL", description = EvalCommand.MODEL_HELP)
    private Path model;

    @Option(
            names = "--out",
            paramLabel = "FILE",
            description = "File to write; one that is there is replaced. (default: model.onnx beside the model)")
    private Path out;

    @Override
    public Integer call() {
        Path file = EvalCommand.modelFile(model);
        Path target = out != null ? out : file.resolveSibling("model.onnx");
        Settings cpu = Settings.standard()
                .with(Settings.DEVICE, "cpu")
                .with(Settings.THREADS, 1)
                .with(Settings.PRECISION, "fp32");
        try (Device device = Device.open(cpu);
                TrainedModel trained = TrainedModel.load(device, file)) {
            requireNameOfFile(target, file);
            OnnxExport.write(trained, target);
            NetworkPlan.Input in = trained.plan().input();
            PrintWriter to = spec.commandLine().getOut();
            to.printf(
                    Locale.ROOT,
                    "%s: %s, %,d parameters, ONNX operators %d%n",
                    target,
                    trained.plan(),
                    trained.parameters(),
                    OnnxExport.OPERATORS);
            to.printf(
                    Locale.ROOT,
                    "input %s: float (N, %d, %d, %d), 0 to 255; output %s: float (N, %d)%n",
                    OnnxExport.INPUT,
                    in.channels(),
                    in.height(),
                    in.width(),
                    OnnxExport.OUTPUT,
                    in.classes());
            to.flush();
        }
        return 0;
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

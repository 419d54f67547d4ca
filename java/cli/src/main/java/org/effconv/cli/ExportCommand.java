package org.effconv.cli;

import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.effconv.Device;
import org.effconv.EffconvException.InvalidInput;
import org.effconv.Settings;
import org.effconv.TrainedModel;
import org.effconv.nn.NetworkPlan;
import org.effconv.onnx.OnnxExport;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code effconv export}: a trained network as an ONNX model. */
@Command(
        name = "export", mixinStandardHelpOptions = true,
        description = "Writes a trained network as an ONNX model: fp32, pixel values from 0 to 255 in (N, C, H, W) order in, logits out.")
final class ExportCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Parameters(paramLabel = "MODEL", description = EvalCommand.MODEL_HELP)
    private Path model;

    @Option(names = "--out", paramLabel = "FILE", description = "replaced if it is there (default: model.onnx beside the model)")
    private Path out;

    @Override
    public Integer call() {
        Path file = EvalCommand.modelFile(model);
        Path target = out != null ? out : file.resolveSibling("model.onnx");
        Path folder = target.toAbsolutePath().getParent();
        if (!Files.isDirectory(folder)) {
            throw new InvalidInput("--out " + target + ": " + folder + " is no folder");
        }
        Settings cpu = Settings.standard().with(Settings.DEVICE, "cpu").with(Settings.THREADS, 1).with(Settings.PRECISION, "fp32");
        try (Device device = Device.open(cpu);
                TrainedModel trained = TrainedModel.load(device, file)) {
            OnnxExport.write(trained, target);
            NetworkPlan.Input in = trained.plan().input();
            PrintWriter to = spec.commandLine().getOut();
            to.printf(Locale.ROOT, "%s: %s, %,d parameters, ONNX operators %d%n", target, trained.plan(), trained.parameters(), OnnxExport.OPERATORS);
            to.printf(Locale.ROOT, "input %s: float (N, %d, %d, %d), 0 to 255; output %s: float (N, %d)%n", OnnxExport.INPUT, in.channels(), in.height(),
                    in.width(), OnnxExport.OUTPUT, in.classes());
            to.flush();
        }
        return 0;
    }
}

package org.effconv.exports;

import ai.onnxruntime.OrtSession;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import org.effconv.Device;
import org.effconv.Settings;
import org.effconv.Training;
import org.effconv.TrainingResult;
import org.effconv.data.Dataset;
import org.effconv.data.Datasets;
import org.effconv.export.PytorchExport;
import org.effconv.nn.Architecture;
import org.effconv.nn.NetworkPlan;
import org.effconv.onnx.OnnxExport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Built-in networks on images of the sample, in ONNX Runtime and in PyTorch: four, or all with
 * {@code -Dexports.networks=all}. Writes target/exports.md, the table of docs/results/exports.md.
 */
class EqualityTableTest {
    private static final int TRAIN = 64;
    private static final int TEST = 100;
    private static final Path TABLE = Path.of("target/exports.md");

    @TempDir
    Path folder;

    private record Compared(int layers, float[][] own, float[] onnx) {}

    @Test
    void realImagesGetTheSameLogits() throws Exception {
        Python python = Python.withTorch();
        Dataset data = Datasets.open("fashion-mnist").take(TRAIN, TEST);
        Map<Path, Compared> networks = new LinkedHashMap<>();
        for (String name : networks()) {
            networks.put(folder.resolve(name), compared(Architecture.named(name), data, folder.resolve(name)));
        }
        Map<Path, float[]> torch = python.logits("model.py", List.copyOf(networks.keySet()), data.test());
        List<String> rows = new ArrayList<>(List.of(
                "| network | learned convolutions | largest logit | ONNX Runtime: largest difference | relative | same class"
                        + " | PyTorch: largest difference | relative | same class |",
                "|---|---|---|---|---|---|---|---|---|"));
        networks.forEach((network, c) -> {
            Logits onnx = new Logits(c.own, c.onnx);
            Logits pytorch = new Logits(c.own, torch.get(network));
            onnx.requireEqual(network + ", ONNX Runtime");
            pytorch.requireEqual(network + ", PyTorch");
            rows.add(String.format(
                    Locale.ROOT,
                    "| `%s` | %d | %.2f %s%s|",
                    network.getFileName(),
                    c.layers,
                    onnx.largest(),
                    cells(onnx),
                    cells(pytorch)));
        });
        Files.write(TABLE, rows);
    }

    private static List<String> networks() {
        boolean all = "all".equals(System.getProperty("exports.networks"));
        return all ? Architecture.builtIns() : List.of("cnn6", "dwnet", "lenet", "resnet20");
    }

    private static String cells(Logits l) {
        return String.format(
                Locale.ROOT,
                "| %.1e | %.1e | %d of %d ",
                l.largestDifference(),
                l.largestDifference() / l.largest(),
                l.sameClass(),
                l.own().length);
    }

    private static Compared compared(Architecture architecture, Dataset data, Path target) throws Exception {
        NetworkPlan plan =
                architecture.plan(new NetworkPlan.Input(data.height(), data.width(), data.channels(), data.classes()));
        Random random = new Random(11);
        int[] sizes =
                random.ints(plan.sizedLayers().size(), 0, 5).map(i -> 1 + 2 * i).toArray();
        try (Device device = Networks.device();
                TrainingResult result = Training.of(
                                Settings.standard().with(Settings.EPOCHS, 1).with(Settings.BATCH, 16),
                                architecture,
                                sizes)
                        .run(device, data)) {
            PytorchExport.write(result.model(), target);
            Path onnx = target.resolve("model.onnx");
            OnnxExport.write(result.model(), onnx);
            try (OrtSession session = OnnxRuntime.open(onnx)) {
                return new Compared(
                        sizes.length, result.model().logits(data.test(), 50), OnnxRuntime.logits(session, data.test()));
            }
        }
    }
}

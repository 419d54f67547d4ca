package org.effconv.onnx;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ai.onnxruntime.NodeInfo;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import ai.onnxruntime.TensorInfo;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.effconv.Device;
import org.effconv.Settings;
import org.effconv.TrainedModel;
import org.effconv.Training;
import org.effconv.TrainingResult;
import org.effconv.backend.cpu.CpuBackend;
import org.effconv.data.Dataset;
import org.effconv.data.Images;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.nn.Architecture;
import org.effconv.nn.NetworkPlan;
import org.effconv.tensor.DataType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** What ONNX Runtime computes with an exported model is what the model itself computes, fp32. */
class OnnxExportTest {
    private static final double WITHIN = 1e-4; // of the largest logit: other orders of the same sums

    /** Everything an architecture can be made of, but global pooling, which resnet20 has. */
    private static final String ALL =
            """
            {"name": "all", "layers": [
              {"type": "conv", "name": "first", "channels": 8, "stride": 2, "bias": true},
              {"type": "gelu"},
              {"type": "pool", "kind": "average", "size": 3, "stride": 2, "padding": 1},
              {"type": "batchNorm", "name": "gelu"},
              {"type": "conv", "name": "grouped", "channels": 12, "groups": 2, "bias": true},
              {"type": "batchNorm"},
              {"type": "relu"},
              {"type": "residual", "activation": "relu",
               "body": [{"type": "conv", "groups": "depthwise"}, {"type": "batchNorm"}],
               "shortcut": [{"type": "conv", "channels": 12, "kernel": 1}]},
              {"type": "repeat", "times": 2, "layers": [{"type": "conv", "channels": 12}, {"type": "relu"}]},
              {"type": "residual",
               "body": [{"type": "conv", "channels": "same", "kernel": 3}, {"type": "batchNorm"}, {"type": "relu"}]},
              {"type": "residual", "activation": "relu", "body": [{"type": "dropout", "rate": 0.5}, {"type": "conv", "channels": "same"}]},
              {"type": "pool", "kind": "max", "size": 2, "padding": 1},
              {"type": "linear", "outputs": 7},
              {"type": "relu"},
              {"type": "dropout", "rate": 0.25},
              {"type": "linear", "outputs": "classes", "bias": false}]}""";

    @TempDir
    Path folder;

    /** Images higher than wide, so that no axis stands for another. */
    private static Dataset data(int height, int width, int channels, int classes) {
        Random random = new Random(5);
        Images[] parts = new Images[2];
        for (int p = 0; p < parts.length; p++) {
            int count = 40;
            byte[] pixels = new byte[count * height * width * channels];
            random.nextBytes(pixels);
            parts[p] = Images.of(pixels, random.ints(count, 0, classes).toArray(), height, width, channels);
        }
        return Dataset.of(
                "drawn", parts[0], parts[1], List.of("a", "b", "c", "d", "e").subList(0, classes));
    }

    private static Device device() {
        return Device.open(Settings.standard()
                .with(Settings.DEVICE, "cpu")
                .with(Settings.THREADS, 1)
                .with(Settings.PRECISION, "fp32"));
    }

    private static TrainingResult trained(Device device, Architecture architecture, Dataset data) {
        NetworkPlan plan =
                architecture.plan(new NetworkPlan.Input(data.height(), data.width(), data.channels(), data.classes()));
        Random random = new Random(3);
        int[] sizes =
                random.ints(plan.sizedLayers().size(), 0, 4).map(i -> 1 + 2 * i).toArray();
        return Training.of(Settings.standard().with(Settings.EPOCHS, 2).with(Settings.BATCH, 16), architecture, sizes)
                .run(device, data);
    }

    private static float[] run(OrtSession session, OrtEnvironment environment, Images images) throws OrtException {
        int h = images.height();
        int w = images.width();
        int c = images.channels();
        FloatBuffer pixels = FloatBuffer.allocate(images.count() * c * h * w);
        for (int i = 0; i < images.count(); i++) {
            for (int channel = 0; channel < c; channel++) {
                for (int y = 0; y < h; y++) {
                    for (int x = 0; x < w; x++) {
                        pixels.put(images.pixel(i, y, x, channel));
                    }
                }
            }
        }
        try (OnnxTensor input =
                        OnnxTensor.createTensor(environment, pixels.flip(), new long[] {images.count(), c, h, w});
                OrtSession.Result result = session.run(Map.of(OnnxExport.INPUT, input))) {
            FloatBuffer logits = ((OnnxTensor) result.get(OnnxExport.OUTPUT).orElseThrow()).getFloatBuffer();
            float[] all = new float[logits.remaining()];
            logits.get(all);
            return all;
        }
    }

    private void computesTheSame(Architecture architecture, Dataset data) throws Exception {
        Path file = folder.resolve("model.onnx");
        OrtEnvironment environment = OrtEnvironment.getEnvironment();
        Device device = device();
        try (device;
                TrainingResult result = trained(device, architecture, data)) {
            TrainedModel model = result.model();
            OnnxExport.write(model, file);
            float[][] own = model.logits(data.test(), 7);
            assertEquals(data.test().count(), own.length);
            double largest = Arrays.stream(own)
                    .flatMapToDouble(row -> Arrays.stream(row(row)))
                    .map(Math::abs)
                    .max()
                    .orElseThrow();
            assertTrue(largest > 1e-3, "logits of at most " + largest + " say nothing");
            try (OrtSession session = environment.createSession(file.toString(), new OrtSession.SessionOptions())) {
                float[] theirs = run(session, environment, data.test());
                for (int i = 0; i < own.length; i++) {
                    for (int k = 0; k < own[i].length; k++) {
                        assertEquals(
                                own[i][k],
                                theirs[i * own[i].length + k],
                                WITHIN * largest,
                                architecture.name() + ", image " + i + ", class " + k);
                    }
                }
                assertEquals(
                        "[\"a\",\"b\",\"c\",\"d\",\"e\"]",
                        session.getMetadata().getCustomMetadata().get("classNames"));
                assertEquals(
                        Arrays.toString(model.sizes()).replace(" ", ""),
                        session.getMetadata().getCustomMetadata().get("kernelSizes"));
            }
        }
        assertEquals(0, device.liveBytes());
    }

    private static double[] row(float[] values) {
        double[] row = new double[values.length];
        Arrays.setAll(row, i -> values[i]);
        return row;
    }

    @ParameterizedTest(name = "{0} on {1} x {2} x {3}")
    @CsvSource({
        "cnn6, 13, 10, 3",
        "lenet, 17, 12, 1",
        "resnet20, 9, 11, 3",
        "flexnet3, 12, 9, 1",
        "dwnet, 14, 11, 3",
        "planted3, 8, 8, 1"
    })
    void aBuiltInNetworkComputesTheSame(String architecture, int height, int width, int channels) throws Exception {
        computesTheSame(Architecture.named(architecture), data(height, width, channels, 5));
    }

    static List<String> builtIns() {
        return Architecture.builtIns();
    }

    @ParameterizedTest
    @MethodSource("builtIns")
    void everyBuiltInNetworkComputesTheSame(String architecture) throws Exception {
        computesTheSame(Architecture.named(architecture), data(8, 9, 3, 5));
    }

    @Test
    void everyOperationComputesTheSame() throws Exception {
        computesTheSame(Architecture.parse(ALL, "test"), data(19, 14, 3, 5));
    }

    @Test
    void theModelSaysWhatItTakes() throws Exception {
        Path file = folder.resolve("model.onnx");
        Dataset data = data(8, 9, 1, 2);
        try (Device device = device();
                TrainingResult result = trained(device, Architecture.named("planted1"), data)) {
            OnnxExport.write(result.model(), file);
        }
        try (OrtSession session =
                OrtEnvironment.getEnvironment().createSession(file.toString(), new OrtSession.SessionOptions())) {
            NodeInfo input = session.getInputInfo().get(OnnxExport.INPUT);
            assertEquals("[-1, 1, 8, 9]", Arrays.toString(((TensorInfo) input.getInfo()).getShape()));
            NodeInfo output = session.getOutputInfo().get(OnnxExport.OUTPUT);
            assertEquals("[-1, 2]", Arrays.toString(((TensorInfo) output.getInfo()).getShape()));
        }
        try (var left = Files.list(folder)) {
            assertEquals(List.of(file), left.toList());
        }
    }

    @Test
    void weightsInFp64AreRefused() {
        Dataset data = data(8, 9, 1, 2);
        try (Device device = Device.over(CpuBackend.open(1), DataType.F64);
                TrainingResult result = trained(device, Architecture.named("planted1"), data)) {
            String message = assertThrows(
                            InvalidInput.class, () -> OnnxExport.write(result.model(), folder.resolve("model.onnx")))
                    .getMessage();
            assertTrue(message.contains("fp64"), message);
        }
        assertFalse(Files.exists(folder.resolve("model.onnx")));
    }

    @Test
    void whatAFileCannotHoldIsRefused() {
        OnnxExport.requireRoom("a network", 1_000_000_000L);
        String message = assertThrows(InvalidInput.class, () -> OnnxExport.requireRoom("a network", 1L << 31))
                .getMessage();
        assertTrue(message.startsWith("a network has 2147483648 bytes of weights"), message);
    }
}

package org.effconv.exports;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ai.onnxruntime.NodeInfo;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtSession;
import ai.onnxruntime.TensorInfo;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.effconv.Device;
import org.effconv.TrainedModel;
import org.effconv.TrainingResult;
import org.effconv.backend.cpu.CpuBackend;
import org.effconv.data.Dataset;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.nn.Architecture;
import org.effconv.onnx.OnnxExport;
import org.effconv.tensor.DataType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** What ONNX Runtime computes with an exported model is what the model itself computes, fp32. */
class OnnxTest {
    @TempDir
    Path folder;

    private void computesTheSame(Architecture architecture, Dataset data) throws Exception {
        Path file = folder.resolve("model.onnx");
        Device device = Networks.device();
        try (device;
                TrainingResult result = Networks.trained(device, architecture, data)) {
            TrainedModel model = result.model();
            OnnxExport.write(model, file);
            try (OrtSession session = OnnxRuntime.open(file)) {
                new Logits(model.logits(data.test(), 7), OnnxRuntime.logits(session, data.test()))
                        .requireEqual(architecture.name());
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
        computesTheSame(Architecture.named(architecture), Networks.data(height, width, channels, 5));
    }

    static List<String> builtIns() {
        return Architecture.builtIns();
    }

    @ParameterizedTest
    @MethodSource("builtIns")
    void everyBuiltInNetworkComputesTheSame(String architecture) throws Exception {
        computesTheSame(Architecture.named(architecture), Networks.data(8, 9, 3, 5));
    }

    @Test
    void everyOperationComputesTheSame() throws Exception {
        computesTheSame(Architecture.parse(Networks.ALL, "test"), Networks.data(19, 14, 3, 5));
        computesTheSame(Architecture.parse(Networks.AWKWARD, "test"), Networks.data(19, 14, 3, 5));
    }

    @Test
    void theRuntimeIsTheOneThatWasAskedFor() {
        String jar = OrtEnvironment.class
                .getProtectionDomain()
                .getCodeSource()
                .getLocation()
                .getPath();
        assertTrue(jar.endsWith("/onnxruntime-" + System.getProperty("onnxruntime.version") + ".jar"), jar);
    }

    @Test
    void theModelSaysWhatItTakes() throws Exception {
        Path file = folder.resolve("model.onnx");
        Dataset data = Networks.data(8, 9, 1, 2);
        try (Device device = Networks.device();
                TrainingResult result = Networks.trained(device, Architecture.named("planted1"), data)) {
            OnnxExport.write(result.model(), file);
        }
        try (OrtSession session = OnnxRuntime.open(file)) {
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
        Dataset data = Networks.data(8, 9, 1, 2);
        try (Device device = Device.over(CpuBackend.open(1), DataType.F64);
                TrainingResult result = Networks.trained(device, Architecture.named("planted1"), data)) {
            String message = assertThrows(
                            InvalidInput.class, () -> OnnxExport.write(result.model(), folder.resolve("model.onnx")))
                    .getMessage();
            assertTrue(message.contains("fp64"), message);
        }
        assertFalse(Files.exists(folder.resolve("model.onnx")));
    }
}

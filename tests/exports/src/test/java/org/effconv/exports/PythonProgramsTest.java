package org.effconv.exports;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.effconv.Device;
import org.effconv.TrainedModel;
import org.effconv.TrainingResult;
import org.effconv.data.Dataset;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.export.KerasExport;
import org.effconv.export.PytorchExport;
import org.effconv.nn.Architecture;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the exported programs compute in PyTorch and Keras is what the network itself computes, fp32. */
class PythonProgramsTest {
    private static final Dataset SMALL = Networks.data(8, 9, 3, 5);
    private static final Dataset LARGER = Networks.data(19, 14, 3, 5);

    @TempDir
    static Path folder;

    /** What the networks say of their own test images, by the folder of their programs. */
    private static final Map<Path, float[][]> OF_SMALL = new LinkedHashMap<>();

    private static final Map<Path, float[][]> OF_LARGER = new LinkedHashMap<>();

    @BeforeAll
    static void export() {
        Architecture.builtIns().forEach(name -> export(Architecture.named(name), name, SMALL, OF_SMALL));
        export(Architecture.parse(Networks.ALL, "test"), "all", LARGER, OF_LARGER);
        export(Architecture.parse(Networks.AWKWARD, "test"), "awkward", LARGER, OF_LARGER);
    }

    private static void export(Architecture architecture, String name, Dataset data, Map<Path, float[][]> logits) {
        Path target = folder.resolve(name);
        try (Device device = Networks.device();
                TrainingResult result = Networks.trained(device, architecture, data)) {
            TrainedModel model = result.model();
            PytorchExport.write(model, target);
            KerasExport.write(model, target); // replaces the weights, which are the same
            logits.put(target, model.logits(data.test(), 7));
        }
    }

    private static void sayTheSame(Python python, String program) {
        for (boolean small : new boolean[] {true, false}) {
            Map<Path, float[][]> own = small ? OF_SMALL : OF_LARGER;
            Map<Path, float[]> theirs =
                    python.logits(program, List.copyOf(own.keySet()), (small ? SMALL : LARGER).test());
            own.forEach((network, logits) ->
                    new Logits(logits, theirs.get(network)).requireEqual(network.getFileName() + ", " + program));
        }
    }

    @Test
    void pytorchSaysTheSame() {
        sayTheSame(Python.withTorch(), "model.py");
    }

    @Test
    void kerasSaysTheSame() {
        sayTheSame(Python.withKeras(), "model_keras.py");
    }

    @Test
    void everyProgramCompiles() {
        List<String> programs = Stream.of(OF_SMALL, OF_LARGER)
                .flatMap(m -> m.keySet().stream())
                .flatMap(f -> Stream.of("model.py", "model_keras.py")
                        .map(p -> f.resolve(p).toString()))
                .toList();
        assertEquals("", Python.plain().run("compiles.py", programs));
    }

    @Test
    void theProgramReadsLikeOneThatAPersonWrote() throws Exception {
        String program = Files.readString(folder.resolve("resnet20/model.py"));
        for (String line : List.of(
                "        self.stem = nn.Conv2d(3, 16, kernel_size=",
                "        x = F.relu(self.batchNorm1(self.stem(x)))\n",
                "        block = self.stage1[\"1\"].block\n",
                "        y = F.relu(block.batchNorm1(block.conv1(x)))\n",
                "        y = block.batchNorm2(block.conv2(y))\n",
                "        x = F.relu(y + x)\n",
                "        return self.classifier(x)\n",
                "    network.load_state_dict(state, strict=True)\n")) {
            assertTrue(program.contains(line), line + " is not in\n" + program);
        }
        assertTrue(program.lines().allMatch(l -> l.length() <= 120), program);
        assertFalse(program.contains("RENAMED"), program);
    }

    @Test
    void layersMayHaveAnyNameThatPytorchHasForItself() {
        Python python = Python.withTorch();
        List<String> layers = new ArrayList<>();
        for (String name : python.run("attributes.py", List.of()).split("\\s+")) {
            layers.add("{\"type\": \"batchNorm\", \"name\": \"" + name + "\"}");
        }
        String list = layers.stream().collect(Collectors.joining(", "));
        String text = "{\"name\": \"names\", \"layers\": [" + list + ", {\"type\": \"repeat\", \"name\": \"again\","
                + " \"times\": 1, \"layers\": [" + list + "]}, {\"type\": \"conv\", \"name\": \"c\", \"channels\": 4},"
                + " {\"type\": \"globalAveragePool\"}, {\"type\": \"linear\", \"outputs\": \"classes\"}]}";
        Map<Path, float[][]> own = new LinkedHashMap<>();
        export(Architecture.parse(text, "test"), "names", SMALL, own);
        Path network = folder.resolve("names");
        float[] theirs =
                python.logits("model.py", List.of(network), SMALL.test()).get(network);
        new Logits(own.get(network), theirs).requireEqual("names");
    }

    @Test
    void aLayerThatWouldHoldOthersIsRefused() {
        Architecture architecture = Architecture.parse(
                """
                {"name": "two", "layers": [
                  {"type": "residual", "name": "r", "body": [{"type": "conv", "name": "shortcut", "channels": "same"}],
                   "shortcut": [{"type": "batchNorm"}]},
                  {"type": "globalAveragePool"}, {"type": "linear", "outputs": "classes"}]}""",
                "test");
        try (Device device = Networks.device();
                TrainingResult result = Networks.trained(device, architecture, SMALL)) {
            String message = assertThrows(
                            InvalidInput.class, () -> PytorchExport.write(result.model(), folder.resolve("two")))
                    .getMessage();
            assertTrue(
                    message.startsWith("layer r.shortcut.batchNorm1: 'shortcut' is a layer and holds others"), message);
            assertFalse(Files.exists(folder.resolve("two")));
        }
    }

    @Test
    void aModelIsNeverReplaced() throws Exception {
        Path run = Files.createDirectory(folder.resolve("run"));
        Path saved = run.resolve("model.safetensors");
        try (Device device = Networks.device();
                TrainingResult result = Networks.trained(device, Architecture.named("planted1"), SMALL)) {
            result.model().save(saved);
            byte[] bytes = Files.readAllBytes(saved);
            for (boolean keras : new boolean[] {false, true}) {
                String message = assertThrows(InvalidInput.class, () -> {
                            if (keras) {
                                KerasExport.write(result.model(), run);
                            } else {
                                PytorchExport.write(result.model(), run);
                            }
                        })
                        .getMessage();
                assertEquals(saved + ": is a model, or no export's; expected another folder", message);
            }
            assertEquals(bytes.length, Files.size(saved));
            assertThrows(InvalidInput.class, () -> PytorchExport.write(result.model(), saved));
            assertThrows(InvalidInput.class, () -> PytorchExport.write(result.model(), folder.resolve("absent/new")));
        }
        try (var left = Files.list(run)) {
            assertEquals(List.of(saved), left.toList());
        }
    }
}

package org.effconv.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.effconv.ChannelsFirstReference;
import org.effconv.Device;
import org.effconv.SafetensorsBytes;
import org.effconv.Settings;
import org.effconv.TrainedModel;
import org.effconv.Training;
import org.effconv.TrainingResult;
import org.effconv.data.Dataset;
import org.effconv.data.Images;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.io.ElementType;
import org.effconv.io.Json;
import org.effconv.io.Safetensors;
import org.effconv.io.TensorData;
import org.effconv.nn.Architecture;
import org.effconv.nn.model.ModelTensor;
import org.effconv.tensor.Shape;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What is in a model.safetensors, and which files are read. */
class ModelFileTest {
    private static final int HEIGHT = 11;
    private static final int WIDTH = 7;
    private static final int CHANNELS = 3;
    private static final int COUNT = 24;
    private static final int[] SIZES = {5, 3};

    /** A stride, groups of both kinds, and a linear layer behind an image of 3 x 2. */
    private static final String NETWORK =
            """
            {"name": "test", "layers": [
              {"type": "conv", "name": "first", "channels": 6, "stride": 2, "bias": true},
              {"type": "batchNorm", "name": "bn1"}, {"type": "relu"},
              {"type": "conv", "name": "grouped", "channels": 8, "groups": 2, "kernel": 3},
              {"type": "residual", "name": "block", "activation": "relu",
               "body": [{"type": "conv", "name": "dw", "groups": "depthwise"}, {"type": "batchNorm", "name": "bn2"}]},
              {"type": "pool", "kind": "max", "size": 2},
              {"type": "linear", "name": "fc1", "outputs": 5}, {"type": "relu"},
              {"type": "linear", "name": "fc2", "outputs": "classes", "bias": false}]}""";

    @TempDir
    Path folder;

    private Device device;
    private TrainingResult trained;
    private Path file;

    @BeforeEach
    void train() {
        device = Device.open(Settings.standard()
                .with(Settings.DEVICE, "cpu")
                .with(Settings.THREADS, 1)
                .with(Settings.PRECISION, "fp32"));
        trained = Training.of(
                        Settings.standard()
                                .with(Settings.EPOCHS, 2)
                                .with(Settings.BATCH, 8)
                                .with(Settings.LR, 0.02),
                        Architecture.parse(NETWORK, "test"),
                        SIZES)
                .run(device, data());
        file = folder.resolve("model.safetensors");
        trained.model().save(file);
    }

    @AfterEach
    void close() {
        trained.close();
        device.close();
        assertEquals(0, device.liveBytes());
    }

    private static Dataset data() {
        Random random = new Random(4);
        byte[] pixels = new byte[COUNT * HEIGHT * WIDTH * CHANNELS];
        random.nextBytes(pixels);
        Images images = Images.of(pixels, random.ints(COUNT, 0, 4).toArray(), HEIGHT, WIDTH, CHANNELS);
        return Dataset.of("drawn", images, images, List.of("a", "b", "c", "d"));
    }

    private float[][] logits(TrainedModel model) {
        return model.logits(data().test(), 5);
    }

    private void loadsAsTrained(Path stored) {
        try (TrainedModel loaded = TrainedModel.load(device, stored)) {
            Map<String, TensorData> expected = trained.model().values();
            Map<String, TensorData> found = loaded.values();
            assertEquals(expected.keySet(), found.keySet());
            expected.forEach(
                    (name, t) -> assertEquals(t.bytes(), found.get(name).bytes(), name));
            assertArrayEquals(logits(trained.model()), logits(loaded));
        }
    }

    private String refused(Path stored) {
        String message = assertThrows(InvalidInput.class, () -> TrainedModel.load(device, stored))
                .getMessage();
        assertTrue(message.startsWith(stored.toString()), message);
        return message;
    }

    // ---- the format -------------------------------------------------------------------------------------------------

    @Test
    void namesAndShapesArePyTorchs() {
        Map<String, Shape> shapes = new TreeMap<>();
        Safetensors.read(file).tensors().forEach((name, t) -> shapes.put(name, t.shape()));
        Map<String, Shape> expected = new TreeMap<>(Map.of(
                "first.weight",
                Shape.of(6, 3, 5, 5),
                "first.bias",
                Shape.of(6),
                "grouped.weight",
                Shape.of(8, 3, 3, 3),
                "block.dw.weight",
                Shape.of(8, 1, 3, 3),
                "fc1.weight",
                Shape.of(5, 48),
                "fc1.bias",
                Shape.of(5),
                "fc2.weight",
                Shape.of(4, 5)));
        Map.of("bn1", 6, "block.bn2", 8)
                .forEach((norm, channels) -> List.of("weight", "bias", "running_mean", "running_var")
                        .forEach(name -> expected.put(norm + "." + name, Shape.of(channels))));
        assertEquals(expected, shapes);
        assertEquals("effconv-model-2", Safetensors.read(file).metadata().get("format"));
    }

    /** Sums written out over (C, H, W), in fp64. */
    @Test
    void theTensorsOfTheFileComputeTheLogits() {
        Map<String, TensorData> tensors = Safetensors.read(file).tensors();
        ObjectNode use = Json.parse(Safetensors.read(file).metadata().get("use"), "use");
        ChannelsFirstReference net = new ChannelsFirstReference(tensors);
        float[][] own = logits(trained.model());
        Images images = data().test();
        for (int i = 0; i < COUNT; i++) {
            double[][][] x = new double[CHANNELS][HEIGHT][WIDTH];
            for (int c = 0; c < CHANNELS; c++) {
                for (int y = 0; y < HEIGHT; y++) {
                    for (int q = 0; q < WIDTH; q++) {
                        x[c][y][q] = (images.pixel(i, y, q, c) / 255.0
                                        - use.path("mean").get(c).asDouble())
                                / use.path("std").get(c).asDouble();
                    }
                }
            }
            double[][][] stem = ChannelsFirstReference.relu(net.batchNorm(net.convolution(x, "first", 2, 1), "bn1"));
            double[][][] grouped = net.convolution(stem, "grouped", 1, 2);
            double[][][] body = net.batchNorm(net.convolution(grouped, "block.dw", 1, 8), "block.bn2");
            double[][][] block = ChannelsFirstReference.relu(ChannelsFirstReference.sum(body, grouped));
            double[] hidden =
                    net.linear(ChannelsFirstReference.flatten(ChannelsFirstReference.largestOfTwoByTwo(block)), "fc1");
            double[] logits = net.linear(ChannelsFirstReference.relu(hidden), "fc2");
            for (int k = 0; k < logits.length; k++) {
                assertEquals(logits[k], own[i][k], 2e-4, "image " + i + ", class " + k);
            }
        }
    }

    @Test
    void aPlanKnowsWhatItsModelHolds() {
        Map<String, TensorData> values = trained.model().values();
        List<ModelTensor> tensors = trained.model().plan().modelTensors(SIZES);
        assertEquals(
                List.copyOf(values.keySet()),
                tensors.stream().map(ModelTensor::name).toList());
        tensors.forEach(t -> assertEquals(values.get(t.name()).shape(), t.shape(), t.name()));
    }

    @Test
    void whatIsSavedIsLoaded() {
        loadsAsTrained(file);
    }

    @Test
    void greyImagesHaveTheirGreyInAllChannels() {
        byte[] grey = new byte[2 * HEIGHT * WIDTH];
        new Random(6).nextBytes(grey);
        byte[] colour = new byte[3 * grey.length];
        for (int i = 0; i < colour.length; i++) {
            colour[i] = grey[i / 3];
        }
        Images one = Images.of(grey, new int[] {1, 3}, HEIGHT, WIDTH, 1);
        Images three = Images.of(colour, new int[] {1, 3}, HEIGHT, WIDTH, 3);
        TrainedModel model = trained.model();
        assertArrayEquals(model.logits(three, 5), model.logits(one, 5));
        assertEquals(model.evaluate(three, 5), model.evaluate(one, 5));
        assertArrayEquals(model.logits(three.select(new int[] {1}), 5), model.logits(one.select(new int[] {1}), 5));
        Images turned = Images.of(grey, new int[] {1, 3}, WIDTH, HEIGHT, 1);
        assertTrue(assertThrows(InvalidInput.class, () -> model.evaluate(turned, 5))
                .getMessage()
                .startsWith("images of 7x11x1, the model expects 11x7x3"));
    }

    // ---- files of other programs ------------------------------------------------------------------------------------

    private Map<String, TensorData> byName(Map<String, TensorData> tensors) {
        return new TreeMap<>(tensors);
    }

    @Test
    void aFileWrittenAnewByAnotherProgramIsRead() throws IOException {
        Map<String, String> metadata = SafetensorsBytes.metadata(file);
        metadata.put("a program's own", "{}");
        Map<String, TensorData> tensors = byName(Safetensors.read(file).tensors());
        loadsAsTrained(SafetensorsBytes.write(folder.resolve("anew"), metadata, tensors, 21));
    }

    @Test
    void tensorsBesideTheModelsAreLeftOut() throws IOException {
        Map<String, String> metadata = SafetensorsBytes.metadata(file);
        metadata.remove("sha256"); // of the model alone
        Map<String, TensorData> tensors = byName(Safetensors.read(file).tensors());
        tensors.put("bn1.num_batches_tracked", new TensorData(ElementType.I64, Shape.of(), ByteBuffer.allocate(8)));
        tensors.put("average.fc1.weight", new TensorData(ElementType.F16, Shape.of(3), ByteBuffer.allocate(6)));
        loadsAsTrained(SafetensorsBytes.write(folder.resolve("more"), metadata, tensors, 0));
    }

    @ParameterizedTest
    @ValueSource(strings = {"fc2.bias", "fc1.num_batches_tracked"})
    void aTensorThatALayerWouldHaveToUseIsRefused(String name) throws IOException {
        Map<String, String> metadata = SafetensorsBytes.metadata(file);
        metadata.remove("sha256");
        Map<String, TensorData> tensors = byName(Safetensors.read(file).tensors());
        tensors.put(name, TensorData.of(Shape.of(4), new float[4]));
        String message = refused(SafetensorsBytes.write(folder.resolve("more"), metadata, tensors, 0));
        assertTrue(message.contains("of this network has no tensor '" + name + "'"), message);
    }

    @Test
    void aNeededTensorOfAnotherTypeOrShapeIsNamed() throws IOException {
        Map<String, String> metadata = SafetensorsBytes.metadata(file);
        metadata.remove("sha256");
        Map<String, TensorData> tensors = byName(Safetensors.read(file).tensors());
        tensors.put("fc1.bias", new TensorData(ElementType.F16, Shape.of(5), ByteBuffer.allocate(10)));
        String half = refused(SafetensorsBytes.write(folder.resolve("half"), metadata, tensors, 0));
        assertTrue(half.contains("'fc1.bias' is F16 [5], expected F32 [5]"), half);
        tensors.put("fc1.bias", TensorData.of(Shape.of(5), new float[5]));
        tensors.remove("bn1.running_var");
        String missing = refused(SafetensorsBytes.write(folder.resolve("missing"), metadata, tensors, 0));
        assertTrue(missing.contains("'bn1.running_var' is missing"), missing);
    }

    @ParameterizedTest
    @ValueSource(strings = {"format", "architecture", "use"})
    void whatIsMissingFromTheMetadataIsNamed(String key) throws IOException {
        Map<String, TensorData> tensors = Safetensors.read(file).tensors();
        Map<String, String> metadata = SafetensorsBytes.metadata(file);
        metadata.remove(key);
        String message = refused(SafetensorsBytes.write(folder.resolve("less"), metadata, tensors, 0));
        assertTrue(message.contains("no '" + key + "'"), message);
        assertTrue(refused(SafetensorsBytes.write(folder.resolve("none"), null, tensors, 0))
                .contains("no 'format'"));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "classNames | [\"a\", null, \"c\", \"d\"] | classNames[1] is null",
                "classNames | [\"a\", 1, \"c\", \"d\"] | classNames",
                "std | [0.2, 0, 0.2] | std 0.0 of channel 1",
                "std | [0.2, -1, 0.2] | std -1.0",
                "std | [0.2, 1e60, 0.2] | std Infinity",
                "std | [0.2, null, 0.2] | std: ",
                "std | [0.2, \"NaN\", 0.2] | std",
                "mean | [0.2, \"NaN\", 0.2] | mean",
                "mean | [0.2, \"0.3\", 0.2] | mean: ",
                "sizes | [5, 3.7] | sizes: ",
                "sizes | [5, \"3\"] | sizes: ",
                "sizes | [5, null] | sizes: ",
                "sizes | [5, true] | sizes: ",
                "sizes | [5, 4] | kernel size of layer",
                "sizes | [5] | expected 2",
                "input | {\"height\": 0, \"width\": 7, \"channels\": 3, \"classes\": 4} | image height is 0",
                "input | {\"height\": 1, \"width\": 1, \"channels\": 3, \"classes\": 4} | smaller than architecture",
                "input | {\"width\": 7, \"channels\": 3, \"classes\": 4} | input: "
            })
    void whatIsWrongOfTheUseIsNamed(String key, String value, String said) throws IOException {
        Map<String, String> metadata = SafetensorsBytes.metadata(file);
        ObjectNode use = Json.parse(metadata.get("use"), "use");
        use.set(key, Json.parse("{\"value\": " + value + "}", "value").path("value"));
        metadata.put("use", Json.line(use));
        String message = refused(SafetensorsBytes.write(
                folder.resolve("wrong"), metadata, Safetensors.read(file).tensors(), 0));
        assertTrue(message.substring(folder.toString().length()).contains(said), message);
    }

    // ---- the first version ------------------------------------------------------------------------------------------

    /** In the order in which it was written. */
    private Map<String, TensorData> firstVersion() {
        Map<String, TensorData> values = trained.model().values();
        assertEquals(Shape.of(6, 5, 5, 3), values.get("first.weight").shape());
        assertTrue(values.containsKey("bn1.runningVariance"));
        return values;
    }

    private Map<String, String> firstMetadata() throws IOException {
        Map<String, String> metadata = SafetensorsBytes.metadata(file);
        metadata.put("format", "effconv-model-1");
        metadata.keySet().removeAll(List.of("layout", "sha256"));
        metadata.put("crc32", SafetensorsBytes.crc32(firstVersion().values()));
        return metadata;
    }

    @Test
    void aFileOfTheFirstVersionIsReadInWhateverOrder() throws IOException {
        Map<String, String> metadata = firstMetadata();
        loadsAsTrained(SafetensorsBytes.write(folder.resolve("first"), metadata, firstVersion(), 3));
        loadsAsTrained(SafetensorsBytes.write(folder.resolve("anew"), metadata, byName(firstVersion()), 0));
        List<String> names = new ArrayList<>(firstVersion().keySet());
        Collections.shuffle(names, new Random(1));
        Map<String, TensorData> shuffled = new LinkedHashMap<>();
        names.forEach(name -> shuffled.put(name, firstVersion().get(name)));
        loadsAsTrained(SafetensorsBytes.write(folder.resolve("shuffled"), metadata, shuffled, 0));
    }

    @Test
    void aFlippedBitOfAnyTensorIsNoticedInBothVersionsAndAnyOrder() throws IOException {
        Map<String, TensorData> second = Safetensors.read(file).tensors();
        everyFlipIsRefused(file, second);
        everyFlipIsRefused(
                SafetensorsBytes.write(folder.resolve("anew"), SafetensorsBytes.metadata(file), byName(second), 0),
                byName(second));
        everyFlipIsRefused(
                SafetensorsBytes.write(folder.resolve("first"), firstMetadata(), firstVersion(), 0), firstVersion());
        everyFlipIsRefused(
                SafetensorsBytes.write(folder.resolve("first anew"), firstMetadata(), byName(firstVersion()), 0),
                byName(firstVersion()));
    }

    private void everyFlipIsRefused(Path whole, Map<String, TensorData> inFileOrder) throws IOException {
        byte[] bytes = Files.readAllBytes(whole);
        int at = SafetensorsBytes.valuesAt(bytes);
        for (TensorData t : inFileOrder.values()) {
            byte[] flipped = bytes.clone();
            flipped[at + t.bytes().limit() / 2] ^= 1;
            assertTrue(refused(Files.write(folder.resolve("flipped"), flipped)).contains("damaged"));
            at += t.bytes().limit();
        }
        assertEquals(bytes.length, at);
    }
}

package org.effconv.exports;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.TreeSet;
import org.effconv.Device;
import org.effconv.TrainedModel;
import org.effconv.TrainingResult;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.export.SafetensorsExport;
import org.effconv.io.Json;
import org.effconv.io.TensorData;
import org.effconv.nn.Architecture;
import org.effconv.nn.model.ModelTensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The exported weights, read by Python's standard library. */
class SafetensorsTest {
    @TempDir
    Path folder;

    private static double sum(TensorData values) {
        double sum = 0;
        for (float f : values.floats()) {
            sum += f;
        }
        return sum;
    }

    @Test
    void theFileHoldsTheStateDict() {
        Path file = folder.resolve("weights.safetensors");
        try (Device device = Networks.device();
                TrainingResult result = Networks.trained(
                        device, Architecture.parse(Networks.ALL, "test"), Networks.data(19, 14, 3, 5))) {
            TrainedModel model = result.model();
            SafetensorsExport.write(model, file);
            ObjectNode stored =
                    Json.parse(Python.plain().run("tensors.py", java.util.List.of(file.toString())), "python");
            JsonNode metadata = stored.remove("__metadata__");
            assertEquals("pt", metadata.path("format").asText());
            assertEquals("all", metadata.path("architecture").asText());
            assertEquals(
                    Json.tree(model.sizes()).toString(),
                    metadata.path("kernelSizes").asText());
            assertEquals(
                    Json.tree(model.normalisation().mean()).toString(),
                    metadata.path("mean").asText());
            Map<String, TensorData> values = model.values();
            TreeSet<String> names = new TreeSet<>();
            for (ModelTensor t : model.plan().modelTensors(model.sizes())) {
                names.add(t.torchName());
                TensorData expected = t.toTorch(values.get(t.name()));
                JsonNode found = stored.path(t.torchName());
                assertEquals("F32", found.path("dtype").asText(), t.torchName());
                assertEquals(Json.tree(t.torchShape().dims()), found.path("shape"), t.torchName());
                assertEquals(sum(expected), found.path("sum").asDouble(), t.torchName());
                if (t.torchName().endsWith(".running_var")) {
                    String counter = t.torchName().replace("running_var", "num_batches_tracked");
                    names.add(counter);
                    assertEquals(
                            "{\"dtype\":\"I64\",\"shape\":[],\"sum\":0.0}",
                            stored.path(counter).toString());
                }
            }
            TreeSet<String> found = new TreeSet<>();
            stored.fieldNames().forEachRemaining(found::add);
            assertEquals(names, found);
            assertEquals(
                    "[8,3," + model.sizes()[0] + "," + model.sizes()[0] + "]",
                    stored.path("first.weight").path("shape").toString(),
                    Arrays.toString(model.sizes()));

            String message = assertThrows(InvalidInput.class, () -> TrainedModel.load(device, file))
                    .getMessage();
            assertTrue(message.contains("format 'pt', expected 'effconv-model-2'"), message);
        }
    }
}

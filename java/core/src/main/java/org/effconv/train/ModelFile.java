package org.effconv.train;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.io.ElementType;
import org.effconv.io.Json;
import org.effconv.io.Safetensors;
import org.effconv.io.TensorData;
import org.effconv.nn.Architecture;
import org.effconv.nn.NetworkPlan;
import org.effconv.nn.model.ModelTensor;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What a model.safetensors holds. Its tensors are named and laid out as PyTorch does; docs/reference/model-file.md has
 * the format. Files of the first version, which had the network's own names and layouts, are read as well.
 *
 * @param sizes one odd kernel size per sized layer
 * @param values by the network's own names, as the network has them: those of {@link NetworkPlan#modelTensors}
 */
public record ModelFile(
        NetworkPlan plan,
        int[] sizes,
        Normalisation normalisation,
        List<String> classNames,
        Map<String, TensorData> values) {
    private static final Logger LOG = LoggerFactory.getLogger(ModelFile.class);

    private static final String FORMAT = "effconv-model-2";
    private static final String OWN_LAYOUT = "effconv-model-1";
    // What PyTorch counts for momenta that nobody here uses; a state_dict may have it.
    private static final String COUNTER = ".num_batches_tracked";

    public void write(Path file) {
        Map<String, String> metadata = new LinkedHashMap<>();
        metadata.put("format", FORMAT);
        metadata.put("layout", Json.line(layout()));
        metadata.put("architecture", plan.architecture().json());
        ObjectNode use = Json.object();
        use.set("sizes", Json.tree(sizes));
        use.set("input", Json.tree(plan.input()));
        use.set("classNames", Json.tree(classNames));
        use.set("mean", Json.tree(normalisation.mean()));
        use.set("std", Json.tree(normalisation.std()));
        metadata.put("use", Json.line(use));
        Map<String, TensorData> tensors = new LinkedHashMap<>();
        plan.modelTensors(sizes).forEach(t -> tensors.put(t.torchName(), t.toTorch(values.get(t.name()))));
        new Safetensors(metadata, tensors).write(file);
    }

    /** For whoever opens the file with nothing else at hand; it follows from the format and is not read. */
    private static ObjectNode layout() {
        return Json.object()
                .put("convolution", "weight (out, in / groups, height, width), bias (out)")
                .put(
                        "linear",
                        "weight (out, in), bias (out); an image before it is flattened in (channel, height, width) order")
                .put("batchNorm", "weight, bias, running_mean, running_var (channels)");
    }

    /**
     * Reads a whole file and checks all of it.
     *
     * @param type of the parameters
     * @throws InvalidInput if the file is no model, or damaged
     */
    public static ModelFile read(Path file, ElementType type) {
        Safetensors stored = Safetensors.read(file);
        String format = text(file, stored, "format");
        boolean own = OWN_LAYOUT.equals(format);
        if (!own && !FORMAT.equals(format)) {
            throw new InvalidInput(
                    file + ": format '" + format + "', expected '" + FORMAT + "' or '" + OWN_LAYOUT + "'");
        }
        Architecture architecture =
                Architecture.parse(text(file, stored, "architecture"), file + ": metadata 'architecture'");
        ObjectNode use = Json.parse(text(file, stored, "use"), file + ": metadata 'use'");
        NetworkPlan.Input input = Json.convert(use.path("input"), NetworkPlan.Input.class, file + ": input");
        NetworkPlan plan = naming(file, () -> architecture.plan(input));
        float[] mean = Json.convert(use.path("mean"), float[].class, file + ": mean");
        float[] std = Json.convert(use.path("std"), float[].class, file + ": std");
        String[] names = Json.convert(use.path("classNames"), String[].class, file + ": classNames");
        if (mean.length != plan.input().channels()
                || std.length != mean.length
                || names.length != plan.input().classes()) {
            throw new InvalidInput(file + ": mean, std or classNames do not fit the input " + plan.input());
        }
        for (int c = 0; c < mean.length; c++) {
            if (!Float.isFinite(mean[c]) || !Float.isFinite(std[c]) || !(std[c] > 0)) {
                throw new InvalidInput(file + ": mean " + mean[c] + " and std " + std[c] + " of channel " + c
                        + "; expected finite numbers, std above 0");
            }
        }
        int nameless = Arrays.asList(names).indexOf(null);
        if (nameless >= 0) {
            throw new InvalidInput(file + ": classNames[" + nameless + "] is null, expected a text");
        }
        int[] sizes = Json.convert(use.path("sizes"), int[].class, file + ": sizes");
        List<ModelTensor> wanted = naming(file, () -> plan.modelTensors(sizes));
        Map<String, TensorData> values =
                own ? ownLayout(file, stored, wanted, type) : torchLayout(file, stored, wanted, type);
        return new ModelFile(plan, sizes, new Normalisation(mean, std), List.of(names), values);
    }

    /**
     * What is wrong with a plan or its sizes, with the file in front; of a layer the message begins with it already.
     */
    private static <T> T naming(Path file, Supplier<T> planned) {
        try {
            return planned.get();
        } catch (InvalidInput e) {
            throw e.getMessage().startsWith(file + ":") ? e : new InvalidInput(file + ": " + e.getMessage(), e);
        }
    }

    private static Map<String, TensorData> torchLayout(
            Path file, Safetensors stored, List<ModelTensor> wanted, ElementType type) {
        Map<String, TensorData> values = new LinkedHashMap<>();
        wanted.forEach(t -> values.put(
                t.name(),
                t.fromTorch(
                        HostTensors.require(stored.tensors(), t.torchName(), type, t.torchShape(), file.toString()))));
        leaveOut(file, stored, wanted.stream().map(ModelTensor::torchName).collect(Collectors.toSet()));
        return values;
    }

    private static Map<String, TensorData> ownLayout(
            Path file, Safetensors stored, List<ModelTensor> wanted, ElementType type) {
        Map<String, TensorData> values = new LinkedHashMap<>();
        wanted.forEach(t -> values.put(
                t.name(), HostTensors.require(stored.tensors(), t.name(), type, t.shape(), file.toString())));
        leaveOut(file, stored, values.keySet());
        stored.requireCrc32(file, values.keySet()); // in this order such files were written
        return values;
    }

    /**
     * A file may hold more than the model, but nothing more of one of its layers: that would have been computed with,
     * and is not.
     *
     * @param names of the model's tensors in the file
     */
    private static void leaveOut(Path file, Safetensors stored, Set<String> names) {
        Set<String> layers = names.stream().map(ModelFile::layer).collect(Collectors.toSet());
        List<String> more = stored.tensors().keySet().stream()
                .filter(name -> !names.contains(name))
                .toList();
        for (String name : more) {
            String layer = layer(name);
            boolean counter = name.endsWith(COUNTER) && names.contains(layer + ".running_var");
            if (layers.contains(layer) && !counter) {
                throw new InvalidInput(file + ": layer '" + layer + "' of this network has no tensor '" + name + "'");
            }
        }
        if (!more.isEmpty()) {
            LOG.info("{}: tensors beside the model's are left out: {}", file, more);
        }
    }

    private static String layer(String tensor) {
        return tensor.substring(0, Math.max(0, tensor.lastIndexOf('.')));
    }

    private static String text(Path file, Safetensors stored, String key) {
        String text = stored.metadata().get(key);
        if (text == null) {
            throw new InvalidInput(
                    file + ": no model that EffConv wrote: its metadata has no '" + key
                            + "'; expected 'format', 'architecture' and 'use', "
                            + "which say what network the tensors belong to (a program that writes the file anew has to keep its metadata)");
        }
        return text;
    }
}

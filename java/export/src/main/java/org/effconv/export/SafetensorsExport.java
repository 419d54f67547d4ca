package org.effconv.export;

import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.effconv.TrainedModel;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.io.ElementType;
import org.effconv.io.Json;
import org.effconv.io.Safetensors;
import org.effconv.io.TensorData;
import org.effconv.nn.model.ModelTensor;
import org.effconv.tensor.Shape;

/**
 * Writes a trained network's values as a safetensors file that holds a {@code state_dict} of PyTorch and nothing else:
 * fp32, its names and layouts, {@code num_batches_tracked} included. The metadata are text: {@code format} is
 * {@code pt}, as PyTorch's own writer has it; {@code architecture}, {@code layers}, {@code kernelSizes} and
 * {@code classNames} as in the ONNX export; {@code mean} and {@code std} per channel of pixel values in 0..1 (JSON).
 */
public final class SafetensorsExport {
    private static final String FORMAT = "format";
    private static final String TORCH = "pt";
    private static final String VARIANCE = ".running_var";
    private static final String COUNTER = ".num_batches_tracked";

    private SafetensorsExport() {}

    /**
     * Replaces {@code file}, whose folder must exist.
     *
     * @throws InvalidInput if the weights are in fp64
     * @throws IllegalStateException if another thread uses the model's device
     * @throws java.io.UncheckedIOException if the file cannot be written; the old one is then still whole
     */
    public static void write(TrainedModel model, Path file) {
        write(PortableModel.of(model), file);
    }

    static void write(PortableModel model, Path file) {
        Map<String, String> metadata = new LinkedHashMap<>();
        metadata.put(FORMAT, TORCH);
        metadata.putAll(model.metadata());
        metadata.put("mean", Json.tree(model.normalisation().mean()).toString());
        metadata.put("std", Json.tree(model.normalisation().std()).toString());
        new Safetensors(metadata, stateDict(model)).write(file);
    }

    /**
     * Whether a safetensors file is of this kind.
     *
     * @throws InvalidInput if it is no safetensors file
     */
    static boolean wrote(Path file) {
        return TORCH.equals(Safetensors.read(file).metadata().get(FORMAT));
    }

    /** Counters first: so each tensor begins at a multiple of its elements' bytes, as readers in place want it. */
    private static Map<String, TensorData> stateDict(PortableModel model) {
        Map<String, TensorData> tensors = new LinkedHashMap<>();
        for (ModelTensor t : model.tensors()) {
            if (t.torchName().endsWith(VARIANCE)) {
                tensors.put(t.torchName().replace(VARIANCE, COUNTER), zero());
            }
        }
        model.tensors().forEach(t -> tensors.put(t.torchName(), model.values().get(t.name())));
        return tensors;
    }

    // Nobody here counts batches; PyTorch reads the number only for a batch norm without momentum.
    private static TensorData zero() {
        return new TensorData(ElementType.I64, Shape.of(), ByteBuffer.allocate(Long.BYTES));
    }
}

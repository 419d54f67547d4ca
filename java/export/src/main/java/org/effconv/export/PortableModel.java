package org.effconv.export;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.effconv.TrainedModel;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.io.ElementType;
import org.effconv.io.Json;
import org.effconv.io.TensorData;
import org.effconv.nn.NetworkPlan;
import org.effconv.nn.model.ModelTensor;
import org.effconv.train.Normalisation;

/**
 * A trained network as other programs hold it: all values in fp32 and laid out as PyTorch does.
 *
 * @param sizes one odd kernel size per sized layer
 * @param classNames in the order of the logits
 * @param values by the network's own names, which {@link NetworkPlan#trace} tells
 */
public record PortableModel(
        NetworkPlan plan,
        int[] sizes,
        Normalisation normalisation,
        List<String> classNames,
        Map<String, TensorData> values) {

    /**
     * Copies the values of a model.
     *
     * @throws InvalidInput if they are in fp64
     * @throws IllegalStateException if another thread uses the model's device
     */
    public static PortableModel of(TrainedModel model) {
        NetworkPlan plan = model.plan();
        Map<String, TensorData> values = model.values();
        plan.modelTensors(model.sizes()).forEach(t -> values.replace(t.name(), t.toTorch(values.get(t.name()))));
        if (values.values().stream().anyMatch(v -> v.type() != ElementType.F32)) {
            throw new InvalidInput(plan + " has weights in fp64, which only verify gradients; expected fp32");
        }
        return new PortableModel(plan, model.sizes(), model.normalisation(), model.classNames(), values);
    }

    /** Its tensors in network order, with their names here and there. */
    public List<ModelTensor> tensors() {
        return plan.modelTensors(sizes);
    }

    /**
     * What a file says of the model, texts by key: {@code architecture}; {@code layers}, those whose sizes were open,
     * their {@code kernelSizes}, and {@code classNames}, all JSON.
     */
    public Map<String, String> metadata() {
        Map<String, String> texts = new LinkedHashMap<>();
        texts.put("architecture", plan.architecture().name());
        texts.put("layers", Json.tree(plan.sizedLayerNames()).toString());
        texts.put("kernelSizes", Json.tree(sizes).toString());
        texts.put("classNames", Json.tree(classNames).toString());
        return texts;
    }
}

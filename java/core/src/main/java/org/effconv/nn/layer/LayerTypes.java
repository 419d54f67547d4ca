package org.effconv.nn.layer;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.effconv.backend.Activation;
import org.effconv.error.EffconvException.InvalidInput;

/** All layer types by their {@code "type"} in JSON: the only place beside a layer's own file that names it. */
public final class LayerTypes {
    private static final Map<String, Reader> READERS = new LinkedHashMap<>();

    static {
        READERS.put("conv", ConvolutionLayer::read);
        READERS.put("batchNorm", (name, f, lists) -> new BatchNormLayer(name));
        READERS.put("relu", (name, f, lists) -> new ActivationLayer(name, Activation.RELU));
        READERS.put("gelu", (name, f, lists) -> new ActivationLayer(name, Activation.GELU));
        READERS.put("pool", (name, f, lists) -> PoolLayer.read(name, f));
        READERS.put("globalAveragePool", (name, f, lists) -> new GlobalAveragePoolLayer(name));
        READERS.put("linear", (name, f, lists) -> LinearLayer.read(name, f));
        READERS.put("dropout", (name, f, lists) -> DropoutLayer.read(name, f));
        READERS.put("residual", ResidualLayer::read);
        READERS.put("repeat", RepeatLayer::read);
    }

    private LayerTypes() {}

    /** Reads one layer from its fields; those it does not ask for are refused. */
    @FunctionalInterface
    interface Reader {
        /**
         * @param lists reads the lists of layers that the layer holds
         * @throws InvalidInput if a field is wrong
         */
        Layer read(String name, Fields f, LayerParser lists);
    }

    /** Null if there is no such type. */
    static Reader reader(String type) {
        return READERS.get(type);
    }

    /** All types, in the order in which errors and the documentation list them. */
    public static List<String> names() {
        return List.copyOf(READERS.keySet());
    }

    /** "conv, ..., residual or repeat". */
    static String expected() {
        List<String> names = names();
        int last = names.size() - 1;
        return String.join(", ", names.subList(0, last)) + " or " + names.get(last);
    }
}

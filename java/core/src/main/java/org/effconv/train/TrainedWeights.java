package org.effconv.train;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.effconv.autodiff.Parameter;
import org.effconv.autodiff.Tape;
import org.effconv.autodiff.Variable;
import org.effconv.backend.Backend;
import org.effconv.nn.Initialization;
import org.effconv.nn.NetworkPlan;
import org.effconv.nn.SizedLayer;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Tensor;

/** Plain trained weights of fixed integer sizes: an ordinary CNN. */
public final class TrainedWeights implements TrainableWeights {
    private final int[] sizes;
    private final long multiplyAdds;
    private final List<Parameter> parameters = new ArrayList<>();

    /**
     * Starts from Kaiming-normal values.
     *
     * @param sizes one odd size per sized layer
     * @param activationType of the network; the weights are in its parameter type
     */
    public TrainedWeights(Backend backend, NetworkPlan plan, int[] sizes, DataType activationType, long seed) {
        this(backend, plan, sizes, activationType, seed, null);
    }

    /**
     * Starts from given values (a warm start).
     *
     * @param initial per sized layer its weights in (K, k, k, C / groups) order, or null for Kaiming-normal ones
     */
    public TrainedWeights(
            Backend backend, NetworkPlan plan, int[] sizes, DataType activationType, long seed, List<float[]> initial) {
        plan.checkSizes(sizes);
        if (initial != null && initial.size() != sizes.length) {
            throw new IllegalArgumentException(initial.size() + " start values for " + sizes.length + " sized layers");
        }
        this.sizes = sizes.clone();
        multiplyAdds = plan.multiplyAdds(sizes);
        try {
            for (SizedLayer layer : plan.sizedLayers()) {
                int k = sizes[layer.index()];
                String name = layer.weightName();
                int count = Math.toIntExact(layer.weightShape(k).count());
                float[] values = initial == null
                        ? Initialization.normal(seed, name, count, Initialization.kaiming(layer.fanIn(k)))
                        : initial.get(layer.index());
                if (values.length != count) {
                    throw new IllegalArgumentException(values.length + " start values for " + layer.weightShape(k));
                }
                Tensor value = Tensor.allocate(backend.memory(), activationType.parameterType(), layer.weightShape(k));
                parameters.add(new Parameter(name, value, true));
                backend.write(value, values);
            }
        } catch (Throwable e) { // or an Error: the heap may run out, too
            close();
            throw e;
        }
    }

    /** One odd size per sized layer. */
    public int[] sizes() {
        return sizes.clone();
    }

    @Override
    public Optional<Object> stepKey() {
        return Optional.of(TrainedWeights.class);
    }

    @Override
    public void begin(Tape tape, Progress progress) {}

    @Override
    public Variable weights(Tape tape, int index) {
        return tape.parameter(parameters.get(index));
    }

    @Override
    public double multiplyAdds() {
        return multiplyAdds;
    }

    @Override
    public List<Parameter> parameters() {
        return List.copyOf(parameters);
    }

    @Override
    public void close() {
        parameters.forEach(Parameter::close);
    }
}

package org.effconv.nn;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;
import java.util.function.ToLongFunction;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.nn.layer.Extent;
import org.effconv.nn.layer.NetworkLimits;
import org.effconv.nn.layer.ParameterSpec;
import org.effconv.nn.layer.Step;
import org.effconv.nn.model.ModelTensor;
import org.effconv.nn.model.NetworkOperations;

/**
 * An architecture bound to an input: every shape is known, no memory is taken. It counts parameters and multiply-adds
 * for any choice of kernel sizes; vectors of sizes have one odd entry per {@link #sizedLayers sized layer}, in its
 * order.
 */
public final class NetworkPlan {
    private static final int SHOWN_SIZES = 24;

    private final Architecture architecture;
    private final Input input;
    private final List<Step> steps;
    private final List<ParameterSpec> parameters;
    private final List<PlanBuilder.Statistic> statistics;
    private final List<SizedLayer> sized;
    private final long fixedParameters;
    private final long fixedMultiplyAdds;
    private final double values;

    /** Images of height x width pixels and {@code channels} channels, to be told into {@code classes} classes. */
    public record Input(int height, int width, int channels, int classes) {}

    private NetworkPlan(Architecture architecture, Input input, List<Step> steps, PlanBuilder builder) {
        this.architecture = architecture;
        this.input = input;
        this.steps = steps;
        this.parameters = List.copyOf(builder.parameters);
        this.statistics = List.copyOf(builder.statistics);
        this.sized = List.copyOf(builder.sized);
        this.fixedParameters =
                parameters.stream().mapToLong(p -> p.shape().count()).sum();
        this.fixedMultiplyAdds = builder.fixedMultiplyAdds;
        this.values = builder.values;
    }

    /**
     * @throws InvalidInput if the images are smaller than the network needs, its layers do not fit together, or it is
     *     larger than any network may be: names the file, the layer, what it has and what was expected
     */
    public static NetworkPlan of(Architecture architecture, Input input) {
        inRange("image height", input.height(), 1, NetworkLimits.EXTENT);
        inRange("image width", input.width(), 1, NetworkLimits.EXTENT);
        inRange("image channels", input.channels(), 1, 1024);
        inRange("number of classes", input.classes(), 2, 1_000_000);
        try {
            return build(architecture, input);
        } catch (PlanBuilder.TooSmall e) {
            throw new InvalidInput(
                    "images of " + input.height() + " x " + input.width()
                            + " pixels are smaller than architecture " + architecture.name() + " needs: "
                            + e.getMessage()
                            + leastExtent(architecture, input),
                    e);
        }
    }

    private static NetworkPlan build(Architecture architecture, Input input) {
        PlanBuilder builder = new PlanBuilder(architecture.source(), input);
        List<Step> steps =
                builder.branch(architecture.layers(), "", builder.extent()).steps();
        Extent out = builder.extent();
        if (!out.flat() || out.channels() != input.classes()) {
            throw new InvalidInput(
                    "architecture " + architecture.name() + " ends with " + out + "; expected " + input.classes()
                            + " values, one per class: let its last layer be {\"type\": \"linear\", \"outputs\": \"classes\"}");
        }
        return new NetworkPlan(architecture, input, steps, builder);
    }

    // Each layer gives no smaller images for larger ones, so that halving finds the least. Where something else
    // is wrong with the least, there is none to tell.
    private static String leastExtent(Architecture architecture, Input input) {
        int tooSmall = 0;
        int enough = NetworkLimits.EXTENT + 1;
        boolean fits = false; // of images of the extent that is enough
        while (enough - tooSmall > 1) {
            int extent = (tooSmall + enough) / 2;
            try {
                build(architecture, new Input(extent, extent, input.channels(), input.classes()));
                enough = extent;
                fits = true;
            } catch (PlanBuilder.TooSmall e) {
                tooSmall = extent;
            } catch (InvalidInput e) {
                enough = extent;
                fits = false;
            }
        }
        return fits ? "; expected at least " + enough + " x " + enough : "";
    }

    private static void inRange(String what, int value, int least, int most) {
        if (value < least || value > most) {
            throw new InvalidInput(what + " is " + value + "; expected " + least + " to " + most);
        }
    }

    public Architecture architecture() {
        return architecture;
    }

    public Input input() {
        return input;
    }

    /** Names of the sized layers, in network order. */
    public List<String> sizedLayerNames() {
        return sizedLayers().stream().map(SizedLayer::name).toList();
    }

    /** The convolutions whose sizes are open, in network order. */
    public List<SizedLayer> sizedLayers() {
        return sized;
    }

    /**
     * Tells what a trained network of this plan computes, in order.
     *
     * @param x stands for the normalised images
     * @return what stands for the logits
     */
    public <V> V trace(NetworkOperations<V> to, V x) {
        return Step.trace(steps, to, x);
    }

    /**
     * Everything that a trained network of these sizes holds: the network's parameters, the weights of its sized
     * layers, running statistics.
     *
     * @throws InvalidInput as {@link #checkSizes}
     */
    public List<ModelTensor> modelTensors(int[] sizes) {
        checkSizes(sizes);
        List<ModelTensor> all = new ArrayList<>();
        parameters.forEach(p -> all.add(p.tensor()));
        sized.forEach(layer -> all.add(layer.weights(sizes[layer.index()])));
        statistics.forEach(s -> all.add(s.tensor()));
        return all;
    }

    List<Step> steps() {
        return steps;
    }

    List<ParameterSpec> parameterSpecs() {
        return parameters;
    }

    List<PlanBuilder.Statistic> statistics() {
        return statistics;
    }

    /** Parameters the network owns whatever the sizes: biases, batch norms, fixed convolutions, linear layers. */
    public long fixedParameters() {
        return fixedParameters;
    }

    /** Values that the network's operations give for one image in all; training keeps them for the gradients. */
    public double values() {
        return values;
    }

    /** Multiply-adds of fixed convolutions and linear layers on one image. */
    public long fixedMultiplyAdds() {
        return fixedMultiplyAdds;
    }

    /** Trained parameters of the network of these sizes (running statistics are none). */
    public long parameters(int[] sizes) {
        checkSizes(sizes);
        return count(fixedParameters, SizedLayer::parametersPerTap, sizes);
    }

    /** Multiply-adds of the convolutions and linear layers for one image, taps beside the image included. */
    public long multiplyAdds(int[] sizes) {
        checkSizes(sizes);
        return count(fixedMultiplyAdds, SizedLayer::multiplyAddsPerTap, sizes);
    }

    private long count(long fixed, ToLongFunction<SizedLayer> perTap, int[] sizes) {
        long count = fixed;
        for (SizedLayer layer : sized) {
            long k = sizes[layer.index()];
            count += perTap.applyAsLong(layer) * k * k;
        }
        return count;
    }

    /**
     * @throws InvalidInput unless there is one odd size from 1 to 33 per sized layer, and the network of these sizes is
     *     no larger than networks may be; kmax binds searches only
     */
    public void checkSizes(int[] sizes) {
        if (sizes.length != sized.size()) {
            throw new InvalidInput("kernel sizes " + shortened(sizes) + " are " + sizes.length + "; expected "
                    + sized.size() + ", one per sized layer of " + architecture.name());
        }
        for (SizedLayer layer : sized) {
            int k = sizes[layer.index()];
            if (k < 1 || k > NetworkLimits.KERNEL || k % 2 == 0) {
                throw new InvalidInput("kernel size of layer " + layer.name() + " is " + k
                        + "; expected an odd number from 1 to " + NetworkLimits.KERNEL);
            }
            long weights = layer.parametersPerTap() * k * k;
            if (weights > NetworkLimits.WEIGHTS) {
                throw tooMany(
                        "layer " + layer.name() + " at kernel size " + k, weights, "weights", NetworkLimits.WEIGHTS);
            }
        }
        long parameters = count(fixedParameters, SizedLayer::parametersPerTap, sizes);
        if (parameters > NetworkLimits.PARAMETERS) {
            throw tooMany("kernel sizes " + shortened(sizes), parameters, "parameters", NetworkLimits.PARAMETERS);
        }
        long multiplyAdds = count(fixedMultiplyAdds, SizedLayer::multiplyAddsPerTap, sizes);
        if (multiplyAdds > NetworkLimits.MULTIPLY_ADDS) {
            throw tooMany(
                    "kernel sizes " + shortened(sizes),
                    multiplyAdds,
                    "multiply-adds an image",
                    NetworkLimits.MULTIPLY_ADDS);
        }
    }

    private InvalidInput tooMany(String what, long count, String of, long most) {
        return new InvalidInput(architecture.source() + ": " + what + ": " + NetworkLimits.number(count) + " " + of
                + "; expected at most " + NetworkLimits.number(most));
    }

    private static String shortened(int[] sizes) {
        return sizes.length <= SHOWN_SIZES
                ? Arrays.toString(sizes)
                : Arrays.toString(Arrays.copyOf(sizes, SHOWN_SIZES)).replace("]", ", ...]");
    }

    /**
     * Holds a parameter that stands for a sized layer in a search to the limit of all.
     *
     * @param values that the parameter has
     * @param what it is, for people
     * @throws InvalidInput if they are more than a parameter may have
     */
    public void checkValues(SizedLayer layer, long values, String what) {
        if (values > NetworkLimits.WEIGHTS) {
            throw tooMany("layer " + layer.name(), values, what, NetworkLimits.WEIGHTS);
        }
    }

    /**
     * The same size everywhere.
     *
     * @throws InvalidInput as {@link #checkSizes}
     */
    public int[] uniformSizes(int k) {
        int[] sizes = new int[sized.size()];
        Arrays.fill(sizes, k);
        checkSizes(sizes);
        return sizes;
    }

    /** Whether a sized layer is the network's first operation: nothing before it needs the gradient of its input. */
    public boolean readsInput(SizedLayer layer) {
        return steps.get(0).sizedLayer().equals(OptionalInt.of(layer.index()));
    }

    /** The sizes the architecture has where none are asked for. */
    public int[] defaultSizes() {
        return sized.stream().mapToInt(SizedLayer::defaultSize).toArray();
    }

    /** kmax of every layer: the largest network a search can give. */
    public int[] largestSizes() {
        return sized.stream().mapToInt(SizedLayer::kmax).toArray();
    }

    /** Parameters of the all-1x1 network, the least a budget can ask for. */
    public long leastParameters() {
        return parameters(uniformSizes(1));
    }

    /** Parameters of the all-kmax network, the most a budget can ask for. */
    public long mostParameters() {
        return parameters(largestSizes());
    }

    @Override
    public String toString() {
        return architecture.name() + " on " + input.height() + " x " + input.width() + " x " + input.channels() + ", "
                + input.classes() + " classes";
    }
}

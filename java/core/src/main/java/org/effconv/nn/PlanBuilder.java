package org.effconv.nn;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.effconv.backend.Activation;
import org.effconv.backend.Convolution;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.nn.Step.ParameterSpec;
import org.effconv.tensor.Shape;

/** Walks an architecture's layers, infers shapes, unrolls repetitions and names everything. */
final class PlanBuilder {
    /**
     * An activation's extent without the batch; {@code flat} after global pooling or a linear layer, then 1 x 1 pixels.
     */
    record Extent(int height, int width, int channels, boolean flat) {
        @Override
        public String toString() {
            return flat ? channels + " values" : height + " x " + width + " x " + channels;
        }
    }

    /** The image is too small for a window. */
    static final class TooSmall extends RuntimeException {
        private static final long serialVersionUID = 1L;

        TooSmall(String message) {
            super(message, null, false, false);
        }
    }

    final List<SizedLayer> sized = new ArrayList<>();
    final List<ParameterSpec> parameters = new ArrayList<>();
    final List<Step.BatchNorm> batchNorms = new ArrayList<>();
    long fixedMultiplyAdds;
    double values; // that all steps give for one image

    private final String source;
    private final int classes;
    private final Set<String> names = new HashSet<>();
    private long leastParameters; // with all sizes 1
    private long leastMultiplyAdds;
    private int dropouts;
    private Extent extent;

    /** @param source names the architecture's file in errors */
    PlanBuilder(String source, NetworkPlan.Input input) {
        this.source = source;
        this.classes = input.classes();
        this.extent = new Extent(input.height(), input.width(), input.channels(), false);
    }

    Extent extent() {
        return extent;
    }

    List<Step> steps(List<LayerSpec> layers, String prefix) {
        List<Step> steps = new ArrayList<>();
        for (int i = 0; i < layers.size(); i++) {
            LayerSpec layer = layers.get(i);
            String name = prefix + layer.name();
            if (layer instanceof LayerSpec.Repeat repeat) {
                for (int n = 1; n <= repeat.times(); n++) {
                    steps.addAll(steps(repeat.layers(), name + "." + n + "."));
                }
            } else if (layer instanceof LayerSpec.BatchNorm) {
                boolean relu = i + 1 < layers.size()
                        && layers.get(i + 1) instanceof LayerSpec.Activate next
                        && next.activation() == Activation.RELU;
                steps.add(batchNorm(name, relu ? Activation.RELU : Activation.NONE));
                i += relu ? 1 : 0;
                countValues(name);
            } else {
                Step step = step(layer, name);
                steps.add(step);
                if (givesValues(step)) {
                    countValues(name);
                }
            }
        }
        return steps;
    }

    private static boolean givesValues(Step step) {
        boolean folded = step instanceof Step.Residual block && block.folded(); // its sum is its last batch norm's
        boolean nothing = step instanceof Step.Dropout dropout && dropout.rate() == 0;
        return !folded && !nothing;
    }

    private Step step(LayerSpec layer, String name) {
        if (layer instanceof LayerSpec.Conv conv) {
            return conv(conv, name);
        } else if (layer instanceof LayerSpec.Activate activate) {
            return new Step.Activate(activate.activation());
        } else if (layer instanceof LayerSpec.Pool pool) {
            return pool(pool, name);
        } else if (layer instanceof LayerSpec.GlobalAveragePool) {
            image(name);
            extent = new Extent(1, 1, extent.channels(), true);
            return new Step.GlobalAveragePool();
        } else if (layer instanceof LayerSpec.Linear linear) {
            return linear(linear, name);
        } else if (layer instanceof LayerSpec.Dropout dropout) {
            return new Step.Dropout(dropout.rate(), dropouts++);
        } else if (layer instanceof LayerSpec.Residual residual) {
            return residual(residual, name);
        }
        throw new IllegalStateException("no step for " + layer);
    }

    private Step conv(LayerSpec.Conv spec, String name) {
        image(name);
        int c = extent.channels();
        int k = spec.channels().orElse(c);
        int groups = spec.groups().orElse(c);
        if (c % groups != 0 || k % groups != 0) {
            throw misfit(
                    name,
                    groups + " groups divide neither evenly " + c + " input nor " + k + " output channels",
                    "a divisor of both");
        }
        Convolution convolution = new Convolution(spec.stride(), groups);
        Extent out = new Extent(
                convolution.outputExtent(extent.height()), convolution.outputExtent(extent.width()), k, false);
        SizedLayer layer = null;
        ParameterSpec weight = null;
        if (spec.sized()) {
            int kmax = spec.kmax().orElse(coveringKernel(extent));
            layer = new SizedLayer(
                    sized.size(),
                    unique(name),
                    c,
                    k,
                    spec.stride(),
                    groups,
                    extent.height(),
                    extent.width(),
                    out.height(),
                    out.width(),
                    kmax,
                    Math.min(spec.defaultKernel(), kmax));
            sized.add(layer);
            countWeights(name, layer.parametersPerTap());
            countMultiplyAdds(name, layer.multiplyAddsPerTap());
        } else {
            int kernel = spec.kernel().getAsInt();
            Shape shape = Shape.of(k, kernel, kernel, c / groups);
            weight = parameter(
                    ModelTensor.convolution(unique(name) + ".weight", shape),
                    0,
                    Math.sqrt(2.0 * k / shape.count()),
                    true);
            fixedMultiplyAdds += countMultiplyAdds(name, shape.count() * out.height() * out.width());
        }
        ParameterSpec bias = spec.bias() ? bias(name, k) : null;
        extent = out;
        return new Step.Conv(convolution, layer, weight, bias);
    }

    /** The smallest odd kernel whose taps cover the image from its centre, within what backends take. */
    private static int coveringKernel(Extent image) {
        return Math.min(NetworkLimits.KERNEL, Math.max(image.height(), image.width()) | 1);
    }

    private Step.BatchNorm batchNorm(String name, Activation activation) {
        image(name);
        Shape shape = Shape.of(extent.channels());
        unique(name);
        Step.BatchNorm step = new Step.BatchNorm(
                parameter(ModelTensor.vector(name + ".scale", name + ".weight", shape), 1, 0, false),
                parameter(ModelTensor.vector(name + ".shift", name + ".bias", shape), 0, 0, false),
                ModelTensor.vector(name + ".runningMean", name + ".running_mean", shape),
                ModelTensor.vector(name + ".runningVariance", name + ".running_var", shape),
                activation,
                false);
        batchNorms.add(step);
        return step;
    }

    private Step pool(LayerSpec.Pool spec, String name) {
        image(name);
        int least = spec.pooling().size() - 2 * spec.pooling().padding();
        if (extent.height() < least || extent.width() < least) {
            throw new TooSmall("layer " + name + " sees " + extent.height() + " x " + extent.width()
                    + " pixels and needs at least " + least + " x " + least);
        }
        extent = new Extent(
                spec.pooling().outputExtent(extent.height()),
                spec.pooling().outputExtent(extent.width()),
                extent.channels(),
                false);
        return new Step.Pool(spec.pooling());
    }

    private Step linear(LayerSpec.Linear spec, String name) {
        long inputs = (long) extent.height() * extent.width() * extent.channels();
        int outputs = spec.outputs().orElse(classes);
        countWeights(name, inputs * outputs);
        // A hidden layer feeds an activation that halves the variance; the classifier does not.
        double gain = spec.outputs().isPresent() ? 2 : 1;
        Shape shape = Shape.of(outputs, (int) inputs);
        ParameterSpec weight = add(new ParameterSpec(
                ModelTensor.linear(unique(name) + ".weight", shape, extent.height() * extent.width()),
                0,
                Math.sqrt(gain / inputs),
                true));
        ParameterSpec bias = spec.bias() ? bias(name, outputs) : null;
        fixedMultiplyAdds += countMultiplyAdds(name, inputs * outputs);
        extent = new Extent(1, 1, outputs, true);
        return new Step.Linear(weight, bias);
    }

    private Step residual(LayerSpec.Residual spec, String name) {
        Extent input = extent;
        List<Step> body = steps(spec.body(), name + ".");
        Extent fromBody = extent;
        extent = input;
        List<Step> shortcut = steps(spec.shortcut(), name + ".shortcut.");
        if (!extent.equals(fromBody)) {
            throw misfit(name, "its body gives " + fromBody + ", its shortcut " + extent, "equal extents");
        }
        if (body.get(body.size() - 1) instanceof Step.BatchNorm last && last.activation() == Activation.NONE) {
            body.set(
                    body.size() - 1,
                    new Step.BatchNorm(
                            last.scale(),
                            last.shift(),
                            last.runningMean(),
                            last.runningVariance(),
                            spec.activation(),
                            true));
        }
        return new Step.Residual(List.copyOf(body), List.copyOf(shortcut), spec.activation());
    }

    private void image(String name) {
        if (extent.flat()) {
            throw misfit(name, "it follows a layer whose output is no image", "an image as input");
        }
    }

    private ParameterSpec bias(String layer, int outputs) {
        String name = layer + ".bias";
        return parameter(ModelTensor.vector(name, name, Shape.of(outputs)), 0, 0, false);
    }

    private ParameterSpec parameter(ModelTensor tensor, double mean, double deviation, boolean decayed) {
        countWeights(tensor.name(), tensor.shape().count());
        return add(new ParameterSpec(tensor, mean, deviation, decayed));
    }

    private ParameterSpec add(ParameterSpec spec) {
        parameters.add(spec);
        return spec;
    }

    // ---- what is held to limits, layer by layer, so that no sum overflows --------------------------------------

    private void countWeights(String name, long count) {
        leastParameters += atMost(name, count, "weights", NetworkLimits.WEIGHTS);
        atMost(name, leastParameters, "parameters with those before it, at kernel size 1", NetworkLimits.PARAMETERS);
    }

    private long countMultiplyAdds(String name, long count) {
        leastMultiplyAdds += count;
        atMost(
                name,
                leastMultiplyAdds,
                "multiply-adds an image with those before it, at kernel size 1",
                NetworkLimits.MULTIPLY_ADDS);
        return count;
    }

    private void countValues(String name) {
        long count = (long) extent.height() * extent.width() * extent.channels();
        values += atMost(name, count, "values an image", NetworkLimits.VALUES);
    }

    private long atMost(String name, long count, String of, long most) {
        if (count > most) {
            throw misfit(name, NetworkLimits.number(count) + " " + of, "at most " + NetworkLimits.number(most));
        }
        return count;
    }

    private String unique(String name) {
        if (!names.add(name)) {
            throw misfit(name, "two layers get this full name", "names that stay unique once repetitions are unrolled");
        }
        return name;
    }

    private InvalidInput misfit(String layer, String found, String expected) {
        return new InvalidInput(source + ": layer " + layer + ": " + found + "; expected " + expected);
    }
}

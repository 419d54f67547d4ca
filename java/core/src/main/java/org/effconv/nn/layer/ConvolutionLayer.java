package org.effconv.nn.layer;

import java.util.List;
import java.util.OptionalInt;
import org.effconv.autodiff.Ops;
import org.effconv.autodiff.Variable;
import org.effconv.backend.Convolution;
import org.effconv.nn.model.ModelTensor;
import org.effconv.nn.model.NetworkOperations;
import org.effconv.tensor.Shape;

/**
 * A convolution with "same" padding.
 *
 * @param channels output channels; empty for as many as the input has
 * @param kernel fixed odd extent; empty for a size that is learned
 * @param defaultKernel size of a learned kernel where none is asked for
 * @param kmax limit of a learned size; empty for one that follows from the image
 * @param groups empty for depthwise
 */
record ConvolutionLayer(
        String name,
        OptionalInt channels,
        OptionalInt kernel,
        int defaultKernel,
        OptionalInt kmax,
        int stride,
        OptionalInt groups,
        boolean bias)
        implements Layer {
    private static final int NOT_SIZED = -1;

    static Layer read(String name, Fields f, LayerParser lists) {
        OptionalInt groups =
                f.has("groups") ? f.integerOr("groups", "depthwise", 1, NetworkLimits.CHANNELS) : OptionalInt.of(1);
        if (groups.isPresent() && !f.has("channels")) {
            throw f.wrong("channels", "the number of output channels, or \"same\"");
        }
        OptionalInt channels =
                f.has("channels") ? f.integerOr("channels", "same", 1, NetworkLimits.CHANNELS) : OptionalInt.empty();
        OptionalInt kernel = f.has("kernel") ? f.oddOr("kernel", "learned") : OptionalInt.empty();
        for (String field : List.of("kmax", "defaultKernel")) {
            if (kernel.isPresent() && f.has(field)) {
                throw f.wrong(field, "no such field beside a fixed kernel");
            }
        }
        OptionalInt kmax = f.has("kmax") ? f.oddOr("kmax", null) : lists.defaultKmax();
        int defaultKernel =
                f.has("defaultKernel") ? f.oddOr("defaultKernel", null).getAsInt() : 3;
        return new ConvolutionLayer(
                name,
                channels,
                kernel,
                defaultKernel,
                kmax,
                f.has("stride") ? f.integer("stride", 1, 2) : 1,
                groups,
                f.flag("bias", false));
    }

    @Override
    public boolean learnsKernels() {
        return kernel.isEmpty();
    }

    @Override
    public void plan(Planner planner, String name) {
        Extent from = planner.image(name);
        int c = from.channels();
        int k = channels.orElse(c);
        int g = groups.orElse(c);
        if (c % g != 0 || k % g != 0) {
            throw planner.misfit(
                    name,
                    g + " groups divide neither evenly " + c + " input nor " + k + " output channels",
                    "a divisor of both");
        }
        Convolution convolution = new Convolution(stride, g);
        Extent to = Extent.image(convolution.outputExtent(from.height()), convolution.outputExtent(from.width()), k);
        String weightName = planner.unique(name) + ".weight";
        int sized = NOT_SIZED;
        ParameterSpec weight = null;
        if (learnsKernels()) {
            int most = kmax.orElse(coveringKernel(from));
            sized = planner.sizedLayer(name, convolution, to, most, Math.min(defaultKernel, most));
        } else {
            int size = kernel.getAsInt();
            Shape shape = Shape.of(k, size, size, c / g);
            weight = planner.parameter(ParameterSpec.weight(
                    ModelTensor.convolution(weightName, shape), Math.sqrt(2.0 * k / shape.count())));
            planner.multiplyAdds(name, shape.count() * to.height() * to.width());
        }
        ParameterSpec biases = bias ? planner.bias(name, k) : null;
        planner.add(name, new Bound(convolution, weightName, sized, weight, biases), to);
    }

    /** The smallest odd kernel whose taps cover the image from its centre, within what backends take. */
    private static int coveringKernel(Extent image) {
        return Math.min(NetworkLimits.KERNEL, Math.max(image.height(), image.width()) | 1);
    }

    /**
     * @param sized index of the sized layer, or {@link #NOT_SIZED}: then {@code weight} is there
     * @param bias null if there is none
     */
    private record Bound(
            Convolution convolution, String weightName, int sized, ParameterSpec weight, ParameterSpec bias)
            implements Step {
        @Override
        public Variable forward(Pass pass, Variable x) {
            Variable w = sized == NOT_SIZED ? pass.parameter(weight) : pass.weights(sized);
            return Ops.convolution(pass.tape(), convolution, x, w, pass.parameter(bias));
        }

        @Override
        public <V> V trace(NetworkOperations<V> to, V x) {
            return to.convolution(x, convolution, weightName, ParameterSpec.nameOf(bias));
        }

        @Override
        public OptionalInt sizedLayer() {
            return sized == NOT_SIZED ? OptionalInt.empty() : OptionalInt.of(sized);
        }
    }
}

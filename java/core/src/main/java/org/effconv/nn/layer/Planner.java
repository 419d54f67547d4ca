package org.effconv.nn.layer;

import java.util.List;
import org.effconv.backend.Convolution;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.nn.model.ModelTensor;
import org.effconv.tensor.Shape;

/**
 * What a layer asks of the plan that it becomes part of. What is too large is refused here, layer by layer, so that no
 * sum overflows; a layer counts its weights before it makes a shape of them.
 */
public interface Planner {
    /** What reaches the layer. */
    Extent extent();

    /** Number of classes that the network tells apart. */
    int classes();

    /** What reaches the layer, which must be an image: the layer has pixels to look at. */
    default Extent image(String layer) {
        if (extent().flat()) {
            throw misfit(layer, "it follows a layer whose output is no image", "an image as input");
        }
        return extent();
    }

    /** @throws InvalidInput if something of the network has this full name already */
    String unique(String name);

    /** Holds {@code count} weights to the limits; the layer makes a parameter of them thereafter. */
    void countWeights(String name, long count);

    /** A parameter whose values have been counted. */
    ParameterSpec countedParameter(ParameterSpec spec);

    /** A parameter, whose values are counted under its own name. */
    default ParameterSpec parameter(ParameterSpec spec) {
        countWeights(spec.name(), spec.shape().count());
        return countedParameter(spec);
    }

    /** The parameter {@code layer.bias}, (outputs), from 0. */
    default ParameterSpec bias(String layer, int outputs) {
        String name = layer + ".bias";
        return parameter(ParameterSpec.constant(ModelTensor.vector(name, name, Shape.of(outputs)), 0));
    }

    /** A running statistic: part of a trained network, but nothing that is trained. */
    void statistic(ModelTensor tensor, double start);

    /** Multiply-adds on one image that do not depend on learned sizes. */
    void multiplyAdds(String layer, long count);

    /**
     * A convolution whose size is learned. Its weights are counted here, and come from elsewhere in a pass.
     *
     * @param to what it gives for the {@link #extent} that reaches it
     * @param kmax largest size a search may give it, odd
     * @param defaultSize size where none is asked for, odd
     * @return its index among these convolutions
     */
    int sizedLayer(String name, Convolution convolution, Extent to, int kmax, int defaultSize);

    /** Another number for every step that draws at random in training. */
    int draws();

    /**
     * Adds the layer's step.
     *
     * @param to what the step gives: what reaches the next layer
     */
    void add(String layer, Step step, Extent to);

    /** The step of the layer just before in the same list; null at its beginning and behind a repetition. */
    Step preceding();

    /** Puts one step in place of {@link #preceding}: it does the work of the layer, too. */
    void replacePreceding(Step step);

    /** Plans a list in place of a layer: its steps are added one by one. */
    void layers(List<Layer> layers, String prefix);

    /**
     * Plans a list apart from the layer's own.
     *
     * @param from what reaches it
     */
    Branch branch(List<Layer> layers, String prefix, Extent from);

    /** The steps of a list, and what they give. */
    record Branch(List<Step> steps, Extent to) {}

    /** To be thrown where a layer does not fit. */
    InvalidInput misfit(String layer, String found, String expected);

    /** To be thrown where the image is too small for a window. */
    RuntimeException tooSmall(String message);
}

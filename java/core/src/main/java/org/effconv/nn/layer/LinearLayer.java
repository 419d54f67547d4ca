package org.effconv.nn.layer;

import java.util.OptionalInt;
import org.effconv.autodiff.Ops;
import org.effconv.autodiff.Variable;
import org.effconv.nn.model.ModelTensor;
import org.effconv.nn.model.NetworkOperations;
import org.effconv.tensor.Shape;

/**
 * A fully connected layer; an image counts as its values.
 *
 * @param outputs empty for the number of classes
 */
record LinearLayer(String name, OptionalInt outputs, boolean bias) implements Layer {
    static Layer read(String name, Fields f) {
        return new LinearLayer(
                name, f.integerOr("outputs", "classes", 1, NetworkLimits.CHANNELS), f.flag("bias", true));
    }

    @Override
    public void plan(Planner planner, String name) {
        Extent from = planner.extent();
        long inputs = from.count();
        int values = outputs.orElse(planner.classes());
        planner.countWeights(name, inputs * values);
        // A hidden layer feeds an activation that halves the variance; the classifier does not.
        double gain = outputs.isPresent() ? 2 : 1;
        ModelTensor weights = ModelTensor.linear(
                planner.unique(name) + ".weight",
                Shape.of(values, (int) inputs), // fits: counted above
                (int) from.pixels());
        ParameterSpec weight = planner.countedParameter(ParameterSpec.weight(weights, Math.sqrt(gain / inputs)));
        ParameterSpec biases = bias ? planner.bias(name, values) : null;
        planner.multiplyAdds(name, inputs * values);
        planner.add(name, new Bound(weight, biases), Extent.values(values));
    }

    /** @param bias null if there is none */
    private record Bound(ParameterSpec weight, ParameterSpec bias) implements Step {
        @Override
        public Variable forward(Pass pass, Variable x) {
            Variable flat = x.shape().rank() == 2 ? x : Ops.flatten(pass.tape(), x);
            Variable y = Ops.linear(pass.tape(), flat, pass.parameter(weight), pass.parameter(bias));
            pass.release(flat, x);
            return y;
        }

        @Override
        public <V> V trace(NetworkOperations<V> to, V x) {
            return to.linear(x, weight.name(), ParameterSpec.nameOf(bias));
        }
    }
}

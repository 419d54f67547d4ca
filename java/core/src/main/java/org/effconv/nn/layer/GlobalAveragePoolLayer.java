package org.effconv.nn.layer;

import org.effconv.autodiff.Ops;
import org.effconv.autodiff.Variable;
import org.effconv.nn.model.NetworkOperations;

/** The average of each channel over the whole image. */
record GlobalAveragePoolLayer(String name) implements Layer {
    @Override
    public void plan(Planner planner, String name) {
        planner.add(name, new Bound(), Extent.values(planner.image(name).channels()));
    }

    private record Bound() implements Step {
        @Override
        public Variable forward(Pass pass, Variable x) {
            return Ops.globalAveragePool(pass.tape(), x);
        }

        @Override
        public <V> V trace(NetworkOperations<V> to, V x) {
            return to.globalAveragePool(x);
        }
    }
}

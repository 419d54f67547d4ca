package org.effconv.nn.layer;

import org.effconv.autodiff.Ops;
import org.effconv.autodiff.Variable;
import org.effconv.backend.Activation;
import org.effconv.nn.model.NetworkOperations;

/** An elementwise nonlinearity, done by the step before where that can. */
record ActivationLayer(String name, Activation activation) implements Layer {
    @Override
    public void plan(Planner planner, String name) {
        Step before = planner.preceding();
        Step both = before == null ? null : before.followedBy(activation);
        if (both == null) {
            planner.add(name, new Bound(activation), planner.extent());
        } else {
            planner.replacePreceding(both);
        }
    }

    /** Tells of an activation; of none there is nothing to tell. */
    static <V> V trace(NetworkOperations<V> to, V x, Activation activation) {
        return activation == Activation.NONE ? x : to.activation(x, activation);
    }

    private record Bound(Activation activation) implements Step {
        @Override
        public Variable forward(Pass pass, Variable x) {
            return Ops.activation(pass.tape(), activation, x);
        }

        @Override
        public <V> V trace(NetworkOperations<V> to, V x) {
            return ActivationLayer.trace(to, x, activation);
        }
    }
}

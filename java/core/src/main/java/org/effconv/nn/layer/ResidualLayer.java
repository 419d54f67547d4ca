package org.effconv.nn.layer;

import java.util.List;
import org.effconv.autodiff.Ops;
import org.effconv.autodiff.Variable;
import org.effconv.backend.Activation;
import org.effconv.nn.model.NetworkOperations;

/**
 * activation(body(x) + shortcut(x)).
 *
 * @param shortcut empty for the identity
 * @param activation NONE or RELU
 */
record ResidualLayer(String name, List<Layer> body, List<Layer> shortcut, Activation activation) implements Layer {
    static Layer read(String name, Fields f, LayerParser lists) {
        List<Layer> body = lists.atLeastOne(f, "body");
        List<Layer> shortcut = f.has("shortcut") ? lists.layers(f.node("shortcut"), f.at("shortcut")) : List.of();
        String activation = f.text("activation", "none");
        if (!activation.equals("none") && !activation.equals("relu")) {
            throw f.wrong("activation", "\"none\" or \"relu\"");
        }
        return new ResidualLayer(name, body, shortcut, activation.equals("relu") ? Activation.RELU : Activation.NONE);
    }

    @Override
    public long unrolled() {
        return 1 + Layer.unrolled(body) + Layer.unrolled(shortcut);
    }

    @Override
    public boolean learnsKernels() {
        return Layer.learnKernels(body) || Layer.learnKernels(shortcut);
    }

    @Override
    public void plan(Planner planner, String name) {
        Extent from = planner.extent();
        Planner.Branch along = planner.branch(body, name + ".", from);
        Planner.Branch beside = planner.branch(shortcut, name + ".shortcut.", from);
        if (!beside.to().equals(along.to())) {
            throw planner.misfit(
                    name, "its body gives " + along.to() + ", its shortcut " + beside.to(), "equal extents");
        }
        List<Step> steps = along.steps();
        Step.Sum sum = steps.get(steps.size() - 1).plus(activation);
        planner.add(name, new Bound(steps, beside.steps(), activation, sum), along.to());
    }

    /** @param sum does the body's last step, the addition and the activation at once; null if they are apart */
    private record Bound(List<Step> body, List<Step> shortcut, Activation activation, Sum sum) implements Step {
        @Override
        public Variable forward(Pass pass, Variable x) {
            Variable inner = pass.run(sum == null ? body : body.subList(0, body.size() - 1), x);
            Variable beside = pass.run(shortcut, x);
            Variable y =
                    sum == null ? Ops.add(pass.tape(), inner, beside, activation) : sum.forward(pass, inner, beside);
            pass.release(inner, x);
            pass.release(beside, x);
            return y;
        }

        @Override
        public <V> V trace(NetworkOperations<V> to, V x) {
            V inner = Step.trace(body, to, x);
            return ActivationLayer.trace(to, to.add(inner, Step.trace(shortcut, to, x)), activation);
        }

        /** The result of a sum is that of the body's last step, which has been counted. */
        @Override
        public boolean givesValues() {
            return sum == null;
        }
    }
}

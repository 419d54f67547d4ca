package org.effconv.nn.layer;

import org.effconv.autodiff.Ops;
import org.effconv.autodiff.Variable;
import org.effconv.nn.model.NetworkOperations;

/** Zeroes values at random in training; nothing thereafter. */
record DropoutLayer(String name, double rate) implements Layer {
    static Layer read(String name, Fields f) {
        return new DropoutLayer(name, f.fraction("rate"));
    }

    @Override
    public void plan(Planner planner, String name) {
        planner.add(name, new Bound(rate, planner.draws()), planner.extent());
    }

    /** @param draws another number for every dropout of a network */
    private record Bound(double rate, int draws) implements Step {
        @Override
        public Variable forward(Pass pass, Variable x) {
            return Ops.dropout(pass.tape(), x, rate, pass.seed(draws));
        }

        @Override
        public <V> V trace(NetworkOperations<V> to, V x) {
            return x;
        }

        @Override
        public boolean givesValues() {
            return rate != 0;
        }
    }
}

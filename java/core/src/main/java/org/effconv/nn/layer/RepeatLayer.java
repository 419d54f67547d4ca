package org.effconv.nn.layer;

import java.util.List;

/** The same layers several times; each copy has its own parameters. */
record RepeatLayer(String name, int times, List<Layer> layers) implements Layer {
    static Layer read(String name, Fields f, LayerParser lists) {
        return new RepeatLayer(name, f.integer("times", 1, 1000), lists.atLeastOne(f, "layers"));
    }

    @Override
    public long unrolled() {
        return times * Layer.unrolled(layers);
    }

    @Override
    public boolean learnsKernels() {
        return Layer.learnKernels(layers);
    }

    @Override
    public void plan(Planner planner, String name) {
        for (int n = 1; n <= times; n++) {
            planner.layers(layers, name + "." + n + ".");
        }
    }
}

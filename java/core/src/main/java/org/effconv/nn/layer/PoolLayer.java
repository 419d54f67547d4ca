package org.effconv.nn.layer;

import org.effconv.autodiff.Ops;
import org.effconv.autodiff.Variable;
import org.effconv.backend.Pooling;
import org.effconv.nn.model.NetworkOperations;

/** The maximum or average of each window of an image, channel by channel. */
record PoolLayer(String name, Pooling pooling) implements Layer {
    static Layer read(String name, Fields f) {
        String kind = f.text("kind", null);
        if (!kind.equals("max") && !kind.equals("average")) {
            throw f.wrong("kind", "\"max\" or \"average\"");
        }
        int size = f.integer("size", 1, 64);
        int stride = f.has("stride") ? f.integer("stride", 1, 64) : size;
        int padding = f.has("padding") ? f.integer("padding", 0, size - 1) : 0;
        return new PoolLayer(
                name, new Pooling(kind.equals("max") ? Pooling.Kind.MAX : Pooling.Kind.AVERAGE, size, stride, padding));
    }

    @Override
    public void plan(Planner planner, String name) {
        Extent from = planner.image(name);
        int least = pooling.size() - 2 * pooling.padding();
        if (from.height() < least || from.width() < least) {
            throw planner.tooSmall("layer " + name + " sees " + from.height() + " x " + from.width()
                    + " pixels and needs at least " + least + " x " + least);
        }
        planner.add(
                name,
                new Bound(pooling),
                Extent.image(pooling.outputExtent(from.height()), pooling.outputExtent(from.width()), from.channels()));
    }

    private record Bound(Pooling pooling) implements Step {
        @Override
        public Variable forward(Pass pass, Variable x) {
            return Ops.pool(pass.tape(), pooling, x);
        }

        @Override
        public <V> V trace(NetworkOperations<V> to, V x) {
            return to.pool(x, pooling);
        }
    }
}

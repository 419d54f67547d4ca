package org.effconv.backend;

import java.util.List;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Tensor;

/** The checks of the method's operations, as {@link Operands} has those of the others. */
final class MethodOperands {
    private MethodOperands() {}

    /** @param scales null: those of the layers */
    static void synthesis(Tensor v, Tensor scales, List<SynthesisLayer> layers) {
        if (scales != null) {
            Operands.like(scales, "scales", v);
        }
        for (int l = 0; l < layers.size(); l++) {
            SynthesisLayer layer = layers.get(l);
            int k = layer.outputChannels();
            int c = layer.inputChannels();
            int grid = layer.grid();
            Operands.require(
                    layer.sizeIndex() >= 0 && layer.sizeIndex() < v.count(),
                    "synthesis: layer " + l + " has no size in " + v);
            Operands.typed(layer.weights(), "weights", layer.weights().type(), k, grid, grid, c);
            source(layer, "source", layer, v.type());
            if (layer.features() != null) {
                int h = layer.features().shape().dim(1);
                Operands.typed(layer.features(), "features", v.type(), grid * grid, h);
            }
        }
    }

    static void synthesisGradient(
            Tensor v, Tensor scales, List<SynthesisLayer> layers, List<SynthesisLayer> dlayers, Tensor dv) {
        Operands.like(dv, "dv", v);
        synthesis(v, scales, layers);
        sameNumber(layers, dlayers);
        for (int l = 0; l < layers.size(); l++) {
            SynthesisLayer layer = layers.get(l);
            source(dlayers.get(l), "gradient of the source", layer, v.type());
            if (layer.features() != null) {
                Operands.like(dlayers.get(l).features(), "gradient of the features", layer.features());
            }
        }
    }

    private static void source(SynthesisLayer given, String name, SynthesisLayer shapes, DataType type) {
        int k = shapes.outputChannels();
        int c = shapes.inputChannels();
        if (shapes.features() == null) {
            Operands.typed(given.source(), name, type, k, shapes.kmax(), shapes.kmax(), c);
        } else {
            Operands.typed(given.source(), name, type, shapes.features().shape().dim(1), k * c);
        }
    }

    private static void sameNumber(List<?> layers, List<?> gradients) {
        Operands.require(
                layers.size() == gradients.size(),
                "gradients of " + gradients.size() + " of " + layers.size() + " layers");
    }

    static void coordinateFeatures(List<CoordinateLayer> layers) {
        layers.forEach(layer -> network(layer, layer));
    }

    static void coordinateFeaturesGradient(List<CoordinateLayer> layers, List<CoordinateLayer> dlayers) {
        coordinateFeatures(layers);
        sameNumber(layers, dlayers);
        for (int l = 0; l < layers.size(); l++) {
            network(layers.get(l), dlayers.get(l));
        }
    }

    private static void network(CoordinateLayer shapes, CoordinateLayer given) {
        DataType type = shapes.w1().type();
        int features = shapes.w2().shape().dim(0);
        int hidden = shapes.w2().shape().dim(1);
        Operands.typed(given.w1(), "w1", type, hidden, 2);
        Operands.typed(given.b1(), "b1", type, hidden);
        Operands.typed(given.w2(), "w2", type, features, hidden);
        Operands.typed(given.b2(), "b2", type, features);
        Operands.typed(given.gamma(), "gamma", type, hidden);
        Operands.typed(given.beta(), "beta", type, hidden);
        Operands.typed(shapes.features(), "features", type, shapes.grid() * shapes.grid(), features);
    }

    static void sizeHead(SizeHead head, Tensor h, Tensor u, Tensor v) {
        Operands.like(u, "u", h);
        Operands.typed(v, "v", h.type(), h.shape().dim(0));
        head(head, h);
    }

    static void sizeHeadGradient(SizeHead head, Tensor h, Tensor dv, SizeHead dhead, Tensor dh) {
        Operands.like(dh, "dh", h);
        Operands.typed(dv, "dv", h.type(), h.shape().dim(0));
        head(head, h);
        head(dhead, h);
    }

    private static void head(SizeHead head, Tensor h) {
        int layers = h.shape().dim(0);
        int width = h.shape().dim(1);
        Operands.typed(head.gain(), "gain", h.type(), width);
        Operands.typed(head.shift(), "shift", h.type(), width);
        Operands.typed(head.w(), "w", h.type(), layers, width);
        Operands.typed(head.g(), "g", h.type(), layers);
        Operands.typed(head.b(), "b", h.type(), layers);
        Operands.require(
                head.kmin().length == layers && head.kmax().length == layers,
                "size head: bounds for " + head.kmin().length + " layers; expected " + layers);
    }
}

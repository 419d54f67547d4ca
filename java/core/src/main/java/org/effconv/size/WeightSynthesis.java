package org.effconv.size;

import java.util.ArrayList;
import java.util.List;
import org.effconv.autodiff.Tape;
import org.effconv.autodiff.Variable;
import org.effconv.backend.Backend;
import org.effconv.backend.MaskKind;
import org.effconv.backend.SynthesisLayer;
import org.effconv.nn.SizedLayer;
import org.effconv.tensor.Tensor;

/** Masked weights of all layers as one operation on a tape: w = s m(v) w^. */
final class WeightSynthesis {
    private WeightSynthesis() {}

    /**
     * @param v       soft sizes (L)
     * @param grids   support grid of every layer
     * @param scales  s of every layer
     * @return weights (K, grid, grid, C) of every layer, in the type of v
     */
    static List<Variable> record(Tape tape, MaskKind mask, List<SizedLayer> layers, Variable v, int[] grids,
            double[] scales, List<KernelPredictor.Kernel> kernels) {
        Backend backend = tape.backend();
        List<Tensor> weights = new ArrayList<>();
        for (int l = 0; l < layers.size(); l++) {
            weights.add(tape.allocate(v.value().type(), layers.get(l).weightShape(grids[l])));
        }
        List<Tensor> features = new ArrayList<>();
        List<Tensor> sources = new ArrayList<>();
        for (KernelPredictor.Kernel kernel : kernels) {
            features.add(kernel.features() == null ? null : kernel.features().value());
            sources.add(kernel.source().value());
        }
        backend.synthesis(mask, v.value(), describe(layers, grids, scales, features, sources, weights));
        if (!tape.recording()) {
            return weights.stream().map(tape::constant).toList();
        }
        return JointOperation.record(tape, weights, dweights -> {
            List<Tensor> dfeatures = new ArrayList<>();
            List<Tensor> dsources = new ArrayList<>();
            for (int l = 0; l < layers.size(); l++) {
                dfeatures.add(features.get(l) == null ? null : like(tape, features.get(l)));
                dsources.add(like(tape, sources.get(l)));
            }
            Tensor dv = like(tape, v.value());
            backend.synthesisGradient(
                    mask,
                    v.value(),
                    describe(layers, grids, scales, features, sources, dweights),
                    describe(layers, grids, scales, dfeatures, dsources, dweights),
                    dv);
            tape.addGradient(v, dv);
            for (int l = 0; l < layers.size(); l++) {
                if (dfeatures.get(l) != null) {
                    tape.addGradient(kernels.get(l).features(), dfeatures.get(l));
                }
                tape.addGradient(kernels.get(l).source(), dsources.get(l));
            }
        });
    }

    private static Tensor like(Tape tape, Tensor t) {
        return tape.allocate(t.type(), t.shape());
    }

    private static List<SynthesisLayer> describe(List<SizedLayer> layers, int[] grids, double[] scales,
            List<Tensor> features, List<Tensor> sources, List<Tensor> weights) {
        List<SynthesisLayer> described = new ArrayList<>();
        for (int l = 0; l < layers.size(); l++) {
            SizedLayer layer = layers.get(l);
            described.add(new SynthesisLayer(layer.outputChannels(), layer.inputChannels() / layer.groups(), grids[l], layer.kmax(), scales[l],
                    l, features.get(l), sources.get(l), weights.get(l)));
        }
        return described;
    }
}

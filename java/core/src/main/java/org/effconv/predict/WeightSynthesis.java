package org.effconv.predict;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.effconv.autodiff.Tape;
import org.effconv.autodiff.Variable;
import org.effconv.backend.Backend;
import org.effconv.backend.MaskKind;
import org.effconv.backend.SynthesisLayer;
import org.effconv.nn.SizedLayer;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;

/** Masked weights of all layers as one operation on a tape: w = s m(v) w^. */
public final class WeightSynthesis {
    private WeightSynthesis() {}

    /**
     * @param v soft sizes (L)
     * @param grids support grid of every layer
     * @param scales s of every layer
     * @return weights (K, grid, grid, C) of every layer, in the type of v
     */
    public static List<Variable> record(
            Tape tape,
            MaskKind mask,
            List<SizedLayer> layers,
            Variable v,
            int[] grids,
            double[] scales,
            List<KernelPredictor.Kernel> kernels) {
        return record(tape, mask, layers, v, grids, scales, null, kernels);
    }

    /**
     * The same where steps are recorded.
     *
     * @param scales s of every layer (L), read at each repetition
     */
    public static List<Variable> record(
            Tape tape,
            MaskKind mask,
            List<SizedLayer> layers,
            Variable v,
            int[] grids,
            Tensor scales,
            List<KernelPredictor.Kernel> kernels) {
        double[] none = new double[layers.size()];
        Arrays.fill(none, 1);
        return record(tape, mask, layers, v, grids, none, scales, kernels);
    }

    /**
     * Of kernels whose w^ has variance 1: variance 2 / (C k^2), He's for ReLU, over the taps of sizes v as they stand.
     */
    public static double[] scales(Backend backend, List<SizedLayer> layers, double[] v) {
        return backend.synthesisScales(
                v, layers.stream().mapToInt(layer -> layer.fanIn(1)).toArray());
    }

    private static List<Variable> record(
            Tape tape,
            MaskKind mask,
            List<SizedLayer> layers,
            Variable v,
            int[] grids,
            double[] scales,
            Tensor now,
            List<KernelPredictor.Kernel> kernels) {
        Backend backend = tape.backend();
        List<Tensor> weights = new ArrayList<>();
        for (int l = 0; l < layers.size(); l++) {
            SizedLayer layer = layers.get(l);
            weights.add(tape.allocate(
                    v.value().type(),
                    layer.weightShape(grids[l]),
                    layer.weightShape(now == null ? grids[l] : layer.kmax())));
        }
        List<Tensor> features = new ArrayList<>();
        List<Tensor> sources = new ArrayList<>();
        for (KernelPredictor.Kernel kernel : kernels) {
            features.add(kernel.features() == null ? null : kernel.features().value());
            sources.add(kernel.source().value());
        }
        List<SynthesisLayer> described = describe(layers, grids, scales, features, sources, weights);
        if (now == null) {
            backend.synthesis(mask, v.value(), described);
        } else {
            backend.synthesis(mask, v.value(), now, described);
        }
        if (!tape.recording()) {
            return weights.stream().map(tape::constant).toList();
        }
        return JointOperation.record(tape, weights, dweights -> {
            List<Tensor> dfeatures = new ArrayList<>();
            List<Tensor> dsources = new ArrayList<>();
            for (int l = 0; l < layers.size(); l++) {
                dfeatures.add(features.get(l) == null ? null : tape.allocateLike(features.get(l)));
                dsources.add(tape.allocateLike(sources.get(l)));
            }
            Tensor dv = tape.allocateLike(v.value());
            List<SynthesisLayer> given = describe(layers, grids, scales, features, sources, dweights);
            List<SynthesisLayer> gradients = describe(layers, grids, scales, dfeatures, dsources, dweights);
            if (now == null) {
                backend.synthesisGradient(mask, v.value(), given, gradients, dv);
            } else {
                backend.synthesisGradient(mask, v.value(), now, given, gradients, dv);
            }
            tape.addGradient(v, dv);
            for (int l = 0; l < layers.size(); l++) {
                if (dfeatures.get(l) != null) {
                    tape.addGradient(kernels.get(l).features(), dfeatures.get(l));
                }
                tape.addGradient(kernels.get(l).source(), dsources.get(l));
            }
        });
    }

    /**
     * The central (K, k, k, C) of weights on a larger grid: soft masks reach beyond the integer kernel, which is left
     * out.
     */
    public static float[] centre(float[] w, Shape shape, int k) {
        int grid = shape.dim(1);
        int channels = shape.dim(3);
        float[] out = new float[shape.dim(0) * k * k * channels];
        int shift = (grid - k) / 2;
        for (int o = 0; o < shape.dim(0); o++) {
            for (int row = 0; row < k; row++) {
                for (int column = 0; column < k; column++) {
                    int r = row + shift;
                    int c = column + shift;
                    if (r >= 0 && r < grid && c >= 0 && c < grid) {
                        System.arraycopy(
                                w,
                                ((o * grid + r) * grid + c) * channels,
                                out,
                                ((o * k + row) * k + column) * channels,
                                channels);
                    }
                }
            }
        }
        return out;
    }

    private static List<SynthesisLayer> describe(
            List<SizedLayer> layers,
            int[] grids,
            double[] scales,
            List<Tensor> features,
            List<Tensor> sources,
            List<Tensor> weights) {
        List<SynthesisLayer> described = new ArrayList<>();
        for (int l = 0; l < layers.size(); l++) {
            SizedLayer layer = layers.get(l);
            described.add(new SynthesisLayer(
                    layer.outputChannels(),
                    layer.inputChannels() / layer.groups(),
                    grids[l],
                    layer.kmax(),
                    scales[l],
                    l,
                    features.get(l),
                    sources.get(l),
                    weights.get(l)));
        }
        return described;
    }
}

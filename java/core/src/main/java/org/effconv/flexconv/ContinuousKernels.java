package org.effconv.flexconv;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.effconv.autodiff.Parameter;
import org.effconv.autodiff.Tape;
import org.effconv.autodiff.Variable;
import org.effconv.backend.Backend;
import org.effconv.backend.MaskKind;
import org.effconv.cost.Cost;
import org.effconv.cost.FiniteSizes;
import org.effconv.nn.NetworkPlan;
import org.effconv.nn.SizedLayer;
import org.effconv.predict.Initial;
import org.effconv.predict.JointOperation;
import org.effconv.predict.KernelPredictor;
import org.effconv.predict.WeightSynthesis;
import org.effconv.tensor.Construction;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;
import org.effconv.train.TrainableWeights;

/**
 * A baseline in the manner of FlexConv (arXiv 2110.08059): the kernels of every sized layer are the values of a
 * {@link MagNet} on the grid of taps, under a Gaussian mask whose width is learned, in training and in use alike: w[o,
 * i, p] = &lt;H(p), A[:, o, i]&gt;, on the central taps that the mask leaves. A starts such that a layer's weights have
 * He's variance in sum. Not taken over: rectangular crops (these are square), and FlexConv's regulariser of the
 * kernels.
 */
public final class ContinuousKernels implements TrainableWeights {
    /** Of the mask's learning rate, on that of the rest. */
    public static final double MASK_RATE = 0.1;

    private final Backend backend;
    private final DataType type;
    private final NetworkPlan plan;
    private final List<SizedLayer> layers;
    private final List<Layer> kernels = new ArrayList<>();
    private List<Variable> weights = List.of();
    private int[] used; // of the step begun last

    private record Layer(Parameter network, Parameter mask, Parameter output) {}

    /** @param type of the parameters: F32, or F64 to verify gradients */
    public ContinuousKernels(Backend backend, DataType type, NetworkPlan plan, long seed) {
        this.backend = backend;
        this.type = type;
        this.plan = plan;
        layers = plan.sizedLayers();
        Random random = new Random(seed);
        try (Construction construction = new Construction()) {
            Initial initial = new Initial(backend, type, random, construction);
            for (SizedLayer layer : layers) {
                String name = "continuous." + layer.name();
                double[] network = MagNet.initial(random);
                double[] mask = MagNet.initialMask();
                double square = Arrays.stream(MagNet.features(
                                network, mask, new MagNet.Taps(MagNet.size(mask, layer.kmax()), layer.kmax())))
                        .map(f -> f * f)
                        .sum();
                kernels.add(new Layer(
                        new Parameter(name + ".magnet", initial.tensor(network, MagNet.PARAMETERS), false),
                        new Parameter(name + ".mask", initial.tensor(mask, MagNet.MASK_PARAMETERS), false),
                        initial.normal(
                                name + ".output",
                                Math.sqrt(2 / (layer.fanIn(1) * square)),
                                MagNet.FEATURES,
                                Math.toIntExact(layer.parametersPerTap()))));
            }
            construction.done();
        }
    }

    /**
     * Values that such a network trains, without the few of the small networks and masks.
     *
     * @throws org.effconv.error.EffconvException.InvalidInput if a layer has more than a parameter may have
     */
    public static long values(NetworkPlan plan) {
        plan.checkSizes(plan.largestSizes());
        long values = plan.fixedParameters();
        for (SizedLayer layer : plan.sizedLayers()) {
            long output = layer.parametersPerTap() * MagNet.FEATURES;
            plan.checkValues(layer, output, "values of its continuous kernels");
            values += output;
        }
        return values;
    }

    @Override
    public void begin(Tape tape, Progress progress) {
        int[] grids = sizes();
        used = grids;
        List<Tensor> rows = new ArrayList<>();
        List<double[]> networks = new ArrayList<>();
        List<double[]> masks = new ArrayList<>();
        List<MagNet.Taps> taps = new ArrayList<>();
        for (int l = 0; l < grids.length; l++) {
            networks.add(backend.readDoubles(kernels.get(l).network.value()));
            masks.add(backend.readDoubles(kernels.get(l).mask.value()));
            taps.add(new MagNet.Taps(grids[l], layers.get(l).kmax()));
            Tensor features = tape.allocate(type, Shape.of(grids[l] * grids[l], MagNet.FEATURES));
            backend.write(features, MagNet.features(networks.get(l), masks.get(l), taps.get(l)));
            rows.add(features);
        }
        List<Variable> features = !tape.recording()
                ? rows.stream().map(tape::constant).toList()
                : JointOperation.record(tape, rows, gradients -> {
                    for (int l = 0; l < grids.length; l++) {
                        double[] dnetwork = new double[MagNet.PARAMETERS];
                        double[] dmask = new double[MagNet.MASK_PARAMETERS];
                        MagNet.gradient(
                                networks.get(l),
                                masks.get(l),
                                taps.get(l),
                                backend.readDoubles(gradients.get(l)),
                                dnetwork,
                                dmask);
                        give(tape, kernels.get(l).network, dnetwork);
                        give(tape, kernels.get(l).mask, dmask);
                    }
                });
        weights = product(tape, grids, features);
    }

    private void give(Tape tape, Parameter parameter, double[] gradient) {
        Tensor t = tape.allocate(type, parameter.value().shape());
        backend.write(t, gradient);
        tape.addGradient(tape.parameter(parameter), t);
    }

    // The linear map, by the search's own operation: under a ramp so wide that it is 1 on every tap.
    private List<Variable> product(Tape tape, int[] grids, List<Variable> features) {
        Tensor wide = tape.allocate(type, Shape.of(grids.length));
        backend.fill(wide, Cost.LARGEST_SIZE + 2);
        double[] scales = new double[grids.length];
        Arrays.fill(scales, 1);
        List<KernelPredictor.Kernel> parts = new ArrayList<>();
        for (int l = 0; l < grids.length; l++) {
            parts.add(new KernelPredictor.Kernel(features.get(l), tape.parameter(kernels.get(l).output)));
        }
        return WeightSynthesis.record(tape, MaskKind.RAMP, layers, tape.constant(wide), grids, scales, parts);
    }

    @Override
    public Variable weights(Tape tape, int index) {
        return weights.get(index);
    }

    @Override
    public double multiplyAdds() {
        return plan.multiplyAdds(used);
    }

    /** Grids change with the masks, so that no step is another's repetition. */
    @Override
    public Optional<Object> stepKey() {
        return Optional.empty();
    }

    @Override
    public List<Parameter> parameters() {
        List<Parameter> all = new ArrayList<>();
        kernels.forEach(k -> all.addAll(List.of(k.network, k.mask, k.output)));
        return all;
    }

    @Override
    public double learningRateFactor(Parameter p) {
        return kernels.stream().anyMatch(k -> k.mask == p) ? MASK_RATE : 1;
    }

    /**
     * Effective kernel sizes: of every layer the odd square that its mask leaves.
     *
     * @throws org.effconv.error.EffconvException.JobFailed if a mask is not finite
     */
    public int[] sizes() {
        int[] sizes = new int[layers.size()];
        for (int l = 0; l < sizes.length; l++) {
            double[] mask = FiniteSizes.require(
                    "mask", backend.readDoubles(kernels.get(l).mask.value()), layers.get(l));
            sizes[l] = MagNet.size(mask, layers.get(l).kmax());
        }
        return sizes;
    }

    /** Numbers that the kernels own, whatever their sizes. */
    public long ownedParameters() {
        return parameters().stream().mapToLong(p -> p.value().count()).sum();
    }

    @Override
    public void close() {
        parameters().forEach(Parameter::close);
    }
}

package org.effconv.predict;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.effconv.autodiff.Ops;
import org.effconv.autodiff.Parameter;
import org.effconv.autodiff.Tape;
import org.effconv.autodiff.Variable;
import org.effconv.backend.Backend;
import org.effconv.backend.CoordinateLayer;
import org.effconv.nn.SizedLayer;
import org.effconv.tensor.Construction;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;

/**
 * w^[o, i, p] = &lt;H_l(p), A_l[:, o, i]&gt;: features H of the tap's position by a small network with sine filters,
 * one per layer, modulated by (v_l / kmax_l, u_l) through one linear map for all layers (zero at first); coefficients A
 * are free. H has mean square about 1 and A variance 1 / h, so w^ has unit variance.
 */
public final class CoordinateNetwork implements KernelPredictor {
    // Of the first sine: with W1 in [-1, 1) neighbouring taps, 2 / kmax apart, differ in phase by at most 0.75 pi.
    private static final double FREQUENCY = 0.375 * Math.PI;

    private final Backend backend;
    private final List<SizedLayer> layers;
    private final int hidden;
    private final int features;
    private final Parameter w1; // (L, hidden, 2)
    private final Parameter b1; // (L, hidden)
    private final Parameter w2; // (L, h, hidden)
    private final Parameter b2; // (L, h)
    private final Parameter fromState; // (2 hidden, states): gamma, then beta
    private final Parameter fromSize; // (2 hidden, 1)
    private final List<Parameter> coefficients = new ArrayList<>();

    public CoordinateNetwork(
            Backend backend, DataType type, List<SizedLayer> layers, SearchSettings settings, Random random) {
        this.backend = backend;
        this.layers = layers;
        hidden = settings.hidden();
        features = settings.features();
        int n = layers.size();
        try (Construction construction = new Construction()) {
            Initial initial = new Initial(backend, type, random, construction);
            w1 = initial.uniform("kernel/W1", 1, n, hidden, 2);
            b1 = initial.uniform("kernel/b1", 1, n, hidden);
            w2 = initial.uniform("kernel/W2", Math.sqrt(6.0 / hidden), n, features, hidden);
            b2 = initial.uniform("kernel/b2", Math.PI, n, features);
            fromState = initial.constant("kernel/from-state", 0, 2 * hidden, 2 * SizePredictor.HIDDEN);
            fromSize = initial.constant("kernel/from-size", 0, 2 * hidden, 1);
            for (SizedLayer layer : layers) {
                coefficients.add(initial.normal(
                        "kernel/" + layer.name() + ".A",
                        1 / Math.sqrt(features),
                        features,
                        Math.toIntExact(layer.parametersPerTap())));
            }
            construction.done();
        }
    }

    @Override
    public List<Kernel> kernels(Tape tape, int[] grids, Condition condition) {
        Variable modulation = modulation(tape, condition);
        List<Variable> inputs =
                new ArrayList<>(Stream.of(w1, b1, w2, b2).map(tape::parameter).toList());
        inputs.add(modulation);
        DataType type = w1.value().type();
        List<Tensor> rows = new ArrayList<>();
        for (int l = 0; l < grids.length; l++) {
            int grid = grids[l];
            int largest = condition.relative() == null ? grid : layers.get(l).kmax();
            rows.add(tape.allocate(type, Shape.of(grid * grid, features), Shape.of(largest * largest, features)));
        }
        List<CoordinateLayer> values =
                slices(grids, inputs.stream().map(Variable::value).toList(), rows);
        backend.coordinateFeatures(values);
        List<Variable> outputs = JointOperation.record(tape, rows, gradients -> {
            List<Tensor> dinputs =
                    inputs.stream().map(i -> tape.allocate(type, i.shape())).toList();
            List<CoordinateLayer> given =
                    slices(grids, inputs.stream().map(Variable::value).toList(), gradients);
            backend.coordinateFeaturesGradient(given, slices(grids, dinputs, gradients));
            for (int i = 0; i < inputs.size(); i++) {
                tape.addGradient(inputs.get(i), dinputs.get(i));
            }
        });
        List<Kernel> kernels = new ArrayList<>();
        for (int l = 0; l < grids.length; l++) {
            kernels.add(new Kernel(outputs.get(l), tape.parameter(coefficients.get(l))));
        }
        return kernels;
    }

    // (L, 2 hidden): gamma and beta of every layer, linear in v / kmax and the mean-scaled u. Unscaled, the map's many
    // inputs
    // would add up to a modulation that an optimiser tunes to the states as they are, and the first move of the size
    // predictor would wreck all kernels.
    private Variable modulation(Tape tape, Condition condition) {
        Tensor sizes = condition.relative();
        if (sizes == null) {
            sizes = tape.allocate(w1.value().type(), Shape.of(layers.size(), 1));
            backend.write(sizes, relative(layers, condition.v()));
        }
        Tensor states = tape.allocate(w1.value().type(), condition.u().shape());
        backend.fill(states, 0);
        backend.accumulate(condition.u(), 1.0 / condition.u().shape().dim(1), states);
        return Ops.sum(
                tape,
                Ops.linear(tape, tape.constant(states), tape.parameter(fromState), null),
                Ops.linear(tape, tape.constant(sizes), tape.parameter(fromSize), null));
    }

    /** v over kmax of every layer. */
    public static double[] relative(List<SizedLayer> layers, double[] v) {
        double[] relative = new double[v.length];
        Arrays.setAll(relative, l -> v[l] / layers.get(l).kmax());
        return relative;
    }

    private List<CoordinateLayer> slices(int[] grids, List<Tensor> stacked, List<Tensor> rows) {
        List<CoordinateLayer> slices = new ArrayList<>();
        for (int l = 0; l < grids.length; l++) {
            int kmax = layers.get(l).kmax();
            Tensor modulation = stacked.get(4);
            slices.add(new CoordinateLayer(
                    grids[l],
                    kmax,
                    FREQUENCY * kmax,
                    stacked.get(0).slice((long) l * 2 * hidden, Shape.of(hidden, 2)),
                    stacked.get(1).slice((long) l * hidden, Shape.of(hidden)),
                    stacked.get(2).slice((long) l * features * hidden, Shape.of(features, hidden)),
                    stacked.get(3).slice((long) l * features, Shape.of(features)),
                    modulation.slice(2L * l * hidden, Shape.of(hidden)),
                    modulation.slice(2L * l * hidden + hidden, Shape.of(hidden)),
                    rows.get(l)));
        }
        return slices;
    }

    @Override
    public List<Parameter> parameters() {
        return Stream.concat(Stream.of(w1, b1, w2, b2, fromState, fromSize), coefficients.stream())
                .toList();
    }
}

package org.effconv.predict;

import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.effconv.autodiff.Ops;
import org.effconv.autodiff.Parameter;
import org.effconv.autodiff.Tape;
import org.effconv.autodiff.Variable;
import org.effconv.backend.Backend;
import org.effconv.backend.SizeHead;
import org.effconv.cost.Cost;
import org.effconv.cost.FiniteSizes;
import org.effconv.nn.SizedLayer;
import org.effconv.tensor.Construction;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;

/**
 * Predicts a soft kernel size for every layer: fixed orthogonal layer codes z run through a bidirectional GRU, then v_l
 * = kmin + (top_l - kmin) sigmoid(g_l &lt;w_l, u_l&gt; / |w_l| + b_l) with u = ReLU(LayerNorm(h)). The upper end lies
 * one pixel above kmax, so that kmax itself is not at the sigmoid's flat end; b starts such that v does where it is
 * asked to.
 */
public final class SizePredictor implements AutoCloseable {
    static final int CODE = 64;
    static final int EMBEDDING = 8; // of a budget
    public static final int HIDDEN = 128;
    private static final double MARGIN = 0.05; // pixels between a start and the open ends of the range

    /**
     * @param v (L) soft sizes
     * @param u (L, 2 * HIDDEN) the layers' states, no gradient
     */
    public record Sizes(Variable v, Tensor u) {}

    private final Backend backend;
    private final Tensor codes; // per layer its code, then the budget's embedding if there is one
    private final double[] codeValues;
    private final int inputs;
    private final List<SizedLayer> layers;
    private double budget = Double.NaN; // position of the budget in its range
    private final Parameter[] forward;
    private final Parameter[] reverse;
    private final Parameter gain;
    private final Parameter shift;
    private final Parameter w;
    private final Parameter g;
    private final Parameter b;
    private final double[] kmin;
    private final double[] top;

    /**
     * @param start soft size that each layer starts at
     * @param budgets whether the predictor is told a budget
     */
    public SizePredictor(
            Backend backend, DataType type, List<SizedLayer> layers, double[] start, boolean budgets, Random random) {
        int n = layers.size();
        inputs = CODE + (budgets ? EMBEDDING : 0);
        this.backend = backend;
        this.layers = layers;
        kmin = new double[n];
        Arrays.fill(kmin, Cost.SMALLEST_SIZE);
        top = layers.stream().mapToDouble(layer -> layer.kmax() + 1.0).toArray();
        try (Construction construction = new Construction()) {
            Initial initial = new Initial(backend, type, random, construction);
            codeValues = widened(orthogonalCodes(n, random), n, inputs);
            codes = initial.tensor(codeValues, n, inputs);
            if (budgets) {
                setBudget(0.5);
            }
            forward = direction(initial, "forward", inputs);
            reverse = direction(initial, "reverse", inputs);
            gain = initial.constant("size/gain", 1, 2 * HIDDEN);
            shift = initial.constant("size/shift", 0, 2 * HIDDEN);
            w = initial.normal("size/w", 1, n, 2 * HIDDEN);
            g = initial.constant("size/g", 1, n);
            b = initial.constant("size/b", 0, n);
            startAt(start);
            construction.done();
        }
    }

    private static double[] widened(double[] codes, int rows, int width) {
        double[] wide = new double[rows * width];
        for (int r = 0; r < rows; r++) {
            System.arraycopy(codes, r * CODE, wide, r * width, CODE);
        }
        return wide;
    }

    /**
     * Tells a budget by its position in the range, 0 to 1 in log P, as cosines of 1/2 to EMBEDDING/2 periods; whether
     * it is another than before.
     */
    public boolean setBudget(double position) {
        if (position == budget) {
            return false;
        }
        budget = position;
        embed(position);
        backend.write(codes, codeValues);
        return true;
    }

    private void embed(double position) {
        for (int r = 0; r < kmin.length; r++) {
            for (int i = 0; i < EMBEDDING; i++) {
                codeValues[r * inputs + CODE + i] = Math.cos(Math.PI * (i + 1) * position) / Math.sqrt(EMBEDDING / 2.0);
            }
        }
    }

    /** The layers' codes, with the budget told last if there is a range. */
    public Tensor codes() {
        return codes;
    }

    /** The layers' codes with another budget, in a tensor of the caller's. */
    public Tensor codesAt(double position) {
        embed(position);
        Tensor other = Tensor.allocate(backend.memory(), codes.type(), codes.shape());
        backend.write(other, codeValues);
        return other;
    }

    private static Parameter[] direction(Initial initial, String name, int inputs) {
        double bound = 1 / Math.sqrt(HIDDEN);
        return new Parameter[] {
            initial.uniform("size/" + name + ".W", bound, 3 * HIDDEN, inputs),
            initial.uniform("size/" + name + ".U", bound, 3 * HIDDEN, HIDDEN),
            initial.constant("size/" + name + ".b", 0, 3 * HIDDEN),
            initial.constant("size/" + name + ".c", 0, 3 * HIDDEN)
        };
    }

    // Rows of length 1, orthogonal to each other in groups of CODE.
    private static double[] orthogonalCodes(int rows, Random random) {
        double[] codes = new double[rows * CODE];
        for (int r = 0; r < rows; r++) {
            double[] row = random.doubles(CODE, -1, 1).toArray();
            for (int q = r / CODE * CODE; q < r; q++) {
                double dot = 0;
                for (int i = 0; i < CODE; i++) {
                    dot += row[i] * codes[q * CODE + i];
                }
                for (int i = 0; i < CODE; i++) {
                    row[i] -= dot * codes[q * CODE + i];
                }
            }
            double length = Math.sqrt(Arrays.stream(row).map(x -> x * x).sum());
            for (int i = 0; i < CODE; i++) {
                codes[r * CODE + i] = row[i] / length;
            }
        }
        return codes;
    }

    // With b = 0 the head's logit is o; b is then the wanted logit less o.
    private void startAt(double[] start) {
        try (StepArena arena = new StepArena(backend)) {
            double[] v = backend.readDoubles(sizes(arena.tape(false)).v().value());
            double[] bias = new double[v.length];
            for (int l = 0; l < v.length; l++) {
                bias[l] = logit(l, start[l]) - logit(l, v[l]);
            }
            backend.write(b.value(), bias);
        }
    }

    /**
     * The head's logit at which layer {@code l} has size {@code v}; sizes at or beyond the range's ends count as just
     * inside.
     */
    public double logit(int l, double v) {
        double inside = clamp(l, v);
        return Math.log((inside - kmin[l]) / (top[l] - inside));
    }

    /** dv / dlogit of layer {@code l} at size {@code v}. */
    public double slope(int l, double v) {
        double inside = clamp(l, v);
        return (inside - kmin[l]) * (top[l] - inside) / (top[l] - kmin[l]);
    }

    private double clamp(int l, double v) {
        return Math.max(kmin[l] + MARGIN, Math.min(top[l] - MARGIN, v));
    }

    /** Runs the predictor. */
    public Sizes sizes(Tape tape) {
        return sizes(tape, codes);
    }

    /** Runs it for what {@link #codesAt} gave. */
    public Sizes sizes(Tape tape, Tensor codes) {
        Variable h = Ops.gru(tape, tape.constant(codes), weights(tape, forward), weights(tape, reverse));
        DataType type = codes.type();
        Tensor u = tape.allocate(type, h.shape());
        Tensor v = tape.allocate(type, Shape.of(kmin.length));
        Variable[] inputs = Stream.of(gain, shift, w, g, b).map(tape::parameter).toArray(Variable[]::new);
        SizeHead head = head(Arrays.stream(inputs).map(Variable::value).toArray(Tensor[]::new));
        backend.sizeHead(head, h.value(), u, v);
        Variable sizes = tape.record(v, true, dv -> {
            Tensor dh = tape.allocate(type, h.shape());
            Tensor[] gradients = Arrays.stream(inputs)
                    .map(i -> tape.allocate(type, i.shape()))
                    .toArray(Tensor[]::new);
            backend.sizeHeadGradient(head, h.value(), dv, head(gradients), dh);
            for (int i = 0; i < inputs.length; i++) {
                tape.addGradient(inputs[i], gradients[i]);
            }
            tape.addGradient(h, dh);
        });
        return new Sizes(sizes, u);
    }

    /**
     * Sizes that the predictor gave, once they are on the host.
     *
     * @throws org.effconv.error.EffconvException.JobFailed if one is not finite
     */
    public double[] requireFinite(double[] v) {
        return FiniteSizes.require("predicted size", v, layers);
    }

    private SizeHead head(Tensor[] t) {
        return new SizeHead(t[0], t[1], t[2], t[3], t[4], kmin, top);
    }

    private static Ops.GruWeights weights(Tape tape, Parameter[] p) {
        return new Ops.GruWeights(
                tape.parameter(p[0]), tape.parameter(p[1]), tape.parameter(p[2]), tape.parameter(p[3]));
    }

    public List<Parameter> parameters() {
        return Stream.of(forward, reverse, new Parameter[] {gain, shift, w, g, b})
                .flatMap(Arrays::stream)
                .toList();
    }

    @Override
    public void close() {
        codes.close();
        parameters().forEach(Parameter::close);
    }
}

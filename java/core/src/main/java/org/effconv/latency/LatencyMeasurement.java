package org.effconv.latency;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import org.effconv.backend.Backend;
import org.effconv.backend.Compute;
import org.effconv.backend.Convolution;
import org.effconv.backend.OptimizerRule;
import org.effconv.backend.OptimizerSlot;
import org.effconv.cost.Isotonic;
import org.effconv.latency.LatencyTable.Check;
import org.effconv.latency.LatencyTable.LayerShape;
import org.effconv.latency.LatencyTable.Pass;
import org.effconv.latency.LatencyTable.Row;
import org.effconv.nn.NetworkPlan;
import org.effconv.nn.SizedLayer;
import org.effconv.tensor.Arena;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Measures a latency table in rounds. Each takes one sample of every shape at every size, and of whole networks, which
 * tell what the layers leave over, so that what else the machine does falls on all of them alike. Of the rounds'
 * samples the lower quartile counts: others' work on the machine makes samples longer, and never shorter.
 */
final class LatencyMeasurement {
    private static final Logger LOG = LoggerFactory.getLogger(LatencyMeasurement.class);
    private static final double SAMPLE_MILLISECONDS = 2; // shorter ones are repeated to a sample of this length
    private static final int MOST_RUNS = 100;
    private static final int[] UNIFORM = {3, 5, 7};
    private static final int MIXED = 9; // networks of drawn sizes
    private static final int LARGEST_MIXED = 9;
    private static final double MOST_ERROR = 0.05; // what budgets of time are to be met within

    private final Compute compute;
    private final Backend backend;
    private final NetworkPlan plan;
    private final Pass pass;
    private final int batch;
    private final int repeats;

    LatencyMeasurement(Compute compute, NetworkPlan plan, Pass pass, int batch, int repeats) {
        this.compute = compute;
        this.backend = compute.backend();
        this.plan = plan;
        this.pass = pass;
        this.batch = batch;
        this.repeats = repeats;
    }

    LatencyTable run() {
        LayerSamples layers = new LayerSamples();
        List<int[]> networks = networks();
        double[][] whole = new double[networks.size()][repeats];
        for (int round = 0; round < repeats; round++) {
            layers.sample(round);
            for (int i = 0; i < whole.length; i++) {
                whole[i][round] = NetworkTime.sample(compute, plan, networks.get(i), pass, batch);
            }
            LOG.info("latency table of {}: round {} of {}", plan, round + 1, repeats);
        }
        List<Row> rows = layers.rows();
        LatencyTable layersOnly = new LatencyTable(LatencyTable.setup(compute, plan, pass, batch), 0, rows, List.of());
        double[] measured = Arrays.stream(whole)
                .mapToDouble(LatencyMeasurement::lowerQuartile)
                .toArray();
        double[] inLayers =
                networks.stream().mapToDouble(sizes -> sum(layersOnly, sizes)).toArray();
        double over = median(IntStream.range(0, measured.length)
                .mapToDouble(i -> measured[i] - inLayers[i])
                .toArray());
        if (over < 0) {
            LOG.warn(
                    "the layers of {} took {} ms more by themselves than the whole network: the rest counts as 0",
                    plan,
                    -over);
        }
        double rest = Math.max(0, over);
        List<Check> checks = IntStream.range(0, measured.length)
                .mapToObj(i -> new Check(networks.get(i), measured[i], rest + inLayers[i]))
                .toList();
        LatencyTable table = new LatencyTable(layersOnly.setup(), rest, rows, checks);
        if (table.largestError() > MOST_ERROR) {
            LOG.warn(
                    "the table is off by {} % for a network that was measured whole: expected a device that does nothing else "
                            + "meanwhile; measure again, or with more repeats than {}",
                    Math.round(100 * table.largestError()), repeats);
        }
        return table;
    }

    // Uniform 3, 5 and 7 and mixed ones, where the layers allow them.
    private List<int[]> networks() {
        List<int[]> found = new ArrayList<>();
        Random random = new Random(1); // the same ones at every measurement
        for (int i = 0; i < UNIFORM.length + MIXED; i++) {
            int uniform = i < UNIFORM.length ? UNIFORM[i] : 0;
            int[] sizes = plan.sizedLayers().stream()
                    .mapToInt(layer -> Math.min(
                            uniform > 0 ? uniform : 2 * random.nextInt((LARGEST_MIXED + 1) / 2) + 1, layer.kmax()))
                    .toArray();
            if (found.stream().noneMatch(other -> Arrays.equals(other, sizes))) {
                found.add(sizes);
            }
        }
        return found;
    }

    private double sum(LatencyTable table, int[] sizes) {
        double sum = 0;
        for (SizedLayer layer : plan.sizedLayers()) {
            sum += table.row(LayerShape.of(plan, layer)).orElseThrow().milliseconds()[(sizes[layer.index()] - 1) / 2];
        }
        return sum;
    }

    static double median(double[] values) {
        double[] sorted = values.clone();
        Arrays.sort(sorted);
        int n = sorted.length;
        return (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
    }

    /** The value that a quarter of the others are below. */
    static double lowerQuartile(double[] values) {
        double[] sorted = values.clone();
        Arrays.sort(sorted);
        return sorted[(sorted.length - 1) / 4];
    }

    /** Times of every distinct shape of a sized layer at every odd size. */
    private final class LayerSamples {
        private final Map<LayerShape, double[][]> times = new LinkedHashMap<>(); // by size, by round
        private final Map<LayerShape, int[]> runs = new LinkedHashMap<>(); // by size: how many make a sample

        LayerSamples() {
            Map<LayerShape, Integer> kmax = new LinkedHashMap<>();
            for (SizedLayer layer : plan.sizedLayers()) {
                kmax.merge(LayerShape.of(plan, layer), layer.kmax(), Math::max);
            }
            kmax.forEach((shape, k) -> times.put(shape, new double[(k + 1) / 2][repeats]));
            times.forEach((shape, bySize) -> {
                int[] n = new int[bySize.length];
                try (Layer layer = new Layer(shape)) {
                    for (int i = 0; i < n.length; i++) {
                        layer.time(2 * i + 1, 1); // warms up
                        n[i] = (int) Math.max(
                                1, Math.min(MOST_RUNS, Math.ceil(SAMPLE_MILLISECONDS / layer.time(2 * i + 1, 1))));
                    }
                }
                runs.put(shape, n);
            });
        }

        void sample(int round) {
            times.forEach((shape, bySize) -> {
                try (Layer layer = new Layer(shape)) {
                    for (int i = 0; i < bySize.length; i++) {
                        bySize[i][round] = layer.time(2 * i + 1, runs.get(shape)[i]);
                    }
                }
            });
        }

        List<Row> rows() {
            List<Row> rows = new ArrayList<>();
            times.forEach((shape, bySize) -> rows.add(new Row(
                    shape,
                    Isotonic.fit(Arrays.stream(bySize)
                            .mapToDouble(LatencyMeasurement::lowerQuartile)
                            .toArray()))));
            return List.copyOf(rows);
        }
    }

    /** The tensors of one shape, for all sizes. */
    private final class Layer implements AutoCloseable {
        private final LayerShape shape;
        private final Convolution convolution;
        private final Arena arena = new Arena(backend.memory());
        private final Tensor x;
        private final Tensor dx;
        private final Tensor y;

        Layer(LayerShape shape) {
            this.shape = shape;
            convolution = new Convolution(shape.stride(), shape.groups());
            DataType type = compute.activationType();
            x = arena.allocate(type, Shape.of(batch, shape.height(), shape.width(), shape.inputChannels()));
            y = arena.allocate(
                    type,
                    Shape.of(
                            batch,
                            convolution.outputExtent(shape.height()),
                            convolution.outputExtent(shape.width()),
                            shape.outputChannels()));
            dx = pass == Pass.TRAINING && !shape.readsImage() ? arena.allocate(type, x.shape()) : null;
            NetworkTime.noise(backend, x, 1);
            NetworkTime.noise(backend, y, 2);
        }

        /** Mean milliseconds of {@code runs} runs at size k. */
        double time(int k, int runs) {
            DataType type = compute.parameterType();
            Shape weights = Shape.of(shape.outputChannels(), k, k, shape.inputChannels() / shape.groups());
            try (Arena own = new Arena(backend.memory())) {
                Tensor w = own.allocate(type, weights);
                NetworkTime.noise(backend, w, k);
                Tensor dw = own.allocate(type, weights);
                Tensor first = own.allocate(type, weights);
                Tensor second = own.allocate(type, weights);
                Tensor done = own.allocate(type, Shape.of(1));
                for (Tensor t : List.of(dw, first, second, done)) {
                    backend.fill(t, 0);
                }
                backend.readDoubles(done); // what was asked for before has been computed
                long start = System.nanoTime();
                for (int run = 0; run < runs; run++) {
                    backend.convolution(convolution, x, w, null, y);
                    if (pass == Pass.TRAINING) {
                        if (dx != null) {
                            backend.convolutionDataGradient(convolution, y, w, dx);
                        }
                        backend.convolutionWeightGradient(convolution, x, y, dw, null);
                        backend.optimizerStep(
                                OptimizerRule.adamW(), run + 1, List.of(new OptimizerSlot(w, dw, first, second, 0, 0)));
                    }
                }
                backend.readDoubles(done);
                return (System.nanoTime() - start) / 1e6 / runs;
            }
        }

        @Override
        public void close() {
            arena.close();
        }
    }
}

package org.effconv;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import org.effconv.LatencyTable.Check;
import org.effconv.LatencyTable.LayerShape;
import org.effconv.LatencyTable.Pass;
import org.effconv.LatencyTable.Row;
import org.effconv.backend.Backend;
import org.effconv.backend.Convolution;
import org.effconv.backend.OptimizerRule;
import org.effconv.backend.OptimizerSlot;
import org.effconv.nn.NetworkPlan;
import org.effconv.nn.SizedLayer;
import org.effconv.size.Isotonic;
import org.effconv.tensor.Arena;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Measures a latency table: every shape at every size in turn, and that as often as asked for, so that what else the machine
 * does falls on all of them; then whole networks, for what the layers leave over.
 */
final class LatencyMeasurement {
    private static final Logger LOG = LoggerFactory.getLogger(LatencyMeasurement.class);
    private static final double SAMPLE_MILLISECONDS = 2; // shorter ones are repeated to a sample of this length
    private static final int MOST_RUNS = 100;

    private final Device device;
    private final Backend backend;
    private final NetworkPlan plan;
    private final Pass pass;
    private final int batch;
    private final int repeats;

    LatencyMeasurement(Device device, NetworkPlan plan, Pass pass, int batch, int repeats) {
        this.device = device;
        this.backend = device.backend();
        this.plan = plan;
        this.pass = pass;
        this.batch = batch;
        this.repeats = repeats;
    }

    LatencyTable run() {
        List<Row> rows = rows();
        LatencyTable layersOnly = new LatencyTable(LatencyTable.setup(device, plan, pass, batch), 0, rows, List.of());
        List<int[]> references = references();
        double[] measured = new double[references.size()];
        double[] layers = new double[references.size()];
        for (int i = 0; i < measured.length; i++) {
            measured[i] = NetworkTime.milliseconds(device, plan, references.get(i), pass, batch, repeats);
            layers[i] = sum(layersOnly, references.get(i));
        }
        double over = median(IntStream.range(0, measured.length).mapToDouble(i -> measured[i] - layers[i]).toArray());
        if (over < 0) {
            LOG.warn("the layers of {} took {} ms more by themselves than the whole network: the rest counts as 0", plan, -over);
        }
        double rest = Math.max(0, over);
        List<Check> checks = new ArrayList<>();
        for (int i = 0; i < measured.length; i++) {
            checks.add(new Check(references.get(i), measured[i], rest + layers[i]));
        }
        return new LatencyTable(layersOnly.setup(), rest, rows, List.copyOf(checks));
    }

    // Uniform 3, 5 and 7 where the layers allow them.
    private List<int[]> references() {
        List<int[]> found = new ArrayList<>();
        for (int k : new int[] {3, 5, 7}) {
            int[] sizes = plan.sizedLayers().stream().mapToInt(layer -> Math.min(k, layer.kmax())).toArray();
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

    private List<Row> rows() {
        Map<LayerShape, Integer> kmax = new LinkedHashMap<>();
        for (SizedLayer layer : plan.sizedLayers()) {
            kmax.merge(LayerShape.of(plan, layer), layer.kmax(), Math::max);
        }
        Map<LayerShape, double[][]> samples = new LinkedHashMap<>(); // by size, by round
        kmax.forEach((shape, k) -> samples.put(shape, new double[(k + 1) / 2][repeats]));
        Map<LayerShape, int[]> runs = new LinkedHashMap<>();
        for (int round = -1; round < repeats; round++) { // the first warms up and tells how many runs make a sample
            for (Map.Entry<LayerShape, double[][]> entry : samples.entrySet()) {
                LayerShape shape = entry.getKey();
                double[][] times = entry.getValue();
                int[] n = runs.computeIfAbsent(shape, s -> new int[times.length]);
                try (Layer layer = new Layer(shape)) {
                    for (int i = 0; i < times.length; i++) {
                        if (round < 0) {
                            layer.time(2 * i + 1, 1);
                            double once = layer.time(2 * i + 1, 1);
                            n[i] = (int) Math.max(1, Math.min(MOST_RUNS, Math.ceil(SAMPLE_MILLISECONDS / once)));
                        } else {
                            times[i][round] = layer.time(2 * i + 1, n[i]);
                        }
                    }
                }
            }
            LOG.info("latency table of {}: round {} of {}", plan, round + 1, repeats);
        }
        List<Row> rows = new ArrayList<>();
        samples.forEach((shape, times) ->
                rows.add(new Row(shape, Isotonic.fit(Arrays.stream(times).mapToDouble(LatencyMeasurement::median).toArray()))));
        return List.copyOf(rows);
    }

    static double median(double[] values) {
        double[] sorted = values.clone();
        Arrays.sort(sorted);
        int n = sorted.length;
        return (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
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
            DataType type = device.activationType();
            x = arena.allocate(type, Shape.of(batch, shape.height(), shape.width(), shape.inputChannels()));
            y = arena.allocate(type, Shape.of(batch, convolution.outputExtent(shape.height()), convolution.outputExtent(shape.width()),
                    shape.outputChannels()));
            dx = pass == Pass.TRAINING && !shape.readsImage() ? arena.allocate(type, x.shape()) : null;
            fill(x, 1);
            fill(y, 2);
        }

        private void fill(Tensor t, long seed) {
            Random random = new Random(seed);
            float[] values = new float[Math.toIntExact(t.shape().count())];
            for (int i = 0; i < values.length; i++) {
                values[i] = random.nextFloat() - 0.5f;
            }
            backend.write(t, values);
        }

        /** Mean milliseconds of {@code runs} runs at size k. */
        double time(int k, int runs) {
            DataType type = device.activationType().parameterType();
            Shape weights = Shape.of(shape.outputChannels(), k, k, shape.inputChannels() / shape.groups());
            try (Arena own = new Arena(backend.memory())) {
                Tensor w = own.allocate(type, weights);
                fill(w, k);
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
                        backend.optimizerStep(OptimizerRule.adamW(), run + 1, List.of(new OptimizerSlot(w, dw, first, second, 0, 0)));
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

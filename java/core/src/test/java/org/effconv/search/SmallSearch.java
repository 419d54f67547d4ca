package org.effconv.search;

import java.util.Random;
import org.effconv.autodiff.Ops;
import org.effconv.autodiff.Tape;
import org.effconv.autodiff.Variable;
import org.effconv.backend.Backend;
import org.effconv.backend.cpu.CpuBackend;
import org.effconv.cost.Budget;
import org.effconv.cost.BudgetRange;
import org.effconv.cost.Cost;
import org.effconv.nn.Architecture;
import org.effconv.nn.Network;
import org.effconv.nn.NetworkPlan;
import org.effconv.nn.WeightSource.Progress;
import org.effconv.predict.SearchSettings;
import org.effconv.tensor.Arena;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;

/**
 * A network of three sized layers (dense, strided, depthwise) on a fixed random batch, small enough for central
 * differences.
 */
public final class SmallSearch implements AutoCloseable {
    public static final String NETWORK =
            """
            {"name": "small", "kmax": 9, "layers": [
              {"type": "conv", "name": "dense", "channels": 5}, {"type": "batchNorm"}, {"type": "gelu"},
              {"type": "conv", "name": "strided", "channels": 4, "stride": 2}, {"type": "batchNorm"}, {"type": "gelu"},
              {"type": "conv", "name": "depthwise", "channels": "same", "groups": "depthwise"}, {"type": "gelu"},
              {"type": "globalAveragePool"}, {"type": "linear", "outputs": "classes"}]}
            """;

    public final Backend backend;
    public final Cost cost;
    final Network network;
    public final SynthesisedWeights weights;
    final Tensor images;
    final Tensor labels;
    private final Arena arena;

    public SmallSearch(DataType type, String budget, SearchSettings settings) {
        this(CpuBackend.open(1), type, budget, settings);
    }

    public SmallSearch(Backend backend, DataType type, String budget, SearchSettings settings) {
        this.backend = backend;
        arena = new Arena(backend.memory());
        NetworkPlan plan = NetworkPlan.of(Architecture.parse(NETWORK, "test"), new NetworkPlan.Input(9, 7, 2, 3));
        cost = Cost.parameters(backend, plan);
        network = new Network(backend, plan, type, 5);
        weights = BudgetRange.isRange(budget)
                ? RangeWeights.of(backend, type, cost, BudgetRange.parse(budget, Budget.BY_UNIT), settings, 7)
                : SynthesisedWeights.of(backend, type, cost, Budget.parse(budget), settings, 7);
        Random random = new Random(3);
        images = Tensor.allocate(backend.memory(), type, Shape.of(6, 9, 7, 2));
        backend.write(images, random.doubles(images.count(), -1, 1).toArray());
        labels = Tensor.allocate(backend.memory(), DataType.I32, Shape.of(6));
        backend.write(labels, new int[] {0, 1, 2, 2, 1, 0});
    }

    public static NetworkPlan plan(String architecture, int height, int width, int channels, int classes) {
        return NetworkPlan.of(
                Architecture.named(architecture), new NetworkPlan.Input(height, width, channels, classes));
    }

    /** The same size in every layer. */
    public static double[] uniform(Cost cost, double v) {
        return cost.layers().stream().mapToDouble(layer -> v).toArray();
    }

    /** A step's tape and its loss, not yet run backwards. */
    public record Run(Tape tape, Variable loss) {}

    public Run run(Progress progress) {
        arena.reset();
        Tape tape = new Tape(backend, arena, true);
        weights.begin(tape, progress);
        Variable logits = network.forward(tape, tape.constant(images), weights, 11);
        Variable loss = Ops.softmaxCrossEntropy(tape, logits, labels, 0.1).loss();
        return new Run(
                tape,
                weights.penalty().map(penalty -> Ops.sum(tape, loss, penalty)).orElse(loss));
    }

    /** What the steps so far hold. */
    public long stepBytes() {
        return arena.bytes();
    }

    public double loss(Progress progress) {
        return backend.readDoubles(run(progress).loss().value())[0];
    }

    @Override
    public void close() {
        arena.close();
        weights.close();
        network.close();
        images.close();
        labels.close();
        backend.close();
    }
}

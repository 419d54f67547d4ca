package org.effconv.latency;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.effconv.autodiff.Ops;
import org.effconv.autodiff.Parameter;
import org.effconv.autodiff.Tape;
import org.effconv.autodiff.Variable;
import org.effconv.backend.Backend;
import org.effconv.backend.Compute;
import org.effconv.backend.OptimizerRule;
import org.effconv.latency.LatencyTable.Pass;
import org.effconv.nn.Network;
import org.effconv.nn.NetworkPlan;
import org.effconv.tensor.Arena;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;
import org.effconv.train.Optimizer;
import org.effconv.train.OptimizerSettings;
import org.effconv.train.Schedule;
import org.effconv.train.TrainedWeights;

/** Times whole networks of given sizes: a training step or a forward pass on one batch of noise. */
public final class NetworkTime {
    private static final int PIECE = 1 << 22; // elements written at once
    private static final int WARM_UP = 1; // every shape's code is made then

    private NetworkTime() {}

    /**
     * Milliseconds of a batch for each of some networks: all in turn, as often as {@code repeats}; the lower quartile
     * counts.
     */
    public static double[] milliseconds(
            Compute compute, NetworkPlan plan, List<int[]> networks, Pass pass, int batch, int repeats) {
        double[][] samples = new double[networks.size()][repeats];
        for (int round = 0; round < repeats; round++) {
            for (int i = 0; i < samples.length; i++) {
                samples[i][round] = sample(compute, plan, networks.get(i), pass, batch);
            }
        }
        return Arrays.stream(samples)
                .mapToDouble(LatencyMeasurement::lowerQuartile)
                .toArray();
    }

    /** Milliseconds of one batch, after another to warm up. */
    static double sample(Compute compute, NetworkPlan plan, int[] sizes, Pass pass, int batch) {
        Backend backend = compute.backend();
        NetworkPlan.Input in = plan.input();
        try (Network network = new Network(backend, plan, compute.activationType(), 1);
                TrainedWeights weights = new TrainedWeights(backend, plan, sizes, compute.activationType(), 1);
                Optimizer optimizer = optimizer(backend, network, weights);
                Arena inputs = new Arena(backend.memory());
                Arena arena = new Arena(backend.memory())) {
            Tensor x =
                    inputs.allocate(compute.activationType(), Shape.of(batch, in.height(), in.width(), in.channels()));
            Tensor labels = inputs.allocate(DataType.I32, Shape.of(batch));
            noise(backend, x, 1);
            backend.write(labels, new Random(1).ints(batch, 0, in.classes()).toArray());
            double last = 0;
            for (int i = 0; i <= WARM_UP; i++) {
                long start = System.nanoTime();
                arena.reset();
                Tape tape = new Tape(backend, arena, pass == Pass.TRAINING);
                Variable logits = network.forward(tape, tape.constant(x), weights, 1);
                Variable loss = Ops.softmaxCrossEntropy(tape, logits, labels, 0).loss();
                if (pass == Pass.TRAINING) {
                    tape.backward(loss);
                    double unused = optimizer.step(tape::gradient, p -> 1, 1).getAsDouble(); // waits for it
                }
                backend.readDoubles(loss.value()); // computed by then
                last = (System.nanoTime() - start) / 1e6;
            }
            return last;
        }
    }

    /** Fills a tensor with values from -0.5 to 0.5, piece by piece: a batch may hold more than an array. */
    static void noise(Backend backend, Tensor t, long seed) {
        Random random = new Random(seed);
        for (long done = 0; done < t.count(); done += PIECE) {
            float[] piece = new float[(int) Math.min(PIECE, t.count() - done)];
            for (int i = 0; i < piece.length; i++) {
                piece[i] = random.nextFloat() - 0.5f;
            }
            backend.write(t.slice(done, Shape.of(piece.length)), piece);
        }
    }

    private static Optimizer optimizer(Backend backend, Network network, TrainedWeights weights) {
        List<Parameter> parameters = new ArrayList<>(network.parameters());
        parameters.addAll(weights.parameters());
        return new Optimizer(
                backend, new OptimizerSettings(OptimizerRule.adamW(), 1e-4, 0, Schedule.constant(0)), parameters);
    }
}

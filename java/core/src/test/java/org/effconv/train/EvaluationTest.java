package org.effconv.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import org.effconv.backend.Backend;
import org.effconv.backend.cpu.CpuBackend;
import org.effconv.data.Dataset;
import org.effconv.data.Datasets;
import org.effconv.nn.Architecture;
import org.effconv.nn.Network;
import org.effconv.nn.NetworkPlan;
import org.effconv.nn.WeightSource.Progress;
import org.effconv.tensor.DataType;
import org.junit.jupiter.api.Test;

class EvaluationTest {
    @Test
    void aBlindGuessErrsAsMuchAsItsLoss() {
        Evaluation.Batches batches = new Evaluation.Batches(new double[3], new double[] {0, 0.45, 0.9});
        assertArrayEquals(new double[] {0, Math.log(10) / 2, Math.log(10)}, batches.errorsAsLosses(10), 1e-12);
    }

    @Test
    void batchesAreTheSameAtEveryCallAndNoMoreThanAsked() {
        Dataset data = Datasets.open("planted:3,train=100,test=8,size=12");
        try (Backend backend = CpuBackend.open(1)) {
            NetworkPlan plan = Architecture.named("planted3")
                    .plan(new NetworkPlan.Input(data.height(), data.width(), data.channels(), data.classes()));
            try (Network network = new Network(backend, plan, DataType.F32, 1);
                    TrainedWeights weights = new TrainedWeights(backend, plan, new int[] {3, 3, 3}, DataType.F32, 1)) {
                Evaluation.Batches first = batches(backend, network, weights, data, 100);
                assertEquals(6, first.losses().length, "full batches only");
                Evaluation.Batches two = batches(backend, network, weights, data, 2);
                assertArrayEquals(Arrays.copyOf(first.losses(), 2), two.losses(), 0);
                assertArrayEquals(Arrays.copyOf(first.errors(), 2), two.errors(), 0);
                assertTrue(
                        Arrays.stream(first.errors()).allMatch(e -> e >= 0 && e <= 1 && e * 16 == Math.rint(e * 16)));
            }
        }
    }

    @Test
    void aStopIsHeardBetweenTwoBatches() {
        Dataset data = Datasets.open("planted:3,train=100,test=8,size=12");
        StopSignal stop = new StopSignal();
        try (Backend backend = CpuBackend.open(1)) {
            NetworkPlan plan = Architecture.named("planted3")
                    .plan(new NetworkPlan.Input(data.height(), data.width(), data.channels(), data.classes()));
            try (Network network = new Network(backend, plan, DataType.F32, 1);
                    TrainedWeights weights = new TrainedWeights(backend, plan, new int[] {3, 3, 3}, DataType.F32, 1)) {
                stop.request();
                assertEquals(
                        "stopped in an evaluation",
                        assertThrows(
                                        StopSignal.Stopped.class,
                                        () -> Evaluation.of(
                                                backend,
                                                network,
                                                weights,
                                                new Progress(0, 1),
                                                data.test(),
                                                Normalisation.of(data),
                                                4,
                                                stop))
                                .getMessage());
                assertThrows(
                        StopSignal.Stopped.class,
                        () -> Evaluation.batches(
                                backend,
                                network,
                                weights,
                                new Progress(0, 1),
                                data.train(),
                                Normalisation.of(data),
                                16,
                                3,
                                2,
                                stop));
            }
        }
    }

    private static Evaluation.Batches batches(
            Backend backend, Network network, TrainedWeights weights, Dataset data, int most) {
        return Evaluation.batches(
                backend,
                network,
                weights,
                new Progress(0, 1),
                data.train(),
                Normalisation.of(data),
                16,
                3,
                most,
                new StopSignal());
    }
}

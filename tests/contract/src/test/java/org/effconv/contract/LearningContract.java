package org.effconv.contract;

import static org.junit.jupiter.api.Assertions.*;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.function.Function;
import org.effconv.Device;
import org.effconv.KernelSizeSearch;
import org.effconv.Learning;
import org.effconv.LearningResult;
import org.effconv.SearchResult;
import org.effconv.Settings;
import org.effconv.Training;
import org.effconv.TrainingResult;
import org.effconv.backend.Backend;
import org.effconv.backend.LateReading;
import org.effconv.backend.cpu.CpuBackend;
import org.effconv.data.Dataset;
import org.effconv.data.Datasets;
import org.effconv.nn.Architecture;
import org.effconv.tensor.DataType;
import org.effconv.train.TrainingListener;
import org.junit.jupiter.api.Test;

/** A short search and a short training as a user runs them, and the loss beside that of the CPU in fp64. */
class LearningContract extends BackendContract {
    private static final Architecture NETWORK = Architecture.parse(
            """
            {"name": "contract", "kmax": 7, "layers": [
              {"type": "conv", "name": "dense", "channels": 4}, {"type": "batchNorm"}, {"type": "relu"},
              {"type": "pool", "kind": "max", "size": 2},
              {"type": "conv", "name": "strided", "channels": 6, "stride": 2}, {"type": "batchNorm"}, {"type": "gelu"},
              {"type": "conv", "name": "depthwise", "channels": "same", "groups": "depthwise"}, {"type": "gelu"},
              {"type": "dropout", "rate": 0.1},
              {"type": "globalAveragePool"}, {"type": "linear", "outputs": "classes"}]}
            """,
            "contract");
    private static final int[] SIZES = {5, 3, 7};
    private static final int STEPS = 50;

    private static final Dataset DATA = Datasets.open("planted:3,train=40,test=16,size=9,noise=5");

    private static Training training(int epochs) {
        return Training.of(NETWORK, SIZES)
                .batch(8)
                .epochs(epochs)
                .seed(3)
                .learningRate(0.002)
                .set(Settings.CLIP, 1.0);
    }

    // Sizes that move by their gradient under a smooth mask: rounding then grows slowly, while the steady update
    // decides by
    // comparisons, which rounding may turn.
    private static KernelSizeSearch search(int epochs) {
        return KernelSizeSearch.of(NETWORK)
                .budget("k5")
                .set(Settings.FLOW, "two-stage")
                .set(Settings.SIZE_UPDATE, "gradient")
                .set(Settings.MASK, "sigmoid")
                .batch(8)
                .epochs(epochs)
                .seed(3)
                .learningRate(0.002);
    }

    /** Losses of all steps but each epoch's last. */
    private static TrainingListener into(List<Double> losses) {
        return new TrainingListener() {
            @Override
            public void onBatch(String phase, int epoch, int batch, double loss) {
                if (!Double.isNaN(loss)) {
                    losses.add(loss);
                }
            }
        };
    }

    /** The run on a device over this backend, which is then closed and opened anew for whoever comes next. */
    private <T> T on(Backend over, DataType type, Function<Device, T> run) {
        T result;
        try (Device device = Device.over(over, type)) {
            result = run.apply(device);
        }
        assertEquals(0, over.liveBytes(), "live bytes after the run");
        return result;
    }

    private <T> T onTested(DataType type, Function<Device, T> run) {
        return on(provider().open(), type, run);
    }

    private List<Double> trainingLosses(Backend over, DataType type, int epochs) {
        List<Double> losses = new ArrayList<>();
        return on(over, type, device -> {
            try (TrainingResult result = training(epochs).listener(into(losses)).run(device, DATA)) {
                losses.add(result.testLoss());
            }
            return losses;
        });
    }

    private record Searched(List<Double> losses, List<Double> sizes) {}

    private Searched searched(Backend over, DataType type, int epochs) {
        return searched(over, type, search(epochs));
    }

    private Searched searched(Backend over, DataType type, KernelSizeSearch search) {
        List<Double> losses = new ArrayList<>();
        return on(over, type, device -> {
            double[] sizes = search.listener(into(losses)).run(device, DATA).softSizes();
            return new Searched(losses, Arrays.stream(sizes).boxed().toList());
        });
    }

    private static KernelSizeSearch steady() {
        return search(4).set(Settings.SIZE_UPDATE, "steady").set(Settings.MASK, "ramp");
    }

    private Set<DataType> trainingTypes() {
        Set<DataType> types = EnumSet.copyOf(productTypes());
        types.remove(DataType.F64); // that is the reference
        return types;
    }

    /** Relative difference of losses after {@link #STEPS} steps that rounding alone explains, with room. */
    private static double lossTolerance(DataType type) {
        return type == DataType.F32 ? 1e-4 : 6e-2;
    }

    /**
     * The same of soft sizes. They follow the sum of many pulls over the pulls' own scale, so that rounding which
     * hardly shows in a loss adds up in them.
     */
    private static double sizeTolerance(DataType type) {
        return type == DataType.F32 ? 1e-4 : 0.15;
    }

    private static void assertSame(String what, List<Double> expected, List<Double> got, double tolerance) {
        assertEquals(expected.size(), got.size(), what);
        double worst = 0;
        for (int i = 0; i < expected.size(); i++) {
            worst = Math.max(worst, Math.abs(got.get(i) - expected.get(i)) / Math.max(0.1, Math.abs(expected.get(i))));
        }
        assertTrue(
                worst <= tolerance,
                what + " differ by up to " + worst + " of " + tolerance + "\nexpected " + expected + "\ngot      "
                        + got);
    }

    @Test
    void fiftyStepsOfATrainingAgreeWithTheCpuInDouble() {
        int epochs = STEPS / 5;
        List<Double> exact = trainingLosses(CpuBackend.open(1), DataType.F64, epochs);
        for (DataType type : trainingTypes()) {
            assertSame(
                    "losses of a training in " + type,
                    exact,
                    trainingLosses(provider().open(), type, epochs),
                    lossTolerance(type));
        }
    }

    @Test
    void fiftyStepsOfASearchAgreeWithTheCpuInDouble() {
        int epochs = STEPS / 5;
        Searched exact = searched(CpuBackend.open(1), DataType.F64, epochs);
        for (DataType type : trainingTypes()) {
            Searched got = searched(provider().open(), type, epochs);
            assertSame("losses of a search in " + type, exact.losses, got.losses, lossTolerance(type));
            assertSame("sizes of a search in " + type, exact.sizes, got.sizes, sizeTolerance(type));
        }
    }

    @Test
    void twoRunsOfOneSeedAreBitEqual() {
        for (DataType type : trainingTypes()) {
            assertEquals(
                    trainingLosses(provider().open(), type, 2),
                    trainingLosses(provider().open(), type, 2),
                    "training in " + type);
            assertEquals(
                    searched(provider().open(), type, 2), searched(provider().open(), type, 2), "search in " + type);
        }
    }

    // Short, as rounding may turn the update's comparisons.
    @Test
    void aSteadySearchIsTheCpusReadAsLateAsHereAndTheSameTwice() {
        for (DataType type : trainingTypes()) {
            Searched got = searched(provider().open(), type, steady());
            assertEquals(got, searched(provider().open(), type, steady()), "two runs in " + type);
            if (type == DataType.F32) {
                Backend cpu = CpuBackend.open(1);
                Searched expected = searched(backend.readsLate() ? LateReading.of(cpu) : cpu, type, steady());
                assertSame("losses", expected.losses, got.losses, 1e-3);
                assertSame("sizes", expected.sizes, got.sizes, 1e-2);
            }
        }
    }

    /**
     * The survivor of the candidates goes on as if nothing had been chosen: its training is the plain one of its sizes,
     * bit for bit.
     */
    @Test
    void oneRunEndsAsThePlainTrainingOfItsSizes() {
        for (DataType type : trainingTypes()) {
            onTested(type, device -> {
                Learning learning = Learning.of(
                                Settings.standard()
                                        .with(Settings.BUDGET, "k5")
                                        .with(Settings.COST, "macs")
                                        .with(Settings.SEARCH_EPOCHS, 20),
                                NETWORK)
                        .batch(8)
                        .epochs(8)
                        .seed(3)
                        .learningRate(0.002);
                try (LearningResult result = learning.run(device, DATA);
                        TrainingResult plain = Training.of(
                                        NETWORK, result.search().sizes())
                                .batch(8)
                                .epochs(8)
                                .seed(3)
                                .learningRate(0.002)
                                .run(device, DATA)) {
                    assertTrue(
                            result.search().candidates().size() > 1
                                    && result.search().steps() >= 16,
                            "a probe and candidates: " + result.search().candidatesToJson());
                    assertEquals(plain.testLoss(), result.learned().testLoss(), "in " + type);
                }
                return null;
            });
        }
    }

    @Test
    void foundSizesMeetTheBudgetAndTheirNetworkTrains() {
        for (DataType type : trainingTypes()) {
            int[] sizes = onTested(type, device -> {
                SearchResult found = search(2).run(device, DATA);
                assertTrue(Math.abs(found.parameters() / found.budget() - 1) <= 0.02, found.toString());
                try (TrainingResult result = Training.of(NETWORK, found.sizes())
                        .batch(8)
                        .epochs(1)
                        .warmStart(found)
                        .run(device, DATA)) {
                    assertEquals(
                            result.testAccuracy(),
                            result.model().evaluate(DATA.test(), 7).accuracy(),
                            1e-9);
                }
                return found.sizes();
            });
            assertEquals(3, sizes.length);
        }
    }
}

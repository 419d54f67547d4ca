package org.effconv.backend.cuda;

import static org.junit.jupiter.api.Assertions.*;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Supplier;
import org.effconv.BudgetRangeSearch;
import org.effconv.Device;
import org.effconv.KernelSizeSearch;
import org.effconv.SearchResult;
import org.effconv.Settings;
import org.effconv.backend.LateReading;
import org.effconv.backend.cpu.CpuBackend;
import org.effconv.data.Dataset;
import org.effconv.data.Datasets;
import org.effconv.nn.Architecture;
import org.effconv.tensor.DataType;
import org.effconv.train.EpochMetrics;
import org.effconv.train.TrainingListener;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A search whose steps are recorded and replayed, beside one that runs them launch by launch, and beside the CPU. */
class RecordedSearchTest {
    private static final Architecture NETWORK = Architecture.parse(
            """
            {"name": "small", "kmax": 7, "layers": [
              {"type": "conv", "name": "dense", "channels": 4}, {"type": "batchNorm"}, {"type": "relu"},
              {"type": "conv", "name": "depthwise", "channels": "same", "groups": "depthwise", "stride": 2}, {"type": "gelu"},
              {"type": "dropout", "rate": 0.2},
              {"type": "globalAveragePool"}, {"type": "linear", "outputs": "classes"}]}
            """,
            "test");
    private static final Dataset DATA = Datasets.open("planted:3,train=40,test=8,size=7,noise=5");
    private static final int EPOCHS = 4;

    private static KernelSizeSearch search() {
        return KernelSizeSearch.of(NETWORK)
                .budget("k5")
                .set(Settings.FLOW, "two-stage")
                .batch(4)
                .epochs(EPOCHS)
                .seed(5)
                .learningRate(0.01);
    }

    private static final class Losses implements TrainingListener {
        final List<Double> losses = new ArrayList<>();
        final CudaBackend cuda;
        int recorded;

        Losses(Device device) {
            cuda = device.backend() instanceof CudaBackend backend ? backend : null;
        }

        @Override
        public void onBatch(String phase, int epoch, int batch, double loss) {
            if (!Double.isNaN(loss)) {
                losses.add(loss);
            }
            recorded = cuda == null ? 0 : Math.max(recorded, cuda.recordedSteps());
        }

        @Override
        public void onEpoch(EpochMetrics metrics) {
            losses.add(metrics.gradientNorm());
            losses.addAll(metrics.softSizes());
        }
    }

    private record Searched(List<Double> losses, List<Double> soft, int[] sizes, int recorded) {}

    private static Searched run(Device device, KernelSizeSearch search) {
        Losses losses = new Losses(device);
        SearchResult result = search.listener(losses).run(device, DATA);
        return new Searched(
                losses.losses, Arrays.stream(result.softSizes()).boxed().toList(), result.sizes(), losses.recorded);
    }

    private static Searched onHostDriver(boolean graphs, DataType type, KernelSizeSearch search) {
        HostDriver driver = new HostDriver();
        try (Device device =
                Device.over(CudaBackend.over(driver, CudaOptions.standard().withGraphs(graphs)), type)) {
            return run(device, search);
        } finally {
            assertEquals(0, driver.blocks());
            assertEquals(0, driver.graphs());
        }
    }

    private static Searched runRange(Device device) {
        Losses losses = new Losses(device);
        BudgetRangeSearch.of(Settings.standard().with(Settings.BUDGET, "any:k3..k7"), NETWORK)
                .batch(4)
                .epochs(EPOCHS)
                .seed(5)
                .learningRate(0.01)
                .listener(losses)
                .run(device, DATA);
        return new Searched(
                losses.losses, List.of(), new int[0], losses.recorded); // soft sizes are among what an epoch says
    }

    private static Searched runRangeOnHostDriver(boolean graphs) {
        HostDriver driver = new HostDriver();
        try (Device device =
                Device.over(CudaBackend.over(driver, CudaOptions.standard().withGraphs(graphs)), DataType.F32)) {
            return runRange(device);
        }
    }

    private static void assertSame(Searched expected, Searched got) {
        assertEquals(expected.losses, got.losses);
        assertEquals(expected.soft, got.soft);
        assertArrayEquals(expected.sizes, got.sizes);
    }

    private static void checkRecorded(DataType type, Supplier<KernelSizeSearch> search) {
        Searched recorded = onHostDriver(true, type, search.get());
        assertTrue(
                recorded.recorded >= 2, "steps, and those of the size predictor, were recorded: " + recorded.recorded);
        Searched eager = onHostDriver(false, type, search.get());
        assertEquals(0, eager.recorded);
        assertSame(eager, recorded);
    }

    @Test
    void replayedStepsGiveTheSameBits() {
        checkRecorded(DataType.F32, RecordedSearchTest::search);
        checkRecorded(DataType.BF16, RecordedSearchTest::search);
        checkRecorded(
                DataType.F32, () -> search().set(Settings.PREDICTOR, "elastic").set(Settings.CLIP, 0.5));
        checkRecorded(DataType.F32, () -> search().set(Settings.SIZE_PREDICTOR, "none")
                .set(Settings.MASK, "gaussian"));
    }

    @Test
    void stepsOfARangeAreReplayedToo() {
        Searched recorded = runRangeOnHostDriver(true);
        assertTrue(recorded.recorded > 2, "steps at several budgets: " + recorded.recorded);
        assertSame(runRangeOnHostDriver(false), recorded);
        try (Device device = Device.over(LateReading.of(CpuBackend.open(1)), DataType.F32)) {
            Searched cpu = runRange(device);
            for (int i = 0; i < cpu.losses.size(); i++) {
                assertEquals(
                        cpu.losses.get(i), recorded.losses.get(i), 1e-3 * Math.abs(cpu.losses.get(i)), "number " + i);
            }
        }
    }

    @Test
    void aSearchThatGoesOnEndsWithTheSameBits(@TempDir Path folder) {
        Searched whole = onHostDriver(true, DataType.F32, search());
        HostDriver driver = new HostDriver();
        try (Device device = Device.over(CudaBackend.over(driver, CudaOptions.standard()), DataType.F32)) {
            TrainingListener killer = new TrainingListener() {
                @Override
                public void onBatch(String phase, int epoch, int batch, double loss) {
                    if (epoch == 4 && batch == 3) {
                        throw new IllegalStateException("killed");
                    }
                }
            };
            assertThrows(
                    IllegalStateException.class,
                    () -> search().out(folder.resolve("run")).listener(killer).run(device, DATA));
        }
        Searched rest = onHostDriver(true, DataType.F32, KernelSizeSearch.resume(folder.resolve("run")));
        assertEquals(whole.losses.subList(whole.losses.size() - rest.losses.size(), whole.losses.size()), rest.losses);
        assertFalse(rest.losses.isEmpty());
        assertEquals(whole.soft, rest.soft);
        assertArrayEquals(whole.sizes, rest.sizes);
    }

    @Test
    void theNumbersAreThoseOfACpuThatReadsLate() {
        Searched cuda = onHostDriver(true, DataType.F32, search());
        try (Device device = Device.over(LateReading.of(CpuBackend.open(1)), DataType.F32)) {
            Searched cpu = run(device, search());
            assertEquals(cpu.losses.size(), cuda.losses.size());
            for (int i = 0; i < cpu.losses.size(); i++) {
                assertEquals(cpu.losses.get(i), cuda.losses.get(i), 1e-3 * Math.abs(cpu.losses.get(i)), "number " + i);
            }
            assertArrayEquals(cpu.sizes, cuda.sizes);
        }
    }
}

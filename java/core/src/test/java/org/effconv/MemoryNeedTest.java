package org.effconv;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import org.effconv.data.Dataset;
import org.effconv.data.Datasets;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.latency.LatencyTable;
import org.effconv.nn.Architecture;
import org.effconv.nn.NetworkPlan;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Networks that no machine has memory for are refused before any of it is taken. */
class MemoryNeedTest {
    private static final Dataset DATA = Datasets.open("planted:3,train=32,test=16,size=8");

    // 24 hidden layers of 400 million weights: within the limits of networks, 115 GB with the optimiser's moments.
    private static final Architecture LARGE = Architecture.parse(
            "{\"name\": \"large\", \"kmax\": 3, \"layers\": ["
                    + "{\"type\": \"conv\", \"channels\": 4}, {\"type\": \"globalAveragePool\"}, {\"type\": \"linear\", \"outputs\": 20000},"
                    + "{\"type\": \"repeat\", \"times\": 24, \"layers\": [{\"type\": \"linear\", \"outputs\": 20000}]},"
                    + "{\"type\": \"linear\", \"outputs\": \"classes\"}]}",
            "large.json");

    @Test
    void jobsBeyondTheMachineAreRefusedBeforeAnythingIsWritten(@TempDir Path folder) {
        Settings settings = Settings.standard()
                .with(Settings.BATCH, 4)
                .with(Settings.THREADS, 1)
                .with(Settings.DEVICE, "cpu");
        Path out = folder.resolve("run");
        try (Device device = Device.open(settings)) {
            refused(() -> Training.of(settings, LARGE, new int[] {3}).out(out).run(device, DATA));
            refused(() -> KernelSizeSearch.of(settings.with(Settings.BUDGET, "k3"), LARGE)
                    .out(out)
                    .run(device, DATA));
            refused(() -> Learning.of(settings.with(Settings.BUDGET, "k3"), LARGE)
                    .out(out)
                    .run(device, DATA));
            refused(() -> BudgetRangeSearch.of(settings.with(Settings.BUDGET, "any:k1..k3"), LARGE)
                    .out(out)
                    .run(device, DATA));
            refused(() -> device.measureLatency(
                    LARGE.plan(new NetworkPlan.Input(8, 8, 1, 2)), LatencyTable.Pass.TRAINING, Integer.MAX_VALUE, 1));
            assertEquals(0, device.liveBytes());
        }
        assertFalse(Files.exists(out));
    }

    private static void refused(Runnable job) {
        InvalidInput e = assertThrows(InvalidInput.class, job::run);
        assertTrue(
                e.getMessage().matches("large: .* (memory left|Java heap).* at least .* MB.*; expected .*"),
                e.getMessage());
    }

    @Test
    void whatASearchLearnsForAKernelIsLimited() {
        Architecture wide = Architecture.parse(
                "{\"name\": \"wide\", \"kmax\": 1, \"layers\": [{\"type\": \"conv\", \"channels\": 5000},"
                        + "{\"type\": \"conv\", \"channels\": 5000}, {\"type\": \"globalAveragePool\"}, {\"type\": \"linear\", \"outputs\": \"classes\"}]}",
                "wide.json");
        Settings settings = Settings.standard()
                .with(Settings.BUDGET, "k1")
                .with(Settings.THREADS, 1)
                .with(Settings.DEVICE, "cpu");
        try (Device device = Device.open(settings)) {
            InvalidInput e = assertThrows(InvalidInput.class, () -> KernelSizeSearch.of(settings, wide)
                    .run(device, DATA));
            assertEquals(
                    "wide.json: layer conv2: 800,000,000 values that a search learns in place of its kernels; expected at most 500,000,000",
                    e.getMessage());
        }
    }
}

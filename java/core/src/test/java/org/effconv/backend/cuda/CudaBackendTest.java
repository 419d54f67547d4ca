package org.effconv.backend.cuda;

import static org.junit.jupiter.api.Assertions.*;

import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.effconv.Device;
import org.effconv.Training;
import org.effconv.backend.Activation;
import org.effconv.backend.Convolution;
import org.effconv.backend.OptimizerRule;
import org.effconv.backend.OptimizerSlot;
import org.effconv.backend.Pooling;
import org.effconv.data.Dataset;
import org.effconv.data.Datasets;
import org.effconv.error.EffconvException;
import org.effconv.error.EffconvException.DeviceLost;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.error.EffconvException.MissingNative;
import org.effconv.error.EffconvException.OutOfDeviceMemory;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;
import org.junit.jupiter.api.Test;

/** What the backend asks of a driver, by one that only writes it down. */
class CudaBackendTest {
    private static final Pooling MAX = new Pooling(Pooling.Kind.MAX, 2, 2, 0);

    private final RecordingDriver driver = new RecordingDriver();

    private CudaBackend open() {
        return CudaBackend.over(driver, CudaOptions.standard());
    }

    private static Tensor tensor(CudaBackend backend, DataType type, int... dims) {
        return Tensor.allocate(backend.memory(), type, Shape.of(dims));
    }

    // ---- launches ---------------------------------------------------------------------------------------------

    @Test
    void anOperationIsALaunchWithItsTensorsAddresses() {
        try (CudaBackend backend = open();
                Tensor x = tensor(backend, DataType.BF16, 2, 4, 4, 8);
                Tensor y = tensor(backend, DataType.BF16, 2, 2, 2, 8)) {
            backend.pool(MAX, x, y);
            assertEquals(1, driver.launches.size());
            RecordingDriver.Launch launch = driver.launches.get(0);
            assertEquals("ec_pool_forward_bf16", launch.kernel());
            assertEquals(256, launch.threads());
            assertTrue(launch.blocks() >= 1);
            assertTrue(launch.names(x.address()) && launch.names(y.address()));
            assertEquals(
                    List.of("loadModule pool", "function ec_pool_forward_bf16", "launch ec_pool_forward_bf16"),
                    driver.calls.subList(driver.calls.size() - 3, driver.calls.size()));
        }
    }

    @Test
    void oneStreamAndNoWaitingButForReads() {
        try (CudaBackend backend = open();
                Tensor x = tensor(backend, DataType.F32, 1, 4, 4, 3);
                Tensor w = tensor(backend, DataType.F32, 5, 3, 3, 3);
                Tensor y = tensor(backend, DataType.F32, 1, 4, 4, 5)) {
            backend.write(x, new float[48]);
            backend.write(w, new float[135]);
            backend.convolution(Convolution.PLAIN, x, w, null, y);
            backend.convolutionDataGradient(Convolution.PLAIN, y, w, x);
            backend.convolutionWeightGradient(Convolution.PLAIN, x, y, w, null);
            assertEquals(1, driver.count("createStream"));
            assertEquals(
                    1,
                    driver.launches.stream()
                            .map(RecordingDriver.Launch::stream)
                            .distinct()
                            .count());
            assertEquals(0, driver.count("synchronise"));
            assertTrue(driver.calls.indexOf("copyToDevice 192")
                    < driver.calls.indexOf("launch " + driver.launches.get(0).kernel()));
            backend.readFloats(y);
            assertEquals(1, driver.count("synchronise"));
        }
    }

    @Test
    void workIsTimedByTheCardsOwnClock() {
        try (CudaBackend backend = open();
                Tensor x = tensor(backend, DataType.F32, 8)) {
            backend.activation(Activation.RELU, x, x);
            int from = driver.calls.size();
            assertEquals(
                    RecordingDriver.SECONDS_BETWEEN, backend.seconds(() -> backend.activation(Activation.RELU, x, x)));
            List<String> calls = driver.calls.subList(from, driver.calls.size());
            List<String> order = calls.stream()
                    .filter(c -> c.matches("record|launch .*|secondsBetween"))
                    .map(c -> c.split(" ")[0])
                    .toList();
            assertEquals(List.of("record", "launch", "record", "secondsBetween"), order);
            assertEquals(
                    0, calls.stream().filter(c -> c.startsWith("synchronise")).count());
            assertEquals(2, calls.stream().filter("destroyEvent"::equals).count());
        }
    }

    @Test
    void modulesAreLoadedOnceAndOnlyThoseUsed() {
        try (CudaBackend backend = open();
                Tensor x = tensor(backend, DataType.F32, 1, 4, 4, 3);
                Tensor y = tensor(backend, DataType.F32, 1, 2, 2, 3)) {
            backend.pool(MAX, x, y);
            backend.pool(MAX, x, y);
            backend.poolGradient(MAX, x, y, x);
            assertEquals(1, driver.count("loadModule"));
            assertEquals(2, driver.count("function"));
        }
    }

    @Test
    void valuesReadLaterAreWaitedForAlone() {
        try (CudaBackend backend = open();
                Tensor loss = tensor(backend, DataType.F32, 1)) {
            Supplier<double[]> later = backend.readLater(loss);
            assertEquals(0, driver.count("synchroniseEvent"));
            assertArrayEquals(new double[] {0}, later.get());
            assertArrayEquals(new double[] {0}, later.get());
            assertEquals(1, driver.count("synchroniseEvent"));
            assertEquals(0, driver.count("synchronise"));
        }
    }

    @Test
    void anUpdateLeavesItsNormForLater() {
        try (CudaBackend backend = open();
                Tensor p = tensor(backend, DataType.F32, 10);
                Tensor g = tensor(backend, DataType.F32, 10);
                Tensor m = tensor(backend, DataType.F32, 10)) {
            backend.update(OptimizerRule.sgd(0.9), 1, List.of(new OptimizerSlot(p, g, m, null, 0.1, 0)));
            assertEquals(
                    List.of("ec_optimizer_norm", "ec_optimizer_step"),
                    driver.launches.stream().map(RecordingDriver.Launch::kernel).toList());
            assertEquals(0, driver.count("synchronise"));
        }
    }

    /** A table larger than the ring gets memory of its own, which is freed in the order of the stream. */
    @Test
    void aLargeTablePassesThroughMemoryOfItsOwn() {
        int count = 600_000_000; // 16 bytes of table for each 2048
        try (CudaBackend backend = open();
                Tensor p = tensor(backend, DataType.F32, count);
                Tensor g = tensor(backend, DataType.F32, count);
                Tensor m = tensor(backend, DataType.F32, count)) {
            long before = backend.liveBytes();
            backend.optimizerStep(OptimizerRule.sgd(0.9), 1, List.of(new OptimizerSlot(p, g, m, null, 0.1, 0)));
            long table = driver.calls.stream()
                    .filter(c -> c.startsWith("allocate "))
                    .mapToLong(c -> Long.parseLong(c.substring(9)))
                    .filter(bytes -> bytes > 16L * (count / 2048) && bytes < 17L * (count / 2048))
                    .findFirst()
                    .orElseThrow();
            assertEquals((table + PinnedRing.HALF - 1) / PinnedRing.HALF, driver.count("copyToDevice"), "pieces");
            assertEquals(1, driver.count("free"), "the table");
            assertTrue(driver.calls.lastIndexOf("free") > driver.calls.lastIndexOf("launch ec_optimizer_step"));
            assertTrue(backend.liveBytes() - before < table, "only workspace and the norm are kept");
        }
    }

    @Test
    void fp64IsRefused() {
        try (CudaBackend backend = open();
                Tensor x = tensor(backend, DataType.F64, 4)) {
            for (org.junit.jupiter.api.function.Executable use : List.<org.junit.jupiter.api.function.Executable>of(
                    () -> backend.activation(Activation.RELU, x, x),
                    () -> backend.readDoubles(x),
                    () -> backend.fill(x, 1))) {
                String message =
                        assertThrows(IllegalArgumentException.class, use).getMessage();
                assertTrue(message.contains("F64") && message.contains("CPU"), message);
            }
            assertEquals(0, driver.launches.size());
        }
    }

    // ---- opening and closing ----------------------------------------------------------------------------------

    @Test
    void closingGivesEverythingBackAndASecondTimeIsHarmless() {
        CudaBackend backend = open();
        Tensor x = tensor(backend, DataType.F32, 1, 4, 4, 3);
        Tensor y = tensor(backend, DataType.F32, 1, 2, 2, 3);
        backend.write(x, new float[48]);
        backend.batchNormInference(
                x,
                y.slice(0, Shape.of(3)),
                y.slice(4, Shape.of(3)),
                null,
                Activation.NONE,
                1e-5,
                y.slice(8, Shape.of(3)),
                y.slice(4, Shape.of(3)),
                x);
        backend.readLater(y);
        for (int i = 0; i < 3; i++) {
            backend.step("key", () -> {
                backend.pool(MAX, x, y);
                return 1;
            });
        }
        x.close();
        backend.close();
        assertTrue(driver.everythingGivenBack(), driver.device + " " + driver.handles + " " + driver.pinned);
        backend.close();
        y.close();
        assertEquals(0, backend.liveBytes());
        String message = assertThrows(IllegalStateException.class, () -> backend.fill(x, 0))
                .getMessage();
        assertTrue(message.startsWith("use after close: "), message);
    }

    @Test
    void deviceCodeOfAnotherVersionIsRefusedAndNothingIsHeld() {
        driver.manifest = driver.manifest.replaceFirst("\"version\": \"[^\"]*\"", "\"version\": \"0.0.9\"");
        String message = assertThrows(MissingNative.class, this::open).getMessage();
        assertTrue(message.contains("0.0.9") && message.contains("mvn -Pcuda"), message);
        assertTrue(driver.everythingGivenBack());
    }

    @Test
    void aKernelOfAnotherParameterStructIsRefused() {
        driver.manifest =
                driver.manifest.replaceFirst("(\"name\": \"ec_pool_forward_f32\"[^}]*\"parameterBytes\": )\\d+", "$17");
        String message = assertThrows(MissingNative.class, this::open).getMessage();
        assertTrue(message.contains("ec_pool_forward_f32"), message);
    }

    @Test
    void twoThreadsAtOnceAreRefused() throws Exception {
        try (CudaBackend backend = open();
                Tensor x = tensor(backend, DataType.F32, 1)) {
            CountDownLatch inside = new CountDownLatch(1);
            CountDownLatch tried = new CountDownLatch(1);
            Thread first = new Thread(
                    () -> backend.step(null, () -> {
                        inside.countDown();
                        try {
                            return tried.await(20, TimeUnit.SECONDS);
                        } catch (InterruptedException e) {
                            throw new IllegalStateException(e);
                        }
                    }),
                    "the first");
            first.start();
            assertTrue(inside.await(20, TimeUnit.SECONDS));
            String message = assertThrows(IllegalStateException.class, () -> backend.fill(x, 0))
                    .getMessage();
            assertTrue(message.contains("the first"), message);
            tried.countDown();
            first.join();
            backend.fill(x, 0);
        }
    }

    // ---- memory -----------------------------------------------------------------------------------------------

    @Test
    void theLimitIsHardAndThePeakIsKept() {
        driver.free = 1000;
        try (CudaBackend backend =
                CudaBackend.over(driver, CudaOptions.standard().withMemoryLimit(100_000))) {
            long first = backend.memory().allocate(60_000);
            String message = assertThrows(
                            OutOfDeviceMemory.class, () -> backend.memory().allocate(50_000))
                    .getMessage();
            for (String part : List.of(
                    "cuda:7",
                    "50000 bytes",
                    "limit is 100000 bytes",
                    "tensors (60000 bytes)",
                    "1000 bytes of the card's 2000")) {
                assertTrue(message.contains(part), message);
            }
            backend.memory().free(first, 60_000);
            long second = backend.memory().allocate(50_000);
            assertEquals(50_000, backend.liveBytes());
            assertEquals(60_000, backend.peakBytes());
            backend.memory().free(second, 50_000);
        }
    }

    @Test
    void whatWasFreedIsRoom() {
        driver.free = 100_000;
        try (CudaBackend backend = open()) {
            backend.memory().free(backend.memory().allocate(60_000), 60_000);
            assertEquals(100_000, backend.memory().room());
        }
    }

    @Test
    void aJobBeyondTheLimitNamesTheLimit() {
        Dataset data = Datasets.open("planted:3,train=32,test=16,size=8");
        Training training = Training.of("planted3", new int[] {3, 3, 3});
        for (long limit : new long[] {0, 5000}) {
            RecordingDriver card = new RecordingDriver();
            card.free = limit == 0 ? 5000 : 1 << 30;
            try (Device device =
                    Device.over(CudaBackend.over(card, CudaOptions.standard().withMemoryLimit(limit)), DataType.F32)) {
                String message = assertThrows(InvalidInput.class, () -> training.run(device, data))
                        .getMessage();
                assertEquals(limit > 0, message.endsWith(", or a larger --gpu-memory"), message);
            }
        }
    }

    @Test
    void memoryTheCardHoldsBackIsAskedForASecondTime() {
        try (CudaBackend backend = open()) {
            driver.failAllocation(1, 1);
            long address = backend.memory().allocate(100);
            assertEquals(1, driver.count("trim"));
            backend.memory().free(address, 100);
            assertEquals(0, backend.liveBytes());
        }
    }

    @Test
    void whatThePoolKeepsGoesBackOnlyWhenAskedFor() {
        try (CudaBackend backend = open()) {
            tensor(backend, DataType.F32, 100).close();
            assertEquals(0, driver.count("trim"));
            backend.trim();
            assertEquals(
                    List.of("synchronise", "trim"), driver.calls.subList(driver.calls.size() - 2, driver.calls.size()));
        }
    }

    /** A job's results must not be lost over it. */
    @Test
    void trimmingThatFailsIsNoFailure() {
        CudaBackend backend = open();
        Tensor x = tensor(backend, DataType.F32, 100);
        driver.trimming = 900;
        backend.trim();
        backend.fill(x, 1);
        driver.trimming = 719;
        backend.trim();
        assertThrows(DeviceLost.class, () -> backend.fill(x, 1), "the card was lost meanwhile");
        x.close();
        backend.close();
        assertEquals(0, backend.liveBytes());
    }

    /** Each allocation in turn fails; what was open stays usable, and nothing is lost. */
    @Test
    void aFailedAllocationLeavesTheBackendUsable() {
        int failed = 0;
        for (int n = 1; n < 20; n++) {
            RecordingDriver fresh = new RecordingDriver();
            try (CudaBackend backend = CudaBackend.over(fresh, CudaOptions.standard())) {
                fresh.failAllocation(n, 2); // the retry, too
                try {
                    work(backend);
                } catch (OutOfDeviceMemory e) {
                    failed++;
                }
                fresh.failAllocation(0, 0);
                work(backend);
            }
            assertTrue(
                    fresh.everythingGivenBack(),
                    "allocation " + n + ": " + fresh.device + " " + fresh.pinned + " " + fresh.handles);
        }
        assertTrue(failed >= 4, "tensors, workspace, table and recording each fail once; seen: " + failed);
    }

    private static void work(CudaBackend backend) {
        try (Tensor x = tensor(backend, DataType.F32, 1, 8, 8, 4);
                Tensor w = tensor(backend, DataType.F32, 4, 3, 3, 4)) {
            backend.convolutionWeightGradient(Convolution.PLAIN, x, x, w, null);
            try (Tensor images = tensor(backend, DataType.U8, 1, 8, 8, 4);
                    Tensor draws = tensor(backend, DataType.I32, 1, 3)) {
                float[] ones = {1, 1, 1, 1};
                for (int i = 0; i < 3; i++) {
                    backend.step("work", () -> {
                        backend.augment(images, draws, ones, ones, x);
                        return 0;
                    });
                }
            }
        }
    }

    @Test
    void freeingTwiceIsToldNotDone() {
        try (CudaBackend backend = open()) {
            long address = backend.memory().allocate(10);
            backend.memory().free(address, 10);
            assertThrows(IllegalStateException.class, () -> backend.memory().free(address, 10));
        }
    }

    // ---- a lost card ------------------------------------------------------------------------------------------

    @Test
    void aLaunchThatLosesTheCardIsRemembered() {
        CudaBackend backend = open();
        Tensor x = tensor(backend, DataType.F32, 1, 4, 4, 3);
        Tensor y = tensor(backend, DataType.F32, 1, 2, 2, 3);
        driver.failLaunch(2);
        backend.pool(MAX, x, y);
        DeviceLost first = assertThrows(DeviceLost.class, () -> backend.pool(MAX, x, y));
        int calls = driver.calls.size();
        backend.trim();
        DeviceLost later = assertThrows(DeviceLost.class, () -> backend.fill(x, 0));
        assertSame(first, later.getCause(), "the first loss is attached to each later one");
        assertEquals(calls, driver.calls.size(), "the card is not asked again");
        x.close();
        backend.close();
        y.close();
        assertTrue(driver.device.isEmpty());
        assertEquals(0, backend.liveBytes());
    }

    @Test
    void resultsAreToldApartByTheirNumber() {
        assertEquals(CudaFailure.OUT_OF_MEMORY, CudaFailure.of(2));
        for (int sticky : new int[] {214, 700, 702, 709, 710, 714, 715, 716, 717, 718, 719}) {
            assertEquals(CudaFailure.FATAL, CudaFailure.of(sticky), "result " + sticky);
        }
        assertEquals(CudaFailure.NO_IMAGE, CudaFailure.of(209));
        for (int refused : new int[] {1, 400, 500, 701, 801, 900}) {
            assertEquals(CudaFailure.REFUSED, CudaFailure.of(refused), "result " + refused);
        }
        EffconvException e = CudaFailure.FATAL.exception("cuda:0", "cuLaunchKernel", "2 blocks", 719);
        assertInstanceOf(DeviceLost.class, e);
        assertTrue(
                e.getMessage().contains("CUDA_ERROR_LAUNCH_FAILED (719)")
                        && e.getMessage().contains("restarted"),
                e.getMessage());
    }

    /** JCuda's pointer classes load without its native library, and give back the numbers they were made of. */
    @Test
    void handlesKeepTheirNumbers() {
        assertEquals(0x7f00_1234_5600L, new JCudaHandles.Device(0x7f00_1234_5600L).address());
        assertEquals(0x7f00_1234_5678L, new JCudaHandles.Host(0x7f00_1234_5678L).address());
        JCudaHandles.Table<String> table = new JCudaHandles.Table<>();
        long handle = table.add("stream");
        assertEquals("stream", table.remove(handle));
        assertThrows(IllegalStateException.class, () -> table.get(handle));
    }
}

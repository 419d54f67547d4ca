package org.effconv.backend.cuda;

import static org.junit.jupiter.api.Assertions.*;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.effconv.backend.Activation;
import org.effconv.backend.Convolution;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Steps recorded as graphs: when, under which key, and when not. */
class StepGraphsTest {
    private final RecordingDriver driver = new RecordingDriver();
    private final AtomicInteger bodies = new AtomicInteger();
    private CudaBackend backend;
    private Tensor x;

    @BeforeEach
    void open() {
        backend = CudaBackend.over(driver, CudaOptions.standard());
        x = tensor(64);
    }

    @AfterEach
    void close() {
        x.close();
        backend.close();
        assertTrue(driver.everythingGivenBack(), driver.device + " " + driver.handles + " " + driver.pinned);
    }

    private Tensor tensor(int count) {
        return Tensor.allocate(backend.memory(), DataType.F32, Shape.of(count));
    }

    private int step(Object key) {
        return backend.step(key, () -> {
            backend.activation(Activation.RELU, x, x);
            return bodies.incrementAndGet();
        });
    }

    @Test
    void theFirstRunsTheSecondIsRecordedTheThirdReplayed() {
        assertEquals(1, step("a"));
        assertEquals(0, driver.count("beginCapture"));
        assertEquals(2, step("a"));
        assertEquals(1, driver.count("endCapture"));
        assertEquals(1, driver.count("launchGraph"));
        assertTrue(driver.launches.get(1).captured() && !driver.launches.get(0).captured());
        assertEquals(2, step("a"), "what the recorded body returned");
        assertEquals(2, bodies.get());
        assertEquals(2, driver.launches.size());
        assertEquals(2, driver.count("launchGraph"));
    }

    @Test
    void eachKeyHasItsRecordingAndNullHasNone() {
        for (int i = 0; i < 3; i++) {
            step("a");
            step("b");
            step(null);
        }
        assertEquals(2, backend.recordedSteps());
        assertEquals(2 + 2 + 3, bodies.get());
    }

    @Test
    void withoutGraphsEveryStepRuns() {
        RecordingDriver other = new RecordingDriver();
        try (CudaBackend eager = CudaBackend.over(other, CudaOptions.standard().withGraphs(false))) {
            for (int i = 0; i < 4; i++) {
                eager.step("a", bodies::incrementAndGet);
            }
            assertEquals(4, bodies.get());
            assertEquals(0, other.count("beginCapture"));
        }
    }

    @Test
    void aStepWithoutMemoryForItsGraphRunsLaunchByLaunch() {
        driver.failingGraphs = 1;
        assertEquals(1, step("a"));
        assertEquals(3, step("a"), "recorded in vain, then run");
        assertEquals(0, driver.count("launchGraph"));
        step("a");
        assertEquals(1, driver.count("launchGraph"), "the next attempt");
        assertEquals(1, backend.recordedSteps());
    }

    /** Its block would become the graph's, or be lost. */
    @Test
    @Timeout(60)
    void anotherThreadThatAllocatesWaitsForTheEndOfARecording() throws InterruptedException {
        for (int run = 0; run < 2; run++) {
            boolean recording = run == 1;
            List<Throwable> failures = new ArrayList<>();
            Thread other = new Thread(() -> tensor(10).close());
            other.setUncaughtExceptionHandler((thread, failure) -> failures.add(failure));
            backend.step("a", () -> {
                backend.activation(Activation.RELU, x, x);
                other.start();
                Thread.State wanted = recording ? Thread.State.WAITING : Thread.State.TERMINATED;
                while (other.getState() != wanted && other.getState() != Thread.State.TERMINATED) {
                    assertFalse(Thread.interrupted(), () -> "it neither waits nor ends: " + other.getState());
                    Thread.onSpinWait();
                }
                return null;
            });
            other.join();
            assertEquals(List.of(), failures);
        }
        assertEquals(1, driver.count("endCapture"));
    }

    @Test
    void theRecordingUsedLongestAgoGoesFirst() {
        for (int key = 0; key < StepGraphs.MOST; key++) {
            step(key);
            step(key);
        }
        step(0);
        assertEquals(0, driver.count("destroyGraph"));
        step("one more");
        assertEquals(1, driver.count("destroyGraph"));
        int before = bodies.get();
        step(0);
        assertEquals(before, bodies.get(), "0 was used, and stays");
        step(1);
        assertEquals(before + 1, bodies.get(), "1 went");
    }

    @Test
    void memoryThatIsFreedTakesRecordingsWithIt() {
        Tensor old = tensor(10);
        step("a");
        step("a");
        tensor(10).close(); // younger than the recording
        step("a");
        assertEquals(2, bodies.get());
        old.close();
        step("a");
        assertEquals(1, driver.count("destroyGraph"));
        assertEquals(3, bodies.get(), "recorded anew");
        step("a");
        assertEquals(3, bodies.get());
    }

    @Test
    void aLargerWorkspaceTakesRecordingsWithIt() {
        try (Tensor y = Tensor.allocate(backend.memory(), DataType.F32, Shape.of(4, 8, 8, 64));
                Tensor w = Tensor.allocate(backend.memory(), DataType.F32, Shape.of(64, 9, 9, 64))) {
            Tensor small = w.slice(0, Shape.of(64, 1, 1, 64));
            for (int i = 0; i < 2; i++) {
                backend.step("small", () -> {
                    backend.convolutionWeightGradient(Convolution.PLAIN, y, y, small, null);
                    return bodies.incrementAndGet();
                });
            }
            assertEquals(1, backend.recordedSteps());
            backend.convolutionWeightGradient(Convolution.PLAIN, y, y, w, null);
            step("other");
            assertEquals(0, backend.recordedSteps());
        }
    }

    @Test
    void changingNumbersAreAskedForAtEachReplay() {
        AtomicLong seed = new AtomicLong();
        for (int i = 0; i < 5; i++) {
            backend.step("a", () -> {
                backend.dropout(x, 0.5, seed::incrementAndGet, x);
                return bodies.incrementAndGet();
            });
        }
        assertEquals(2, bodies.get());
        // Once eagerly, once for the plan that is recorded, then before each of four replays.
        assertEquals(6, seed.get());
        assertEquals(4, driver.calls.stream().filter("copyToDevice 8"::equals).count());
    }

    @Test
    void tablesOfARecordingGoOverOnce() {
        try (Tensor images = Tensor.allocate(backend.memory(), DataType.U8, Shape.of(1, 4, 4, 4));
                Tensor draws = Tensor.allocate(backend.memory(), DataType.I32, Shape.of(1, 3))) {
            for (int i = 0; i < 5; i++) {
                backend.step("a", () -> {
                    backend.augment(
                            images,
                            draws,
                            new float[] {1, 2, 3, 4},
                            new float[] {1, 1, 1, 1},
                            x.view(Shape.of(1, 4, 4, 4)));
                    return bodies.incrementAndGet();
                });
            }
        }
        assertEquals(
                2,
                driver.calls.stream().filter(c -> c.startsWith("copyToDevice")).count());
        assertNotEquals(0, driver.launches.size());
    }

    /** Its launches would read tables that are not on the card. */
    @Test
    void aGraphWhoseTablesDoNotArriveIsNotRun() {
        try (Tensor images = Tensor.allocate(backend.memory(), DataType.U8, Shape.of(1, 4, 4, 4));
                Tensor draws = Tensor.allocate(backend.memory(), DataType.I32, Shape.of(1, 3))) {
            for (int i = 0; i < 3; i++) {
                driver.failingCopies = i == 1 ? 1 : 0;
                assertNotNull(backend.step("a", () -> {
                    backend.augment(
                            images,
                            draws,
                            new float[] {1, 2, 3, 4},
                            new float[] {1, 1, 1, 1},
                            x.view(Shape.of(1, 4, 4, 4)));
                    return bodies.incrementAndGet();
                }));
                assertEquals(i == 2 ? 1 : 0, driver.count("launchGraph"));
                assertEquals(i == 0 ? 0 : 1, driver.count("destroyGraph"));
            }
        }
    }

    @Test
    void aStepThatCannotBeRecordedStillRuns() {
        for (int i = 0; i < 6; i++) {
            int now = i;
            assertEquals(now, backend.step("a", () -> {
                backend.write(x.slice(0, Shape.of(1)), new float[1]); // not allowed
                bodies.incrementAndGet();
                return now;
            }));
        }
        assertEquals(3, driver.count("abandonCapture"), "three attempts, then no more");
        assertEquals(0, driver.count("launchGraph"));
        assertEquals(0, backend.recordedSteps());
    }

    @Test
    void aBodyThatThrowsLeavesNoCaptureBehind() {
        step("a");
        assertThrows(
                IllegalArgumentException.class,
                () -> backend.step("a", () -> {
                    throw new IllegalArgumentException("no");
                }));
        assertEquals(1, driver.count("abandonCapture"));
        backend.fill(x, 0);
        assertEquals(2, step("a"));
    }
}

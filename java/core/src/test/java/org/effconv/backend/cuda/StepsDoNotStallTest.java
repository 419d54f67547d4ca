package org.effconv.backend.cuda;

import static org.junit.jupiter.api.Assertions.*;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.effconv.Device;
import org.effconv.KernelSizeSearch;
import org.effconv.Settings;
import org.effconv.Training;
import org.effconv.data.Datasets;
import org.effconv.tensor.DataType;
import org.effconv.train.TrainingListener;
import org.junit.jupiter.api.Test;

/** What a training asks of a card from step to step. */
class StepsDoNotStallTest {
    @Test
    void aTrainingWaitsOnlyForTheLossOfTheStepBefore() {
        RecordingDriver driver = new RecordingDriver();
        List<Integer> ends = new ArrayList<>(); // of steps, in calls of the driver
        TrainingListener listener = new TrainingListener() {
            @Override
            public void onBatch(String phase, int epoch, int batch, double loss) {
                ends.add(driver.calls.size());
            }
        };
        try (Device device = Device.over(CudaBackend.over(driver, CudaOptions.standard()), DataType.F32)) {
            Training.of("planted3", new int[] {3, 3, 3})
                    .batch(8)
                    .epochs(1)
                    .listener(listener)
                    .run(device, Datasets.open("planted:3,train=64,test=8,size=12"))
                    .close();
        }
        assertTrue(driver.everythingGivenBack(), driver.device + " " + driver.handles + " " + driver.pinned);
        assertEquals(8, ends.size());
        List<String> steps = driver.calls.subList(ends.get(0), ends.get(7));
        assertEquals(0, steps.stream().filter("synchronise"::equals).count(), steps.toString());
        assertEquals(
                0,
                driver.calls.subList(ends.get(2), ends.get(7)).stream()
                        .filter(c -> c.startsWith("allocate"))
                        .count());
        // A replayed step: the batch goes over, one graph, the optimiser within; the loss of the one before is picked
        // up.
        List<String> replayed = driver.calls.subList(ends.get(4), ends.get(5));
        assertEquals(
                1, replayed.stream().filter(c -> c.startsWith("launchGraph")).count(), replayed.toString());
        assertEquals(0, replayed.stream().filter(c -> c.startsWith("launch ")).count(), replayed.toString());
        assertTrue(driver.launches.stream()
                .anyMatch(l -> l.captured() && l.kernel().equals("ec_optimizer_step")));
        int launched = replayed.stream().map(c -> c.split(" ")[0]).toList().indexOf("launchGraph");
        assertTrue(
                replayed.indexOf("synchroniseEvent") > launched,
                "waits only after its own work is under way: " + replayed);
        // Eight images: numbers of 8 bytes, draws of 12, labels of 4; no pixels. Then the rates and corrections of the
        // step, 40
        // bytes for each of 11 parameters.
        assertEquals(
                List.of("copyToDevice 64", "copyToDevice 96", "copyToDevice 32", "copyToDevice 440"),
                replayed.stream().filter(c -> c.startsWith("copyToDevice")).toList());
    }

    @Test
    void aSearchWaitsOnlyForTheStepBefore() {
        RecordingDriver driver = new RecordingDriver();
        driver.comes =
                0x40; // four of them are 3.004: what this card says can be a size, and so its gradient is a number
        List<Integer> ends = new ArrayList<>();
        TrainingListener listener = new TrainingListener() {
            @Override
            public void onBatch(String phase, int epoch, int batch, double loss) {
                ends.add(driver.calls.size());
            }
        };
        try (Device device = Device.over(CudaBackend.over(driver, CudaOptions.standard()), DataType.F32)) {
            KernelSizeSearch.of("planted3")
                    .budget("k3")
                    .batch(8)
                    .epochs(1)
                    .set(Settings.FLOW, "two-stage")
                    .set(Settings.POLISH, 0)
                    .set(Settings.SPREAD, 0.0) // none is drawn beyond its held grid
                    .listener(listener)
                    .run(device, Datasets.open("planted:3,train=256,test=8,size=12"));
        }
        assertTrue(driver.everythingGivenBack(), driver.device + " " + driver.handles + " " + driver.pinned);
        assertEquals(32, ends.size());
        // Sizes move from step 13 on, and the first of them is read once, before that.
        List<String> steps = driver.calls.subList(ends.get(0), ends.get(31));
        assertEquals(0, steps.stream().filter("synchronise"::equals).count(), steps.toString());
        assertEquals(
                0,
                driver.calls.subList(ends.get(20), ends.get(31)).stream()
                        .filter(c -> c.startsWith("allocate"))
                        .count());
        for (int i = 20; i < 31; i++) {
            boolean moves = (i + 1) / 2 % 2 == 0; // sizes move in every second pair of steps
            boolean follows = i / 2 % 2 == 0; // and the predictor in the step after
            List<String> step = driver.calls.subList(ends.get(i), ends.get(i + 1));
            List<String> names = step.stream().map(c -> c.split(" ")[0]).toList();
            assertFalse(names.contains("launch"), step.toString());
            // The step, and one of the size predictor for the gradient of the step before.
            assertEquals(
                    follows ? 2 : 1,
                    names.stream().filter("launchGraph"::equals).count(),
                    step.toString());
            assertTrue(
                    names.indexOf("synchroniseEvent") > names.indexOf("launchGraph"),
                    "waits only after its own work is under way: " + step);
            // The batch; sizes, draws and scales; rates; the size predictor's error, twelve bytes and their square.
            assertEquals(
                    follows
                            ? List.of("64", "96", "32", "192", "680", "12", "8")
                            : List.of("64", "96", "32", "192", "680"),
                    step.stream()
                            .filter(c -> c.startsWith("copyToDevice"))
                            .map(c -> c.split(" ")[1])
                            .toList());
            // Loss, right answers, norm; gradient of this step's sizes; sizes that the predictor says now.
            List<String> read = Stream.of("4", "4", "4", moves ? "12" : "", follows ? "12" : "")
                    .filter(n -> !n.isEmpty())
                    .toList();
            assertEquals(
                    read,
                    step.stream()
                            .filter(c -> c.startsWith("copyToHost"))
                            .map(c -> c.split(" ")[1])
                            .toList());
        }
    }

    @Test
    void imagesThatDoNotFitTheLimitComeWithEachBatch() {
        RecordingDriver driver = new RecordingDriver();
        driver.free = 2 * 2048 * 144 - 1; // half of it is less than the images, and all of it enough for the training
        try (Device device = Device.over(CudaBackend.over(driver, CudaOptions.standard()), DataType.F32)) {
            Training.of("planted3", new int[] {3, 3, 3})
                    .batch(8)
                    .epochs(1)
                    .run(device, Datasets.open("planted:3,train=2048,test=8,size=12"))
                    .close();
        }
        assertTrue(
                driver.calls.stream()
                                .filter(("copyToDevice " + 8 * 144)::equals)
                                .count()
                        >= 8,
                "pixels of each batch");
        assertTrue(driver.everythingGivenBack());
    }
}

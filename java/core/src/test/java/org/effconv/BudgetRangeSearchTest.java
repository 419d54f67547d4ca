package org.effconv;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.effconv.cost.Cost;
import org.effconv.data.Dataset;
import org.effconv.data.Datasets;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.io.SizesFile;
import org.effconv.train.StopSignal;
import org.effconv.train.TrainingListener;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class BudgetRangeSearchTest {
    private static final Dataset DATA = Datasets.open("planted:3,train=64,test=32,size=12");

    @TempDir
    Path folder;

    private static Device device() {
        return Device.open(Settings.standard().with(Settings.THREADS, 1).with(Settings.PRECISION, "fp32"));
    }

    private BudgetRangeSearch search(String name) {
        return BudgetRangeSearch.of("planted3")
                .budget("any:k3..k7")
                .epochs(4)
                .batch(16)
                .out(folder.resolve(name));
    }

    @Test
    void oneSearchAnswersForItsRangeAndSoDoesItsFile() {
        Device device = device();
        BudgetRangeSearchResult found;
        try (device) {
            found = search("run").run(device, DATA);
        }
        assertEquals(0, device.liveBytes());
        BudgetRangeSearchResult read = BudgetRangeSearchResult.read(folder.resolve("run"));
        int sum = 0;
        int answered = 0;
        for (int p = (int) found.range()[0]; p <= found.range()[1]; p += 50) {
            String budget = Integer.toString(p);
            int[] sizes;
            try {
                sizes = found.sizes(budget);
            } catch (InvalidInput e) {
                assertTrue(e.getMessage().contains("no odd kernel sizes"), e.getMessage());
                continue;
            }
            answered++;
            assertArrayEquals(sizes, read.sizes(budget));
            SizesFile file = read.file(budget);
            assertEquals(p, file.budget().asked());
            assertEquals(file.parameters(), file.budget().spent());
            assertTrue(Cost.deviation(file.parameters(), p) <= 0.02, file.toString());
            assertEquals(found.fileInAnyOrder(budget), read.fileInAnyOrder(budget));
            assertTrue(Cost.deviation(read.fileInAnyOrder(budget).parameters(), p) <= 0.02, budget);
            assertTrue(Arrays.stream(sizes).sum() >= sum, budget + ": " + Arrays.toString(sizes));
            sum = Arrays.stream(sizes).sum();
        }
        assertTrue(answered > 20, answered + " budgets answered");
        for (String outside : new String[] {"k9", "1", "k1"}) {
            String message =
                    assertThrows(InvalidInput.class, () -> read.sizes(outside)).getMessage();
            assertTrue(message.contains("expected a budget between them"), message);
        }
        assertThrows(InvalidInput.class, () -> read.sizes("auto"));
        assertThrows(InvalidInput.class, () -> read.sizes("4.2ms"));
    }

    @Test
    void aStoppedSearchGoesOnToTheSameBits() throws IOException {
        try (Device device = device()) {
            search("whole").run(device, DATA);
            StopSignal stop = new StopSignal();
            BudgetRangeSearch stopped = search("broken").stopSignal(stop).listener(new TrainingListener() {
                @Override
                public void onBatch(String phase, int epoch, int batch, double loss) {
                    if (epoch == 3) {
                        stop.request();
                    }
                }
            });
            assertThrows(StopSignal.Stopped.class, () -> stopped.run(device, DATA));
            BudgetRangeSearch.resume(folder.resolve("broken")).run(device, DATA);
            assertEquals(
                    Files.readString(folder.resolve("whole/budgets.json")),
                    Files.readString(folder.resolve("broken/budgets.json")));
        }
    }

    @Test
    void withoutASizePredictorItIsAnotherSearchAndThereIsNoLastPart() throws IOException {
        try (Device device = device()) {
            search("with").run(device, DATA);
            search("without").set(Settings.SIZE_PREDICTOR, "none").run(device, DATA);
            search("frozen").set(Settings.FROZEN, 0.85).run(device, DATA); // 0.2 more for a last part would be too much
            assertNotEquals(
                    Files.readString(folder.resolve("with/budgets.json")),
                    Files.readString(folder.resolve("without/budgets.json")));
        }
    }

    @ParameterizedTest
    @CsvSource({"k5, expected a range of budgets", "any:k3..900M, at kmax", "any:k7..k3, smaller end first"})
    void otherBudgetsAreRefusedBeforeAnythingIsWritten(String budget, String part) {
        try (Device device = device()) {
            String message = assertThrows(InvalidInput.class, () -> BudgetRangeSearch.of("planted3")
                            .budget(budget)
                            .out(folder.resolve("new"))
                            .run(device, DATA))
                    .getMessage();
            assertTrue(message.contains(part), message);
            assertTrue(Files.notExists(folder.resolve("new")));
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "effconv-budgets-1|x|format",
                "\"cost\" : \"parameters\"|\"cost\" : \"money\"|money",
                "\"from\"|\"form\"|from"
            })
    void damagedFilesAreRefused(String from, String to, String part) throws IOException {
        try (Device device = device()) {
            search("run").epochs(1).run(device, DATA);
        }
        Path file = folder.resolve("run/budgets.json");
        Files.writeString(file, Files.readString(file).replace(from, to));
        String message = assertThrows(InvalidInput.class, () -> BudgetRangeSearchResult.read(folder.resolve("run")))
                .getMessage();
        assertTrue(message.startsWith(file.toString()) && message.contains(part), message);
        assertTrue(assertThrows(InvalidInput.class, () -> BudgetRangeSearchResult.read(folder))
                .getMessage()
                .contains("holds no budgets.json"));
    }
}

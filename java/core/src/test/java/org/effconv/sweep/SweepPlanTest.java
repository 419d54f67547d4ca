package org.effconv.sweep;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.awt.image.BufferedImage;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import javax.imageio.ImageIO;
import org.effconv.Job;
import org.effconv.Settings;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.error.EffconvException.JobFailed;
import org.effconv.io.AtomicFile;
import org.effconv.io.Json;
import org.effconv.latency.LatencyTable;
import org.effconv.train.Checkpoint;
import org.effconv.train.DataIdentity;
import org.effconv.train.RunConfig;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a sweep runs and in which order; the runs themselves are played by the test. */
class SweepPlanTest {
    @TempDir
    Path folder;

    private static SweepPlan plan(List<String> budgets, List<Long> seeds, Method... methods) {
        Settings settings = Settings.standard()
                .with(Settings.THREADS, 1)
                .with(Settings.VALIDATION, 0.1)
                .with(Settings.EPOCHS, 3);
        return SweepPlan.of(new SweepOptions(
                List.of("planted3"),
                List.of("planted:3,train=64,test=32,size=12"),
                List.of(0),
                budgets,
                List.of(methods),
                seeds,
                2,
                Match.EPOCHS,
                settings));
    }

    private static List<String> ids(SweepPlan plan) {
        return plan.runs().stream()
                .map(run -> run.id().substring(run.task().length() + 1))
                .toList();
    }

    @Test
    void runsAreAllCombinationsSeedBySeedWithOneSearchForTheMethodsThatShareIt() {
        try (SweepPlan plan = plan(
                List.of("k3", "k5"),
                List.of(4L, 7L),
                Method.SHUFFLED,
                Method.MIXED,
                Method.LEARNED,
                Method.RANDOM,
                Method.ELASTIC)) {
            List<String> ofBudget = List.of(
                    "search",
                    "shuffled",
                    "mixed",
                    "learned",
                    "random-draw1",
                    "random-draw2",
                    "search-elastic",
                    "elastic");
            List<String> expected = new ArrayList<>();
            for (String seed : List.of("seed4", "seed7")) {
                for (String budget : List.of("k3", "k5")) {
                    ofBudget.forEach(what -> expected.add(budget + "/" + what + "/" + seed));
                }
            }
            assertEquals(expected, ids(plan));
            SweepRun elastic = plan.runs().get(6);
            assertEquals("elastic", elastic.settings().get(Settings.PREDICTOR));
            assertEquals("none", elastic.settings().get(Settings.SIZE_PREDICTOR));
            assertEquals(
                    "coordinate",
                    plan.runs().get(7).settings().get(Settings.PREDICTOR),
                    "the training's settings are everyone's");
        }
    }

    @Test
    void sizesOfEveryBaselineMeetTheBudget() {
        try (SweepPlan plan = plan(
                List.of("k3", "k5", "1.9x"),
                List.of(1L, 2L, 3L),
                Method.MIXED,
                Method.RANDOM,
                Method.SMALL_FIRST,
                Method.LARGE_FIRST)) {
            for (SweepRun run : plan.runs()) {
                assertTrue(Math.abs(plan.deviation(run, run.sizes(), plan.parameters(run))) <= 0.02, run.id());
            }
        }
    }

    @Test
    void aBudgetBetweenUniformSizesHasTheTwoBesideIt() {
        try (SweepPlan plan = plan(List.of("1.9x"), List.of(1L), Method.UNIFORM)) {
            assertEquals(List.of("1.9x/uniform-k3/seed1", "1.9x/uniform-k5/seed1"), ids(plan));
        }
    }

    @Test
    void equalTrainingsRunOnceAndFinishedRunsNotAgain() throws InterruptedException {
        Player player = new Player();
        try (SweepPlan plan = plan(List.of("k5"), List.of(1L), Method.UNIFORM, Method.MIXED, Method.LEARNED)) {
            SweepResults results = Player.work(plan, folder, player);
            assertEquals(List.of("k5/uniform-k5/seed1", "k5/search/seed1", "k5/learned/seed1"), player.started);
            assertEquals(
                    plan.runs().stream().map(SweepRun::id).collect(Collectors.toSet()),
                    results.rows().stream().map(row -> row.path("id").asText()).collect(Collectors.toSet()));
            ObjectNode mixed = results.row(plan.runs().get(1).id());
            assertEquals(plan.runs().get(0).id(), mixed.path("sameTrainingAs").asText());
            ObjectNode learned = results.row(plan.runs().get(3).id());
            assertArrayEquals(player.found, Json.convert(learned.at("/result/sizes"), int[].class, "row"));
            Player.work(plan, folder, player);
            assertEquals(3, player.started.size());
        }
        try (SweepPlan more = plan(List.of("k5"), List.of(1L, 2L), Method.UNIFORM, Method.MIXED, Method.LEARNED)) {
            Player.work(more, folder, player);
            assertEquals(
                    List.of("k5/uniform-k5/seed2", "k5/search/seed2", "k5/learned/seed2"),
                    player.started.subList(3, 6));
        }
    }

    @Test
    void whatNeedsAFailedSearchFailsWithItAndTheRestGoesOn() throws InterruptedException {
        Player player = new Player();
        player.failing.add("learned");
        try (SweepPlan plan = plan(List.of("k5"), List.of(1L), Method.LEARNED, Method.SHUFFLED, Method.UNIFORM)) {
            String message = assertThrows(JobFailed.class, () -> Player.work(plan, folder, player))
                    .getMessage();
            assertTrue(
                    message.contains("3 of 4 runs")
                            && message.contains("broken")
                            && message.contains("its search failed"),
                    message);
            assertEquals(1, SweepResults.read(folder).size());
            player.failing.clear();
            assertEquals(4, Player.work(plan, folder, player).rows().size());
        }
    }

    @Test
    void aResultWhoseRowWasNotWrittenIsTakenAndACutLineIsWrittenAnew() throws Exception {
        Player player = new Player();
        try (SweepPlan plan = plan(List.of("k5"), List.of(1L), Method.UNIFORM, Method.SMALL_FIRST)) {
            try (SweepResults results = SweepResults.open(folder, plan.common())) {
                Path at = results.work(plan.runs().get(0));
                SweepJob.prepare(at, plan.runs().get(0), plan);
                player.start(plan.runs().get(0), at); // as if killed right behind it
            }
            player.started.clear();
            Files.writeString(folder.resolve("results.jsonl"), "{\"id\": \"cu");
            SweepResults results = Player.work(plan, folder, player);
            assertEquals(List.of("k5/small-first/seed1"), player.started);
            assertEquals(2, results.rows().size());
            assertEquals(2, SweepResults.read(folder).size());
            assertFalse(Files.exists(results.work(plan.runs().get(0))));
        }
    }

    /** As if an architecture's file had been edited between two calls, the first of which was killed. */
    @Test
    void whatIsLeftOfAnotherJobIsNotTaken() throws Exception {
        Player player = new Player();
        try (SweepPlan plan = plan(List.of("k5"), List.of(1L), Method.UNIFORM)) {
            SweepRun run = plan.runs().get(0);
            try (SweepResults results = SweepResults.open(folder, plan.common())) {
                Path at = results.work(run);
                SweepJob.prepare(at, run.withSizes(new int[] {1, 1, 1}), plan);
                player.start(run.withSizes(new int[] {1, 1, 1}), at);
                Files.createDirectories(at.resolve("run/checkpoint"));
            }
            SweepResults results = Player.work(plan, folder, player);
            assertEquals(2, player.started.size());
            assertArrayEquals(run.sizes(), Json.convert(results.row(run.id()).at("/result/sizes"), int[].class, "row"));
        }
    }

    private static LatencyTable table(double rest) {
        return new LatencyTable(
                new LatencyTable.Setup("a device", 1, "F32", "a network", "0", LatencyTable.Pass.TRAINING, 16, "1"),
                rest,
                List.of(),
                List.of());
    }

    private SweepPlan plan(Path table) {
        Settings settings =
                Settings.standard().with(Settings.THREADS, 1).with(Settings.LATENCY_TABLE, table.toString());
        return SweepPlan.of(new SweepOptions(
                List.of("planted3"),
                List.of("planted:3,train=64,test=32,size=12"),
                List.of(0),
                List.of("k5"),
                List.of(Method.UNIFORM),
                List.of(1L),
                2,
                Match.EPOCHS,
                settings));
    }

    @Test
    void aLatencyTableThatWasMeasuredAnewIsAnotherSweepAndAMovedOneIsNot() throws Exception {
        Path file = folder.resolve("table.json");
        table(1).write(file);
        Path moved = folder.resolve("moved.json");
        table(1).write(moved);
        try (SweepPlan plan = plan(file);
                SweepPlan same = plan(moved)) {
            table(2).write(file); // read once: a plan does not notice
            assertEquals(same.common(), plan.common());
            try (SweepPlan other = plan(file)) {
                assertFalse(other.common().equals(plan.common()));
            }
        }
    }

    // An IDX folder of 40 training and 8 test images, whose labels can be turned.
    private static Path images(Path at, int turn) throws Exception {
        Files.createDirectories(at);
        for (String part : List.of("train", "t10k")) {
            int n = part.equals("train") ? 40 : 8;
            ByteBuffer pixels = ByteBuffer.allocate(16 + n * 144)
                    .putInt(0x803)
                    .putInt(n)
                    .putInt(12)
                    .putInt(12);
            ByteBuffer labels = ByteBuffer.allocate(8 + n).putInt(0x801).putInt(n);
            for (int i = 0; i < n; i++) {
                pixels.put(16 + 144 * i, (byte) (i + 1));
                labels.put((byte) ((i + turn) % 2));
            }
            Files.write(at.resolve(part + "-images-idx3-ubyte"), pixels.array());
            Files.write(at.resolve(part + "-labels-idx1-ubyte"), labels.array());
        }
        return at;
    }

    private SweepPlan on(Path sweep, String... data) {
        Settings settings = Settings.standard().with(Settings.THREADS, 1).with(Settings.EPOCHS, 3);
        return SweepPlan.of(
                new SweepOptions(
                        List.of("planted3"),
                        List.of(data),
                        List.of(0),
                        List.of("k5"),
                        List.of(Method.UNIFORM, Method.SMALL_FIRST),
                        List.of(1L),
                        2,
                        Match.EPOCHS,
                        settings),
                SweepResults.dataNames(sweep));
    }

    @Test
    void aSweepGoesOnWithDataThatWereMoved() throws Exception {
        Path sweep = folder.resolve("sweep");
        String here = images(folder.resolve("here"), 0).toString();
        Player player = new Player();
        player.failing.add("small-first");
        try (SweepPlan plan = on(sweep, here)) {
            assertThrows(JobFailed.class, () -> Player.work(plan, sweep, player));
            try (SweepResults results = SweepResults.open(sweep, plan.common())) {
                Files.createDirectories(results.work(plan.runs().get(1)).resolve("run"));
            }
        }
        player.failing.clear();
        player.started.clear();
        Path there = Files.move(Path.of(here), folder.resolve("there"));
        try (SweepPlan plan = on(sweep, there.toString())) {
            SweepRun begun = plan.runs().get(1);
            assertEquals("planted3/" + here + "/k5/small-first/seed1", begun.id());
            assertEquals(there.toString(), begun.settings().get(Settings.DATA));
            try (SweepResults results = SweepResults.open(sweep, plan.common())) {
                SweepJob.prepare(results.work(begun), begun, plan);
                assertTrue(Files.exists(results.work(begun).resolve("run")), "what had begun was removed");
                assertEquals(
                        there.toString(),
                        Json.read(results.work(begun).resolve("places.json"))
                                .path("data")
                                .asText());
            }
            SweepResults results = Player.work(plan, sweep, player);
            assertEquals(List.of("k5/small-first/seed1"), player.started);
            assertEquals(2, results.rows().size());
        }
    }

    @Test
    void otherDataOfTheSameNameAreRefused() throws Exception {
        Path sweep = folder.resolve("sweep");
        String data = images(folder.resolve("data"), 0).toString();
        try (SweepPlan plan = on(sweep, data)) {
            Player.work(plan, sweep, new Player());
        }
        images(Path.of(data), 1);
        try (SweepPlan plan = on(sweep, data)) {
            String message = assertThrows(InvalidInput.class, () -> SweepResults.requireSame(sweep, plan.common()))
                    .getMessage();
            assertTrue(message.contains("data '" + data + "' are not the images that they were"), message);
        }
        String other = images(folder.resolve("more"), 0).toString();
        try (SweepPlan plan =
                on(sweep, other, "planted:3,train=64,test=32,size=12")) { // the first under a new name, and one more
            SweepResults.requireSame(sweep, plan.common());
            assertEquals("planted3/" + data, plan.runs().get(0).task());
        }
        String copy = images(folder.resolve("copy"), 0).toString();
        String message =
                assertThrows(InvalidInput.class, () -> on(sweep, other, copy)).getMessage();
        assertTrue(message.contains("copy: another dataset of this sweep holds the same"), message);
    }

    @Test
    void dataThatChangeWhileASweepRunsEndTheirRun() throws Exception {
        String data = images(folder.resolve("data"), 0).toString();
        Path job = folder.resolve("job");
        try (SweepPlan plan = on(folder, data)) {
            SweepJob.prepare(job, plan.runs().get(0), plan);
        }
        images(Path.of(data), 1);
        String message =
                assertThrows(InvalidInput.class, () -> SweepJob.run(job)).getMessage();
        assertTrue(
                message.startsWith(data + ": has changed since the sweep was begun: ")
                        && message.contains("train.digest"),
                message);
        assertFalse(Files.exists(job.resolve("run")));
    }

    @Test
    void aResultThatIsDamagedCostsItsRunOnly() throws Exception {
        try (SweepPlan plan = plan(List.of("k5"), List.of(1L), Method.UNIFORM, Method.SMALL_FIRST)) {
            Path damaged;
            try (SweepResults results = SweepResults.open(folder, plan.common())) {
                damaged = results.work(plan.runs().get(0)).resolve("result.json");
                SweepJob.prepare(damaged.getParent(), plan.runs().get(0), plan);
            }
            Files.writeString(damaged, "{\"result\": {");
            String message = assertThrows(JobFailed.class, () -> Player.work(plan, folder, new Player()))
                    .getMessage();
            assertTrue(
                    message.contains("1 of 2 runs")
                            && message.contains(damaged + ": no valid JSON")
                            && message.contains("once that file is removed"),
                    message);
            assertEquals(1, SweepResults.read(folder).size());
            Files.delete(damaged);
            assertEquals(2, Player.work(plan, folder, new Player()).rows().size());
        }
    }

    @Test
    void aRowThatIsNoneIsNamed() throws Exception {
        try (SweepPlan plan = plan(List.of("k5"), List.of(1L), Method.UNIFORM)) {
            SweepResults.open(folder, plan.common()).close();
            Files.writeString(folder.resolve("results.jsonl"), "{\"id\": \"mine\", \"result\": 3}\n");
            String message = assertThrows(InvalidInput.class, () -> SweepResults.open(folder, plan.common()))
                    .getMessage();
            assertTrue(message.contains("results.jsonl: row 'mine': expected id, result and environment"), message);
            Files.writeString(folder.resolve("sweep.json"), "{\"format\": 1}");
            message = assertThrows(InvalidInput.class, () -> SweepResults.requireSame(folder, plan.common()))
                    .getMessage();
            assertTrue(message.contains("sweep.json: format 1, expected 3"), message);
        }
    }

    @Test
    void otherSettingsAreRefusedInTheSameFolder() throws InterruptedException {
        try (SweepPlan plan = plan(List.of("k5"), List.of(1L), Method.UNIFORM)) {
            Player.work(plan, folder, new Player());
            ObjectNode other = plan.common();
            ((ObjectNode) other.path("settings")).put("epochs", 4);
            String message = assertThrows(InvalidInput.class, () -> SweepResults.requireSame(folder, other))
                    .getMessage();
            assertTrue(message.contains("settings.epochs is 3 there and 4 here"), message);
        }
    }

    @Test
    void aSweepThatCannotBeOpenedIsNotHeld() throws Exception {
        try (SweepPlan plan = plan(List.of("k5"), List.of(1L), Method.UNIFORM)) {
            SweepResults.open(folder, plan.common()).close();
            Files.writeString(folder.resolve("results.jsonl"), "damaged\n{\"id\": \"whole\"}\n");
            assertThrows(RuntimeException.class, () -> SweepResults.open(folder, plan.common()));
            Files.delete(folder.resolve("results.jsonl"));
            SweepResults.open(folder, plan.common()).close();
        }
    }

    @Test
    void twoProcessesDoNotShareASweep() {
        try (SweepPlan plan = plan(List.of("k5"), List.of(1L), Method.UNIFORM);
                SweepResults first = SweepResults.open(folder, plan.common())) {
            assertThrows(InvalidInput.class, () -> SweepResults.open(folder, plan.common()));
        }
    }

    @Test
    void whatAKillLeavesBeforeSweepJsonIsTakenUp() throws Exception {
        Files.createFile(Files.createDirectories(folder.resolve("work")).resolve("lock"));
        Path cut = Files.writeString(folder.resolve(".sweep.json.0815.partial"), "{");
        try (SweepPlan plan = plan(List.of("k5"), List.of(1L), Method.UNIFORM)) {
            SweepResults.open(folder, plan.common()).close();
            assertFalse(Files.exists(cut));
            Files.delete(folder.resolve("sweep.json"));
            Files.createDirectories(folder.resolve("work/mine"));
            assertThrows(InvalidInput.class, () -> SweepResults.requireSame(folder, plan.common()));
        }
    }

    // A folder per class; the first images of each are grey, the last is not.
    private static Path pictures(Path at) throws Exception {
        for (String part : List.of("train", "test")) {
            for (String name : List.of("a", "b")) {
                Path images = Files.createDirectories(at.resolve(part).resolve(name));
                for (int i = 0; i < 6; i++) {
                    BufferedImage image = new BufferedImage(
                            12, 12, i < 5 ? BufferedImage.TYPE_BYTE_GRAY : BufferedImage.TYPE_INT_RGB);
                    image.setRGB(i, 3, 0xFF00FF);
                    ImageIO.write(image, "png", images.resolve(i + ".png").toFile());
                }
            }
        }
        return at;
    }

    @Test
    void aPlanSeesTheImagesThatItsRunsSee() throws Exception {
        Settings settings = Settings.standard().with(Settings.THREADS, 1).with(Settings.TEST_IMAGES, 4);
        try (SweepPlan plan = SweepPlan.of(new SweepOptions(
                List.of("planted3"),
                List.of(pictures(folder.resolve("data")).toString()),
                List.of(4, 0),
                List.of("k3"),
                List.of(Method.UNIFORM),
                List.of(1L),
                2,
                Match.EPOCHS,
                settings))) {
            assertEquals(
                    List.of(1, 3),
                    plan.runs().stream().map(run -> plan.data(run).channels()).toList());
            for (SweepRun run : plan.runs()) {
                assertEquals(
                        List.of(),
                        Checkpoint.differences(DataIdentity.of(Job.data(run.settings())), plan.dataIdentity(run)));
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"LEARNED, '800,000,000 values that a search'", "FLEXCONV, '825,000,000 values of its continuous'"})
    void whatARunWouldRefuseIsRefusedByThePlan(Method method, String what) throws Exception {
        Path wide = Files.writeString(
                folder.resolve("wide.json"),
                "{\"name\": \"wide\", \"kmax\": 1, \"layers\": [{\"type\": \"conv\", \"channels\": 5000},"
                        + "{\"type\": \"conv\", \"channels\": 5000}, {\"type\": \"globalAveragePool\"}, {\"type\": \"linear\", \"outputs\": \"classes\"}]}");
        String message = assertThrows(
                        InvalidInput.class,
                        () -> SweepPlan.of(new SweepOptions(
                                List.of(wide.toString()),
                                List.of("planted:3,train=64,test=32,size=12"),
                                List.of(0),
                                List.of("k1"),
                                List.of(method),
                                List.of(1L),
                                2,
                                Match.EPOCHS,
                                Settings.standard().with(Settings.THREADS, 1))))
                .getMessage();
        assertTrue(
                message.startsWith(wide + ": layer conv2: " + what) && message.contains("expected at most 500,000,000"),
                message);
    }

    @Test
    void aRunThatGoesOnTakesAllItsPlaces() throws Exception {
        Path job = folder.resolve("job");
        Settings settings = Settings.standard()
                .with(Settings.THREADS, 1)
                .with(Settings.EPOCHS, 1)
                .with(Settings.DEVICE, "cpu");
        SweepOptions options = new SweepOptions(
                List.of("planted3"),
                List.of("planted:3,train=64,test=32,size=12"),
                List.of(0),
                List.of("k1"),
                List.of(Method.UNIFORM),
                List.of(1L),
                2,
                Match.EPOCHS,
                settings);
        try (SweepPlan plan = SweepPlan.of(options)) {
            SweepJob.prepare(job, plan.runs().get(0), plan);
        }
        SweepJob.run(job);
        Files.delete(job.resolve("result.json"));
        ObjectNode places = Json.read(job.resolve("places.json"));
        AtomicFile.write(job.resolve("places.json"), Json.pretty(places.put("latency-table", "/moved.json")));
        SweepJob.run(job);
        assertEquals(
                "/moved.json",
                RunConfig.read(job.resolve("run"))
                        .places()
                        .path("latency-table")
                        .asText());
    }
}

package org.effconv.sweep;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.stream.Collectors;
import org.effconv.EffconvException.InvalidInput;
import org.effconv.EffconvException.JobFailed;
import org.effconv.Settings;
import org.effconv.io.AtomicFile;
import org.effconv.io.Json;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a sweep runs and in which order; the runs themselves are played by the test. */
class SweepPlanTest {
    private static final int[] FOUND = {3, 7, 3};

    @TempDir
    Path folder;

    private static SweepPlan plan(List<String> budgets, List<Long> seeds, Method... methods) {
        Settings settings = Settings.standard().with(Settings.THREADS, 1).with(Settings.VALIDATION, 0.1).with(Settings.EPOCHS, 3);
        return SweepPlan.of(new SweepOptions(
                List.of("planted3"), List.of("planted:3,train=64,test=32,size=12"), List.of(0), budgets, List.of(methods), seeds, 2, settings));
    }

    private static List<String> ids(SweepPlan plan) {
        return plan.runs().stream().map(run -> run.id().substring(run.task().length() + 1)).toList();
    }

    @Test
    void runsAreAllCombinationsSeedBySeedWithOneSearchForTheMethodsThatShareIt() {
        try (SweepPlan plan = plan(List.of("k3", "k5"), List.of(4L, 7L), Method.SHUFFLED, Method.MIXED, Method.LEARNED, Method.RANDOM, Method.ELASTIC)) {
            List<String> ofBudget = List.of("search", "shuffled", "mixed", "learned", "random-draw1", "random-draw2", "search-elastic", "elastic");
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
            assertEquals("coordinate", plan.runs().get(7).settings().get(Settings.PREDICTOR), "the training's settings are everyone's");
        }
    }

    @Test
    void sizesOfEveryBaselineMeetTheBudget() {
        try (SweepPlan plan = plan(List.of("k3", "k5", "1.9x"), List.of(1L, 2L, 3L), Method.MIXED, Method.RANDOM, Method.SMALL_FIRST, Method.LARGE_FIRST)) {
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

    /** Plays the runs: their results are written at once. */
    private static final class Player implements Sweep.Launcher {
        final List<String> started = new ArrayList<>();
        final Set<String> failing = new HashSet<>();

        @Override
        public CompletionStage<Void> start(SweepRun run, Path at) {
            started.add(run.id().substring(run.task().length() + 1));
            if (failing.contains(run.method().text())) {
                return CompletableFuture.failedFuture(new JobFailed("broken"));
            }
            ObjectNode all = Json.object();
            ObjectNode result = all.putObject("result").put("parameters", 13_000).put("testAccuracy", 0.5);
            result.set("sizes", Json.tree(run.kind() == SweepRun.Kind.SEARCH ? FOUND : run.sizes()));
            all.putObject("environment").put("device", "played");
            AtomicFile.write(at.resolve("result.json"), Json.pretty(all));
            return CompletableFuture.completedFuture(null);
        }
    }

    private static SweepResults work(SweepPlan plan, Path folder, Player player) throws InterruptedException {
        SweepResults results = SweepResults.open(folder, plan.common());
        try (results) {
            new Sweep(plan, results, 1, player, new Sweep.Listener() {}).run();
        }
        return results;
    }

    @Test
    void equalTrainingsRunOnceAndFinishedRunsNotAgain() throws InterruptedException {
        Player player = new Player();
        try (SweepPlan plan = plan(List.of("k5"), List.of(1L), Method.UNIFORM, Method.MIXED, Method.LEARNED)) {
            SweepResults results = work(plan, folder, player);
            assertEquals(List.of("k5/uniform-k5/seed1", "k5/search/seed1", "k5/learned/seed1"), player.started);
            assertEquals(plan.runs().stream().map(SweepRun::id).collect(Collectors.toSet()),
                    results.rows().stream().map(row -> row.path("id").asText()).collect(Collectors.toSet()));
            ObjectNode mixed = results.row(plan.runs().get(1).id());
            assertEquals(plan.runs().get(0).id(), mixed.path("sameTrainingAs").asText());
            ObjectNode learned = results.row(plan.runs().get(3).id());
            assertArrayEquals(FOUND, Json.convert(learned.at("/result/sizes"), int[].class, "row"));
            work(plan, folder, player);
            assertEquals(3, player.started.size());
        }
        try (SweepPlan more = plan(List.of("k5"), List.of(1L, 2L), Method.UNIFORM, Method.MIXED, Method.LEARNED)) {
            work(more, folder, player);
            assertEquals(List.of("k5/uniform-k5/seed2", "k5/search/seed2", "k5/learned/seed2"), player.started.subList(3, 6));
        }
    }

    @Test
    void whatNeedsAFailedSearchFailsWithItAndTheRestGoesOn() throws InterruptedException {
        Player player = new Player();
        player.failing.add("learned");
        try (SweepPlan plan = plan(List.of("k5"), List.of(1L), Method.LEARNED, Method.SHUFFLED, Method.UNIFORM)) {
            String message = assertThrows(JobFailed.class, () -> work(plan, folder, player)).getMessage();
            assertTrue(message.contains("3 of 4 runs") && message.contains("broken") && message.contains("its search failed"), message);
            assertEquals(1, SweepResults.read(folder).size());
            player.failing.clear();
            assertEquals(4, work(plan, folder, player).rows().size());
        }
    }

    @Test
    void aResultWhoseRowWasNotWrittenIsTakenAndACutLineIsWrittenAnew() throws Exception {
        Player player = new Player();
        try (SweepPlan plan = plan(List.of("k5"), List.of(1L), Method.UNIFORM, Method.SMALL_FIRST)) {
            try (SweepResults results = SweepResults.open(folder, plan.common())) {
                Path at = results.work(plan.runs().get(0));
                SweepJob.prepare(at, plan.runs().get(0));
                player.start(plan.runs().get(0), at); // as if killed right behind it
            }
            player.started.clear();
            Files.writeString(folder.resolve("results.jsonl"), "{\"id\": \"cu");
            SweepResults results = work(plan, folder, player);
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
                SweepJob.prepare(at, run.withSizes(new int[] {1, 1, 1}));
                player.start(run.withSizes(new int[] {1, 1, 1}), at);
                Files.createDirectories(at.resolve("run/checkpoint"));
            }
            SweepResults results = work(plan, folder, player);
            assertEquals(2, player.started.size());
            assertArrayEquals(run.sizes(), Json.convert(results.row(run.id()).at("/result/sizes"), int[].class, "row"));
        }
    }

    @Test
    void aLatencyTableThatWasMeasuredAnewIsAnotherSweep() throws Exception {
        Path table = folder.resolve("table.json");
        Settings settings = Settings.standard().with(Settings.THREADS, 1).with(Settings.LATENCY_TABLE, table.toString());
        SweepOptions options = new SweepOptions(List.of("planted3"), List.of("planted:3,train=64,test=32,size=12"), List.of(0), List.of("k5"),
                List.of(Method.UNIFORM), List.of(1L), 2, settings);
        Files.writeString(table, "{\"restMilliseconds\": 1}");
        try (SweepPlan plan = SweepPlan.of(options)) {
            ObjectNode before = plan.common();
            assertEquals(before, plan.common());
            Files.writeString(table, "{\"restMilliseconds\": 2}");
            assertFalse(before.equals(plan.common()));
        }
    }

    @Test
    void otherSettingsAreRefusedInTheSameFolder() throws InterruptedException {
        try (SweepPlan plan = plan(List.of("k5"), List.of(1L), Method.UNIFORM)) {
            work(plan, folder, new Player());
            ObjectNode other = plan.common();
            ((ObjectNode) other.path("settings")).put("epochs", 4);
            String message = assertThrows(InvalidInput.class, () -> SweepResults.requireSame(folder, other)).getMessage();
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
        try (SweepPlan plan = plan(List.of("k5"), List.of(1L), Method.UNIFORM); SweepResults first = SweepResults.open(folder, plan.common())) {
            assertThrows(InvalidInput.class, () -> SweepResults.open(folder, plan.common()));
        }
    }
}

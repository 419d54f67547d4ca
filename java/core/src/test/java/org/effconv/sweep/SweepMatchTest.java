package org.effconv.sweep;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.effconv.Settings;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.error.EffconvException.JobFailed;
import org.effconv.train.Work;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What networks of a sweep take to compute, and how those of plain sizes are given as much; the runs are played. */
class SweepMatchTest {
    private static final int EPOCHS = 3;
    private static final int IMAGES = 48; // of an epoch: of 58 (64 without a tenth) the whole batches of 16
    private static final double EXACT = 1e-9;

    @TempDir
    Path folder;

    private static SweepPlan plan(Match match, Method... methods) {
        Settings settings = Settings.standard()
                .with(Settings.THREADS, 1)
                .with(Settings.VALIDATION, 0.1)
                .with(Settings.EPOCHS, EPOCHS)
                .with(Settings.BATCH, 16);
        return SweepPlan.of(new SweepOptions(
                List.of("planted3"),
                List.of("planted:3,train=64,test=32,size=12"),
                List.of(0),
                List.of("k5"),
                List.of(methods),
                List.of(1L),
                2,
                match,
                settings));
    }

    private static SweepRun run(SweepPlan plan, String what) {
        return plan.runs().stream()
                .filter(run -> run.id().endsWith("/k5/" + what + "/seed1"))
                .findFirst()
                .orElseThrow();
    }

    private static ObjectNode row(SweepPlan plan, SweepResults results, String what) {
        return results.row(run(plan, what).id());
    }

    private static double ofAnEpoch(SweepPlan plan, SweepRun run) {
        return 3.0 * IMAGES * plan.multiplyAdds(run);
    }

    @Test
    void searchesOfOtherSettingsAreNotShared() {
        try (SweepPlan plan = plan(
                Match.EPOCHS,
                Method.LEARNED,
                Method.SHUFFLED,
                Method.TWO_STAGE,
                Method.EFFCONV_PAPER,
                Method.ELASTIC)) {
            Map<String, Settings> searches = plan.runs().stream()
                    .filter(run -> run.kind() == SweepRun.Kind.SEARCH)
                    .collect(Collectors.toMap(SweepRun::variant, SweepRun::settings));
            assertEquals(
                    List.of("", "effconv-paper", "elastic", "two-stage"),
                    searches.keySet().stream().sorted().toList());
            Settings own = searches.get("");
            assertEquals("one-run", own.get(Settings.FLOW));
            Settings stages = own.with(Settings.FLOW, "two-stage");
            assertEquals(stages, searches.get("two-stage"));
            assertEquals(
                    stages.with(Settings.SIZE_UPDATE, "gradient")
                            .with(Settings.POLISH, 0)
                            .with(Settings.SPREAD, 0.0)
                            .with(Settings.CLOSING, 0.0),
                    searches.get("effconv-paper"));
            assertEquals("two-stage", searches.get("elastic").get(Settings.FLOW));
            assertTrue(run(plan, "effconv-paper").search().endsWith("/search-effconv-paper/seed1"));
            assertEquals(own, run(plan, "effconv-paper").settings(), "the training's settings are everyone's");
        }
    }

    @Test
    void plainSizesGetTheLeastEpochsThatTakeTheWorkOfTheLearnedOnes() throws Exception {
        Player player = new Player();
        try (SweepPlan plan =
                plan(Match.WORK, Method.SMALL_FIRST, Method.MIXED, Method.LEARNED, Method.TWO_STAGE, Method.FLEXCONV)) {
            SweepRun mixed = run(plan, "mixed");
            player.searching = new Work(1.5 * ofAnEpoch(plan, mixed), 2);
            SweepResults results = Player.work(plan, folder, player);
            assertEquals("k5/search/seed1", player.started.get(0), "the others wait for it");
            double work = player.searching.multiplyAdds()
                    + EPOCHS * ofAnEpoch(plan, run(plan, "learned").withSizes(player.found));
            for (String what : List.of("mixed", "small-first")) {
                ObjectNode row = row(plan, results, what);
                int epochs = row.path("epochs").asInt();
                double each = ofAnEpoch(plan, run(plan, what));
                assertTrue(epochs * each >= work && (epochs - 1) * each < work, what + ": " + epochs);
                assertTrue(epochs > EPOCHS, what + ": " + epochs);
                assertEquals(epochs, row.at("/settings/epochs").asInt());
                assertTrue(row.path("search").isMissingNode(), "its sizes are no search's");
                assertEquals(0, row.at("/work/search/multiplyAdds").asDouble());
            }
            for (String what : List.of("learned", "two-stage", "flexconv")) {
                assertEquals(EPOCHS, row(plan, results, what).path("epochs").asInt(), what);
            }
            assertEquals(
                    List.of("work"),
                    results.rows().stream()
                            .map(row -> row.path("match").asText())
                            .distinct()
                            .toList());
        }
    }

    @Test
    void rowsSayWhatSearchAndTrainingTook() throws Exception {
        Player player = new Player();
        try (SweepPlan plan = plan(Match.EPOCHS, Method.LEARNED, Method.SHUFFLED, Method.MIXED)) {
            double epoch = ofAnEpoch(plan, run(plan, "mixed"));
            player.searching = new Work(0.5 * epoch, 2);
            player.training = new Work(3 * epoch, 7);
            SweepResults results = Player.work(plan, folder, player);
            for (String what : List.of("learned", "shuffled")) {
                ObjectNode row = row(plan, results, what);
                assertEquals(0.5 * epoch, row.at("/work/search/multiplyAdds").asDouble());
                assertEquals(3 * epoch, row.at("/work/training/multiplyAdds").asDouble());
                assertEquals(3.5 * epoch, row.at("/work/multiplyAdds").asDouble());
                assertEquals(9, row.at("/work/processorSeconds").asDouble());
                assertEquals(3.5, row.at("/work/uniformEpochs").asDouble(), EXACT);
            }
            ObjectNode mixed = row(plan, results, "mixed");
            assertEquals(0, mixed.at("/work/search/processorSeconds").asDouble());
            assertEquals(3, mixed.at("/work/uniformEpochs").asDouble(), EXACT);
            ObjectNode search = row(plan, results, "search");
            assertEquals(0.5, search.at("/work/uniformEpochs").asDouble(), EXACT);
            assertEquals(0, search.at("/work/training/multiplyAdds").asDouble());
        }
    }

    @Test
    void equalSizesAreOneTrainingOnlyForEqualEpochs() throws Exception {
        for (Match match : Match.values()) {
            for (double search : new double[] {0, 0.5}) {
                Player player = new Player();
                try (SweepPlan plan = plan(match, Method.MIXED, Method.LEARNED)) {
                    SweepRun mixed = run(plan, "mixed");
                    player.found = mixed.sizes();
                    player.training = new Work(7, 7);
                    player.searching = new Work(search * ofAnEpoch(plan, mixed), 1);
                    Path at = folder.resolve(match + "" + search);
                    SweepResults results = Player.work(plan, at, player);
                    boolean same = match == Match.EPOCHS || search == 0;
                    assertEquals(same ? 2 : 3, player.started.size(), at.toString());
                    ObjectNode learned = row(plan, results, "learned");
                    assertEquals(same, learned.has("sameTrainingAs"));
                    assertEquals(7, learned.at("/work/training/multiplyAdds").asDouble());
                    assertEquals(
                            player.searching.multiplyAdds(),
                            learned.at("/work/search/multiplyAdds").asDouble());
                    assertEquals(
                            same ? EPOCHS : EPOCHS + 1,
                            row(plan, results, "mixed").path("epochs").asInt());
                }
            }
        }
    }

    /** Also when the epochs of what is finished are known from its row alone. */
    @Test
    void aSweepThatGoesOnKnowsForHowManyEpochsItsNetworksWereTrained() throws Exception {
        Player player = new Player();
        player.failing.add("learned");
        try (SweepPlan plan = plan(Match.WORK, Method.UNIFORM, Method.MIXED, Method.LEARNED)) {
            String message = assertThrows(JobFailed.class, () -> Player.work(plan, folder, player))
                    .getMessage();
            assertTrue(
                    message.contains("4 of 4 runs have no row") && message.contains("mixed/seed1: its search failed"),
                    message);
            player.failing.clear();
            player.found = run(plan, "mixed").sizes();
            player.searching = new Work(0.5 * ofAnEpoch(plan, run(plan, "mixed")), 1);
            Player.work(plan, folder, player);
            player.started.clear();
        }
        try (SweepPlan more = plan(Match.WORK, Method.UNIFORM, Method.MIXED, Method.LEARNED, Method.TWO_STAGE)) {
            SweepResults results = Player.work(more, folder, player);
            assertEquals(List.of("k5/search-two-stage/seed1"), player.started);
            assertEquals(
                    run(more, "learned").id(),
                    row(more, results, "two-stage").path("sameTrainingAs").asText());
        }
    }

    @Test
    void theWorkOfNobodyAndAnotherMatchInTheSameFolderAreRefused() throws Exception {
        String message = assertThrows(InvalidInput.class, () -> plan(Match.WORK, Method.MIXED, Method.SHUFFLED))
                .getMessage();
        assertEquals(
                "--match work, --methods [mixed, shuffled]: expected learned among them, whose work the others are to have",
                message);
        try (SweepPlan plan = plan(Match.WORK, Method.MIXED, Method.LEARNED);
                SweepPlan other = plan(Match.EPOCHS, Method.MIXED, Method.LEARNED)) {
            Player.work(plan, folder, new Player());
            message = assertThrows(InvalidInput.class, () -> SweepResults.requireSame(folder, other.common()))
                    .getMessage();
            assertTrue(message.contains("match is 'work' there and 'epochs' here"), message);
        }
        assertFalse(Method.FLEXCONV.takesWork());
    }
}

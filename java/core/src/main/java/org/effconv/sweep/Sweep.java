package org.effconv.sweep;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.function.Function;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.error.EffconvException.JobFailed;
import org.effconv.io.Folders;
import org.effconv.io.Json;
import org.effconv.train.StopSignal;
import org.effconv.train.Work;

/**
 * Works through a plan: runs what has no row yet, some at a time, and writes a row for each run that ends. Trainings
 * that are bit for bit the same (a search that kept the uniform sizes) are run once and get a row each.
 */
public final class Sweep {
    private final SweepPlan plan;
    private final SweepResults results;
    private final int jobs;
    private final Launcher launcher;
    private final Listener listener;
    private final List<SweepRun> pending = new ArrayList<>();
    private final Set<String> running = new HashSet<>();
    private final Set<String> runningTrainings = new HashSet<>();
    private final Map<String, String> failures = new HashMap<>();
    private final Map<String, String> finishedTrainings = new HashMap<>(); // SweepRun.training to the id of a row
    private final BlockingQueue<End> ended = new LinkedBlockingQueue<>();

    /** Runs one job somewhere else. */
    @FunctionalInterface
    public interface Launcher {
        /**
         * Starts {@link SweepJob#run} in a folder.
         *
         * @return completes when it has ended; exceptionally, with a message for people, if it failed
         */
        CompletionStage<Void> start(SweepRun run, Path folder);
    }

    /** Hears how a sweep goes, on the thread of {@link #run}. */
    public interface Listener {
        default void onStart(SweepRun run) {}

        /** A row was written; {@code left} runs have none yet. */
        default void onRow(ObjectNode row, int left) {}

        default void onFailure(SweepRun run, String message) {}
    }

    private record End(SweepRun run, Path folder, Throwable failure) {}

    private static final End STOP = new End(null, null, null); // of the sweep, by another thread

    public Sweep(SweepPlan plan, SweepResults results, int jobs, Launcher launcher, Listener listener) {
        this.plan = plan;
        this.results = results;
        this.jobs = jobs;
        this.launcher = launcher;
        this.listener = listener;
    }

    /**
     * Runs whose row is missing.
     *
     * @param rows finished ones by id; null for those that are not
     * @throws InvalidInput if a row was made with another architecture or dataset of the same name
     */
    public static List<SweepRun> missing(SweepPlan plan, Function<String, ObjectNode> rows) {
        List<SweepRun> missing = new ArrayList<>();
        for (SweepRun run : plan.runs()) {
            ObjectNode row = rows.apply(run.id());
            if (row == null) {
                missing.add(run);
            } else if (!row.path("dataDigest").asText().equals(run.data().digest())) {
                throw new InvalidInput("run '" + run.id() + "' was made with other data named '"
                        + run.data().name() + "'; expected the same, or another --out");
            } else if (!row.path("archDigest")
                    .asText()
                    .equals(run.architecture().digest())) {
                throw new InvalidInput("run '" + run.id() + "' was made with another architecture named '"
                        + run.architecture().name() + "'; expected the same, or another --out");
            }
        }
        return missing;
    }

    /**
     * Runs everything that has no row yet. A run that fails is left out, and so is what needs it; the others go on.
     *
     * @throws JobFailed at the end, if runs failed: their rows are missing and the same sweep tries them again
     * @throws StopSignal.Stopped after {@link #stop}
     */
    public void run() throws InterruptedException {
        plan.runs().stream()
                .filter(run -> results.row(run.id()) != null && run.kind() != SweepRun.Kind.SEARCH)
                .forEach(run -> remember(run, results.row(run.id())));
        plan.runs().stream()
                .filter(run -> results.row(run.id()) != null)
                .forEach(run -> Folders.remove(results.work(run))); // killed behind its row
        pending.addAll(missing(plan, results::row));
        while (true) {
            startWhatCan();
            if (running.isEmpty()) {
                break;
            }
            End end = ended.take();
            if (end.equals(STOP)) {
                throw new StopSignal.Stopped("the sweep was stopped with "
                        + results.rows().size() + " of " + plan.runs().size() + " runs done");
            }
            finish(end);
        }
        if (!failures.isEmpty()) {
            throw new JobFailed(failures.size() + " of " + plan.runs().size() + " runs have no row: "
                    + failures.entrySet().stream()
                            .sorted(Map.Entry.comparingByKey())
                            .map(e -> e.getKey() + ": " + e.getValue())
                            .reduce((a, b) -> a + "; " + b)
                            .orElseThrow());
        }
    }

    /**
     * Lets {@link #run} end, from any thread; rows that are written stay, and what still runs is the launcher's to end.
     */
    public void stop() {
        ended.add(STOP);
    }

    private void startWhatCan() {
        boolean again = true;
        while (again) { // a row that costs nothing may let others start
            again = false;
            for (Iterator<SweepRun> i = pending.iterator(); i.hasNext(); ) {
                if (next(i.next())) {
                    i.remove();
                    again = true;
                }
            }
        }
    }

    // Whether the run needs no further look: started, written or given up.
    private boolean next(SweepRun planned) {
        SweepRun run = planned;
        if (run.search() != null) {
            if (failures.containsKey(run.search())) {
                fail(run, "its search failed");
                return true;
            }
            ObjectNode search = results.row(run.search());
            if (search == null) {
                return false;
            }
            try {
                run = plan.resolved(
                        run, sizes(search, search.path("result")), work(search).search());
            } catch (JobFailed | InvalidInput e) {
                fail(run, e.getMessage());
                return true;
            }
        }
        if (run.kind() != SweepRun.Kind.SEARCH) {
            String same = finishedTrainings.get(run.training());
            if (same != null) {
                write(run, results.row(same), same);
                return true;
            }
            if (runningTrainings.contains(run.training())) {
                return false;
            }
        }
        if (running.size() >= jobs) {
            return false;
        }
        start(run);
        return true;
    }

    private void start(SweepRun run) {
        Path folder = results.work(run);
        SweepJob.prepare(folder, run, plan);
        running.add(run.id());
        if (run.kind() != SweepRun.Kind.SEARCH) {
            runningTrainings.add(run.training());
        }
        listener.onStart(run);
        if (SweepJob.ended(folder)) { // killed between its end and its row
            ended.add(new End(run, folder, null));
            return;
        }
        launcher.start(run, folder)
                .whenComplete((nothing, failure) -> ended.add(new End(
                        run,
                        folder,
                        failure instanceof CompletionException && failure.getCause() != null
                                ? failure.getCause()
                                : failure)));
    }

    private void finish(End end) {
        SweepRun run = end.run;
        running.remove(run.id());
        if (run.kind() != SweepRun.Kind.SEARCH) {
            runningTrainings.remove(run.training());
        }
        if (end.failure != null) {
            fail(run, end.failure.getMessage());
            return;
        }
        try {
            ObjectNode result = SweepJob.result(end.folder);
            if (result == null) {
                fail(run, "ended without a result");
            } else {
                write(run, result, null);
            }
        } catch (InvalidInput e) {
            fail(run, e.getMessage() + "; once that file is removed, the run goes on");
        }
    }

    private void fail(SweepRun run, String message) {
        failures.put(run.id(), message);
        listener.onFailure(run, message);
    }

    private void write(SweepRun run, ObjectNode outcome, String same) {
        ObjectNode row = run.identity().put(Match.KEY, plan.match().text());
        if (same != null) {
            row.put("sameTrainingAs", same);
        }
        ObjectNode search = run.method().searches() && run.search() != null ? results.row(run.search()) : null;
        if (search != null) {
            ObjectNode told = row.putObject("search");
            told.put("id", run.search());
            for (String key : List.of("sizes", "softSizes", "seconds", "steps", "stepMillis")) {
                told.set(key, search.path("result").path(key));
            }
        }
        ObjectNode result = ((ObjectNode) outcome.path("result")).deepCopy();
        RunWork work = work(
                run,
                search,
                same != null
                        ? work(outcome).training()
                        : Json.convert(result.remove(RunWork.KEY), Work.class, run.id() + ": result.work"));
        int[] sizes = sizes(row, result);
        result.put("multiplyAdds", plan.multiplyAdds(run.withSizes(sizes)));
        result.put(
                "budgetDeviation",
                plan.deviation(run, sizes, result.path("parameters").asLong()));
        row.set("result", result);
        row.set(RunWork.KEY, work.toJson(plan.uniformEpochs(run, work.all())));
        ObjectNode environment = ((ObjectNode) outcome.path("environment")).deepCopy();
        row.set("environment", same == null ? environment.put("jobs", jobs) : environment);
        row.set("settings", run.settings().toJson());
        if (run.settings().countTime()) {
            row.put(SweepResults.TABLE, plan.tableDigest());
        }
        results.append(row);
        Folders.remove(results.work(run));
        if (run.kind() != SweepRun.Kind.SEARCH) {
            remember(run, row);
        }
        listener.onRow(row, pending.size() - (same == null ? 0 : 1) + running.size());
    }

    // own: of the run itself; search: the row of the one that found its sizes, or null
    private RunWork work(SweepRun run, ObjectNode search, Work own) {
        return run.kind() == SweepRun.Kind.SEARCH
                ? new RunWork(own, Work.NONE)
                : new RunWork(search == null ? Work.NONE : work(search).search(), own);
    }

    private RunWork work(ObjectNode row) {
        return RunWork.of(row, results.file() + ": " + row.path("id").asText());
    }

    private void remember(SweepRun run, ObjectNode row) {
        SweepRun trained = run.withSizes(sizes(row, row.path("result")))
                .withEpochs(row.path("epochs").asInt());
        finishedTrainings.putIfAbsent(trained.training(), run.id());
    }

    private int[] sizes(ObjectNode row, JsonNode result) {
        return Json.convert(
                result.path("sizes"),
                int[].class,
                results.file() + ": " + row.path("id").asText() + ": sizes");
    }
}

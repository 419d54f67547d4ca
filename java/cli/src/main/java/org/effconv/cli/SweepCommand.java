package org.effconv.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.effconv.Device;
import org.effconv.Setting;
import org.effconv.Settings;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.io.ShellWord;
import org.effconv.sweep.Match;
import org.effconv.sweep.Method;
import org.effconv.sweep.Sweep;
import org.effconv.sweep.SweepEstimate;
import org.effconv.sweep.SweepOptions;
import org.effconv.sweep.SweepPlan;
import org.effconv.sweep.SweepResults;
import org.effconv.sweep.SweepRun;
import org.effconv.train.StopSignal;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/**
 * {@code effconv sweep}: learned sizes and plain ones, over budgets, seeds, architectures and data, into one results
 * file.
 */
@Command(
        name = "sweep",
        mixinStandardHelpOptions = true,
        description = {
            "Trains networks of learned and of plainly chosen kernel sizes, for every combination of what is listed.",
            "Writes a line per run to DIR/results.jsonl; 'effconv compare' makes the table. After a stop the same "
                    + "command goes on, and repeats no finished run."
        })
final class SweepCommand implements Callable<Integer> {
    private static final Pattern RANGE = Pattern.compile("(-?\\d{1,18})-(-?\\d{1,18})");
    private static final int MOST_SEEDS = 10_000;

    /** Settings that are one value for the whole sweep, with the table's defaults. */
    static List<Setting<?>> offered() {
        return Settings.table().stream()
                .filter(s -> !Set.of(
                                Settings.ARCH,
                                Settings.DATA,
                                Settings.TRAIN_IMAGES,
                                Settings.BUDGET,
                                Settings.SEED,
                                Settings.VALIDATION,
                                Settings.THREADS,
                                Settings.COMPARE,
                                Settings.COMPARE_SHAPES,
                                Settings.WARM_START)
                        .contains(s))
                .collect(Collectors.toList());
    }

    /** For help and defaults. */
    static final class MethodNames extends ArrayList<String> {
        private static final long serialVersionUID = 1L;

        MethodNames() {
            super(Method.all().stream().map(Method::text).toList());
        }
    }

    /** For help. */
    static final class MatchNames extends ArrayList<String> {
        private static final long serialVersionUID = 1L;

        MatchNames() {
            super(Match.names());
        }
    }

    @Spec
    private CommandSpec spec;

    @Option(
            names = "--out",
            paramLabel = "DIR",
            required = true,
            description = "Folder of the sweep, required. If it holds this sweep already, the sweep goes on.")
    private Path out;

    @Option(
            names = "--methods",
            paramLabel = "METHOD,...",
            hideParamSyntax = true,
            split = ",",
            description = "Ways to choose sizes: ${COMPLETION-CANDIDATES}. docs/reference/sweeps.md explains each. "
                    + "(default: all)",
            completionCandidates = MethodNames.class)
    private List<String> methods = new MethodNames();

    @Option(
            names = "--arch",
            paramLabel = "ARCH,...",
            hideParamSyntax = true,
            defaultValue = "${sys:effconv.arch:-cnn6}",
            split = ",",
            description = "Architectures, by name or as .json files. (default: cnn6)")
    private List<String> architectures;

    @Option(
            names = "--data",
            paramLabel = "DATA",
            defaultValue = "${sys:effconv.data:-fashion-mnist}",
            description = "Dataset, as for learn; may be given several times. (default: fashion-mnist)")
    private List<String> data;

    @Option(
            names = "--train-images",
            paramLabel = "N,...",
            hideParamSyntax = true,
            defaultValue = "${sys:effconv.train-images:-0}",
            split = ",",
            description = "Numbers of training images. 0: all. (default: 0)")
    private List<String> trainImages;

    @Option(
            names = "--budget",
            paramLabel = "BUDGET,...",
            hideParamSyntax = true,
            defaultValue = "${sys:effconv.budget:-k3,k5}",
            split = ",",
            description = "Budgets, as for learn. (default: k3,k5)")
    private List<String> budgets;

    @Option(
            names = "--seed",
            paramLabel = "SEED,...",
            hideParamSyntax = true,
            defaultValue = "${sys:effconv.seed:-1-3}",
            split = ",",
            description = "Seeds, or ranges of them such as 1-3. (default: 1-3)")
    private List<String> seeds;

    @Option(
            names = "--draws",
            paramLabel = "N",
            description = "Networks of random sizes per budget and seed. (default: 3)")
    private int draws = 3;

    @Option(
            names = "--match",
            paramLabel = "M",
            defaultValue = "epochs",
            completionCandidates = MatchNames.class,
            description =
                    "What all networks get as much of, one of ${COMPLETION-CANDIDATES}. work: plain networks train "
                            + "longer, for the multiply-adds that learned ones took in all. (default: epochs)")
    private String match;

    @Option(
            names = "--jobs",
            paramLabel = "N",
            description =
                    "Runs at a time, each a process with --threads threads. (default: half the processors over the "
                            + "threads, at least 1)")
    private Integer jobs;

    @Option(
            names = "--threads",
            paramLabel = "N",
            defaultValue = "${sys:effconv.threads:-1}",
            description = "CPU threads of each run. (default: 1)")
    private String threads;

    @Option(
            names = "--validation",
            paramLabel = "X",
            defaultValue = "${sys:effconv.validation:-0.1}",
            description =
                    "Fraction of the training images held back for validation, the same images in all runs. (default: "
                            + "0.1)")
    private String validation;

    @Option(
            names = "--dry-run",
            description = "List the runs and estimate their time from a few timed steps; write nothing.")
    private boolean dryRun;

    @Override
    public Integer call() throws InterruptedException {
        PrintWriter to = spec.commandLine().getOut();
        SweepOptions options = options();
        int atOnce = jobs != null
                ? jobs
                : Math.max(
                        1,
                        Runtime.getRuntime().availableProcessors()
                                / 2
                                / options.settings().get(Settings.THREADS));
        if (atOnce < 1) {
            throw new InvalidInput("--jobs " + atOnce + ": expected 1 or more");
        }
        Device.requireKnown(options.settings());
        Device.warnOfMoreThreadsThanProcessors(
                atOnce * options.settings().get(Settings.THREADS), "--jobs times --threads");
        try (SweepPlan plan = SweepPlan.of(options, SweepResults.dataNames(out))) {
            SweepResults.requireSame(out, plan.common());
            if (dryRun) {
                list(plan, atOnce, to);
            } else {
                run(plan, atOnce, to);
            }
        }
        return 0;
    }

    private SweepOptions options() {
        Settings settings = SettingOptions.settings(spec.commandLine().getParseResult(), offered())
                .withText(Settings.THREADS, threads, "--threads")
                .withText(Settings.VALIDATION, validation, "--validation")
                .with(Settings.COMPARE, false);
        if (settings.get(Settings.THREADS) == 0) {
            throw new InvalidInput("--threads 0: expected 1 or more, so that all runs compute alike");
        }
        return new SweepOptions(
                architectures,
                data,
                trainImages.stream()
                        .map(n -> Settings.TRAIN_IMAGES.parse(n, "--train-images"))
                        .toList(),
                budgets,
                methods.stream().map(m -> Method.parse(m, "--methods")).toList(),
                seeds.stream().flatMapToLong(SweepCommand::seeds).boxed().toList(),
                draws,
                Match.parse(match, "--match"),
                settings);
    }

    private static LongStream seeds(String text) {
        Matcher range = RANGE.matcher(text.strip());
        if (!range.matches()) {
            return LongStream.of(Settings.SEED.parse(text, "--seed"));
        }
        long first = Long.parseLong(range.group(1));
        long last = Long.parseLong(range.group(2));
        if (last < first || last - first >= MOST_SEEDS) {
            throw new InvalidInput(
                    "--seed '" + text + "': expected a range such as 1-3, of at most " + MOST_SEEDS + " seeds");
        }
        return LongStream.rangeClosed(first, last);
    }

    private void list(SweepPlan plan, int atOnce, PrintWriter to) {
        Map<String, ObjectNode> done = new HashMap<>();
        SweepResults.read(out).forEach(row -> done.put(row.path("id").asText(), row));
        List<SweepRun> missing = Sweep.missing(plan, done::get);
        double seconds;
        try (Device device = Device.open(
                missing.isEmpty()
                        ? plan.runs().get(0).settings()
                        : missing.get(0).settings())) {
            SweepEstimate estimate = new SweepEstimate(plan, device);
            for (SweepRun run : plan.runs()) {
                to.printf(
                        Locale.ROOT,
                        "%-5s %s%s%s%n",
                        done.containsKey(run.id()) ? "done" : "to do",
                        run.id(),
                        sizes(plan, run),
                        done.containsKey(run.id())
                                ? ""
                                : String.format(Locale.ROOT, "  about %s", duration(estimate.seconds(run))));
            }
            seconds = estimate.seconds(missing, atOnce);
        }
        to.printf(
                Locale.ROOT,
                "%d runs, %d to do; about %s with --jobs %d, from a few steps timed one run at a time (without "
                        + "evaluation and start)%n",
                plan.runs().size(),
                missing.size(),
                duration(seconds),
                atOnce);
        to.flush();
    }

    private static String sizes(SweepPlan plan, SweepRun run) {
        if (run.sizes() == null) {
            return run.search() == null ? "" : "  sizes by " + run.search();
        }
        long parameters = plan.parameters(run);
        return String.format(
                Locale.ROOT,
                "  sizes %s, %,d parameters (%+.2f %% off the budget)%s",
                Arrays.stream(run.sizes()).mapToObj(Integer::toString).collect(Collectors.joining(" ")),
                parameters,
                100 * plan.deviation(run, run.sizes(), parameters),
                run.search() == null ? "" : ", epochs by " + run.search());
    }

    private static String duration(double seconds) {
        return seconds < 120
                ? String.format(Locale.ROOT, "%.0f s", seconds)
                : seconds < 7200
                        ? String.format(Locale.ROOT, "%.0f min", seconds / 60)
                        : String.format(Locale.ROOT, "%.1f h", seconds / 3600);
    }

    private void run(SweepPlan plan, int atOnce, PrintWriter to) throws InterruptedException {
        try (SweepResults results = SweepResults.open(out, plan.common());
                SweepProcesses processes = new SweepProcesses()) {
            RunLog.attach(out.resolve("log.txt"));
            List<SweepRun> missing = Sweep.missing(plan, results::row);
            to.printf(
                    Locale.ROOT,
                    "%d runs, %d to do, %d at a time; results in %s%n",
                    plan.runs().size(),
                    missing.size(),
                    atOnce,
                    results.file());
            to.flush();
            Sweep sweep = new Sweep(plan, results, atOnce, processes, reporter(to));
            String goOn = "go on with: " + sameCommand();
            try (Interrupts interrupts =
                    Interrupts.to(sweep::stop, spec.commandLine().getErr(), () -> Optional.of(goOn))) {
                sweep.run();
            } catch (StopSignal.Stopped e) {
                throw new StopSignal.Stopped(e.getMessage() + "; " + goOn);
            }
            to.printf(
                    Locale.ROOT,
                    "all %d runs are done: effconv compare %s%n",
                    plan.runs().size(),
                    results.file());
            to.flush();
        }
    }

    /** What the user typed, for a shell. */
    private String sameCommand() {
        return Stream.concat(
                        Stream.of(spec.root().name()),
                        spec.root().commandLine().getParseResult().originalArgs().stream())
                .map(ShellWord::of)
                .collect(Collectors.joining(" "));
    }

    private static Sweep.Listener reporter(PrintWriter to) {
        return new Sweep.Listener() {
            @Override
            public void onRow(ObjectNode row, int left) {
                List<String> k = new ArrayList<>();
                row.path("result").path("sizes").forEach(size -> k.add(size.asText()));
                String accuracy = row.path("result").has("testAccuracy")
                        ? String.format(
                                Locale.ROOT,
                                "  test %.2f %%",
                                100 * row.path("result").path("testAccuracy").asDouble())
                        : "";
                to.printf(
                        Locale.ROOT,
                        "%s  sizes %s%s  %s (%d left)%n",
                        row.path("id").asText(),
                        String.join(" ", k),
                        accuracy,
                        row.has("sameTrainingAs")
                                ? "same training as "
                                        + row.path("sameTrainingAs").asText()
                                : duration(row.path("result").path("seconds").asDouble()),
                        left);
                to.flush();
            }

            @Override
            public void onFailure(SweepRun run, String message) {
                to.println(run.id() + "  FAILED: " + message);
                to.flush();
            }
        };
    }
}

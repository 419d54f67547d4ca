package org.effconv.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.PrintWriter;
import java.io.Writer;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.function.Supplier;
import org.effconv.Device;
import org.effconv.Job;
import org.effconv.Setting;
import org.effconv.Settings;
import org.effconv.SystemInfo;
import org.effconv.data.Dataset;
import org.effconv.data.Datasets;
import org.effconv.error.EffconvException;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.io.AtomicFile;
import org.effconv.io.Json;
import org.effconv.io.ShellWord;
import org.effconv.nn.Architecture;
import org.effconv.report.RunReport;
import org.effconv.train.RunConfig;
import org.effconv.train.RunFolder;
import org.effconv.train.StopSignal;
import org.effconv.train.TrainingListener;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/**
 * What {@code learn} and {@code train} share: a new run or one that goes on, its folder, its log, its end.
 *
 * @param <J> the job
 * @param <R> its result, which holds device memory
 */
abstract class RunCommand<J extends Job<J>, R extends AutoCloseable> implements Callable<Integer> {
    private static final DateTimeFormatter STAMP = DateTimeFormatter.ofPattern("yyyyMMdd-HHmmss");

    @Spec
    private CommandSpec spec;

    @Option(
            names = "--out",
            paramLabel = "DIR",
            description = "Folder of the run; it must not hold another. (default: runs/<data>-<arch>-<time>)")
    private Path out;

    @Option(
            names = "--resume",
            paramLabel = "DIR",
            description =
                    "Go on with the run in this folder, with its own settings. --data names its data if they were "
                            + "moved.")
    private Path resume;

    @Option(names = "--quiet", description = "Print the summary at the end, and nothing before it.")
    private boolean quiet;

    @Option(
            names = "--json",
            description =
                    "Print events as lines of JSON, and no other text. docs/reference/run-folder.md explains them.")
    private boolean json;

    private final Supplier<List<Setting<?>>> offered; // the table of settings takes as long to load as a help text

    RunCommand(Supplier<List<Setting<?>>> offered) {
        this.offered = offered;
    }

    List<Setting<?>> offered() {
        return offered.get();
    }

    boolean resuming() {
        return resume != null;
    }

    abstract J newJob(Settings settings, Architecture architecture, Dataset data);

    abstract J oldJob(Path folder);

    abstract R run(J job, Device device, Dataset data);

    /** Prints and writes what came out; the device is closed. */
    abstract void report(R result, J job, PrintWriter to, End end);

    /**
     * What a run leaves.
     *
     * @param liveBytes of native memory that are still allocated
     */
    record End(Dataset data, Device device, long liveBytes, Optional<JsonEvents> events) {
        /** Writes summary and report of a run, and prints the former. */
        void tell(Path run, ObjectNode figures, String text, PrintWriter to) {
            figures.put("liveNativeBytes", liveBytes);
            figures.set("environment", SystemInfo.environment(device));
            String all = text + String.format(Locale.ROOT, "live memory    %d native bytes after the run%n", liveBytes);
            AtomicFile.write(run.resolve("summary.json"), Json.pretty(figures));
            AtomicFile.write(run.resolve("summary.txt"), all);
            to.print(all);
            to.println("report         " + RunReport.write(run, data));
            to.println("run folder     " + run);
            events.ifPresent(e -> e.result(run, figures));
        }
    }

    @Override
    public final Integer call() throws Exception {
        if (quiet && json) {
            throw new InvalidInput("--quiet and --json: expected one of them");
        }
        J job;
        Dataset data;
        if (resuming()) {
            if (out != null) {
                throw new InvalidInput("--out and --resume: expected one of them, a run goes on in its own folder");
            }
            job = oldJob(resume);
            takeGiven(job);
            data = job.data();
        } else {
            Settings settings = SettingOptions.settings(spec.commandLine().getParseResult(), offered());
            Device.requireKnown(settings);
            if (out != null) {
                RunFolder.requireFree(out);
            }
            Architecture architecture = Job.architecture(settings.get(Settings.ARCH));
            data = Job.data(settings);
            job = newJob(settings, architecture, data);
            job.out(out != null ? out : standardFolder(settings, architecture));
        }
        return run(job, data);
    }

    private int run(J job, Dataset data) throws Exception {
        StopSignal stop = new StopSignal();
        PrintWriter out = spec.commandLine().getOut();
        PrintWriter nowhere = new PrintWriter(Writer.nullWriter());
        PrintWriter progress = quiet || json ? nowhere : out;
        PrintWriter to = json ? nowhere : out;
        Optional<JsonEvents> events = json ? Optional.of(new JsonEvents(out)) : Optional.empty();
        Console console = new Console(progress, Boolean.getBoolean(Console.TERMINAL) && !quiet && !json);
        job.stopSignal(stop);
        String command = spec.qualifiedName();
        Device opened;
        R result;
        try (Interrupts interrupts =
                        Interrupts.to(stop::request, spec.commandLine().getErr(), () -> goOn(command, job.out()));
                Device device = Device.open(job.settings())) {
            opened = device;
            job.listener(heading(job, device, data, progress)).listener(console);
            events.ifPresent(job::listener);
            try (R r = run(job, device, data)) {
                result = r;
            }
        } catch (StopSignal.Stopped e) {
            throw new StopSignal.Stopped(e.getMessage()
                    + goOn(command, job.out()).map(how -> "; " + how).orElse(""));
        } finally {
            console.close();
        }
        long live = opened.liveBytes();
        report(result, job, to, new End(data, opened, live, events));
        to.flush();
        if (live != 0) {
            throw new EffconvException(
                    live + " bytes of native memory were never given back; this is a bug, please report it");
        }
        return 0;
    }

    // Empty as long as there is no run, and nothing is written.
    static Optional<String> goOn(String command, Path run) {
        return RunConfig.isIn(run)
                ? Optional.of("go on after the last whole epoch with: " + command + " --resume " + ShellWord.of(run))
                : Optional.empty();
    }

    // Called once everything has been checked and the folder exists.
    private TrainingListener heading(J job, Device device, Dataset data, PrintWriter to) {
        return new TrainingListener() {
            private boolean told;

            @Override
            public void onStart(String phase, int epochs, int epochsDone, int batchesPerEpoch) {
                if (!told) {
                    told = true;
                    RunLog.attach(job.out().resolve("log.txt"));
                    to.println(data);
                    to.println("device " + device + ", " + job.architecture().name() + ", seed "
                            + job.settings().get(Settings.SEED));
                    to.println("run folder " + job.out());
                    to.flush();
                }
            }
        };
    }

    // Only places may change, and the job sees to it that the same lies there.
    private void takeGiven(J job) {
        Map<String, String> given = SettingOptions.given(spec.commandLine().getParseResult(), offered());
        Settings places = job.settings();
        List<Setting<?>> moved = new ArrayList<>();
        for (Setting<?> s : offered()) {
            String text = given.get(s.key());
            if (text == null) {
                continue;
            }
            if (s.isPlace()) {
                places = places.withText(s, text, "--" + s.key());
                moved.add(s);
                continue;
            }
            Object value = s.parse(text, "--" + s.key());
            boolean same = s == Settings.ARCH
                    ? Job.architecture(text).equals(job.architecture())
                    : value.equals(job.settings().get(s));
            if (!same) {
                throw new InvalidInput("--" + s.key() + " '" + text + "': the run in " + resume + " has '"
                        + job.settings().get(s) + "', and a run goes on with its own settings");
            }
        }
        job.places(places, moved);
    }

    static Path standardFolder(Settings settings, Architecture architecture) {
        String data = settings.get(Settings.DATA);
        String name = Datasets.isName(data) ? data.replaceAll(",.*", "") : folderName(Path.of(data));
        return Path.of(
                "runs",
                name.replace(':', '-') + "-" + architecture.name() + "-"
                        + LocalDateTime.now(ZoneId.systemDefault()).format(STAMP));
    }

    private static String folderName(Path folder) {
        Path last = folder.toAbsolutePath().normalize().getFileName();
        return last == null ? "data" : last.toString();
    }
}

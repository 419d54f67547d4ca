package org.effconv.cli;

import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import org.effconv.Device;
import org.effconv.KernelSizeSearch;
import org.effconv.Setting;
import org.effconv.Settings;
import org.effconv.backend.OptimizerRule;
import org.effconv.backend.cuda.CudaBackend;
import org.effconv.benchmark.BenchmarkReport;
import org.effconv.benchmark.KernelBenchmark;
import org.effconv.benchmark.KernelCase;
import org.effconv.benchmark.Measurement;
import org.effconv.benchmark.Rates;
import org.effconv.benchmark.Roofline;
import org.effconv.benchmark.Sampling;
import org.effconv.benchmark.SearchStepBenchmark;
import org.effconv.benchmark.StepBenchmark;
import org.effconv.benchmark.StepCase;
import org.effconv.benchmark.Suites;
import org.effconv.benchmark.Target;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.error.EffconvException.MissingNative;
import org.effconv.io.AtomicFile;
import org.effconv.io.Processor;
import org.effconv.io.ThisBuild;
import org.effconv.predict.SearchSettings;
import org.effconv.tensor.DataType;
import org.effconv.train.OptimizerSettings;
import org.effconv.train.Schedule;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code effconv bench}: kernels and training steps against what the device can do at best. */
@Command(
        name = "bench",
        mixinStandardHelpOptions = true,
        description = {
            "Times kernels and whole training steps, and says how near they come to the device's roofline, its best "
                    + "possible speed.",
            "A copy and a matrix product are measured first and set the roofline. On a card the project's kernels and "
                    + "cuDNN take turns, where cuDNN serves the case."
        },
        footer = {
            "",
            "Exit code 1 when a kernel's error is beyond its bound (fp32 1e-5, bf16 1e-2 against fp64) or a step's "
                    + "loss is not finite."
        })
final class BenchCommand implements Callable<Integer> {
    static List<Setting<?>> offered() {
        return List.of(
                Settings.DEVICE,
                Settings.GPU_MEMORY,
                Settings.CONV,
                Settings.GRAPHS,
                Settings.THREADS,
                Settings.PRECISION,
                Settings.BATCH);
    }

    private static final String CUDNN = "cudnn";
    private static final int CPU_COPY = 48 << 20; // fp32 elements: 192 MiB, beyond any cache
    private static final int CPU_MATMUL = 1024;
    private static final int CARD_COPY = 128 << 20;
    private static final int CARD_MATMUL = 8192;
    private static final int SEARCH_ROUNDS = 2; // the first also compiles convolutions

    @Spec
    private CommandSpec spec;

    @Option(
            names = "--suite",
            paramLabel = "NAME",
            description = "Kernels to time; may be repeated: paper, cifar, stl, depthwise, synthesis, cpu or all. "
                    + "(default: cpu on a CPU, else paper; none with --steps)")
    private List<String> suites = List.of();

    @Option(
            names = "--steps",
            split = ",",
            paramLabel = "ARCH:K[:search]",
            description =
                    "Training steps to time instead: architecture and uniform kernel size, on --batch random images. "
                            + "With search, weights come from a search's predictors.")
    private List<String> steps = List.of();

    @Option(
            names = "--search-steps",
            split = ",",
            paramLabel = "ARCH:K",
            description =
                    "How many times as long a step takes while sizes are learned, beside a plain step of uniform size "
                            + "K. Both flows, in processor time; needs --device cpu --threads 1.")
    private List<String> searchSteps = List.of();

    @Option(
            names = "--search-length",
            paramLabel = "N",
            defaultValue = "40",
            description = "Steps of each search that --search-steps times. (default: ${DEFAULT-VALUE})")
    private int searchLength;

    @Option(
            names = "--floors",
            description = "Print only shapes, operations, bytes and the least possible times; opens no device.")
    private boolean floors;

    @Option(
            names = "--repeats",
            paramLabel = "N",
            defaultValue = "30",
            description = "Timed runs of a case. (default: ${DEFAULT-VALUE})")
    private int repeats;

    @Option(
            names = "--seconds",
            paramLabel = "X",
            defaultValue = "2",
            description = "Begin no further run of a case after this many seconds, but make at least three. "
                    + "(default: ${DEFAULT-VALUE})")
    private double seconds;

    @Option(
            names = "--warm",
            description = "Leave caches as the run before left them. (default: overwritten before each run)")
    private boolean warm;

    @Option(names = "--csv", paramLabel = "FILE", description = "Write the kernels' rows as CSV.")
    private Path csv;

    @Option(names = "--json", paramLabel = "FILE", description = "Write everything as JSON.")
    private Path json;

    @Option(
            names = "--plot",
            paramLabel = "BASE",
            description = "Write a roofline plot of the kernels as BASE.png and BASE.svg.")
    private Path plot;

    @Option(
            names = "--bf16-tflops",
            paramLabel = "X",
            description = "Assumed tensor rate for --floors. (default: 788, as others measured it on an H200)")
    private Double bf16;

    @Option(
            names = "--fp32-tflops",
            paramLabel = "X",
            description = "Assumed fp32 rate for --floors. (default: 60, 90 %% of an H200's data sheet)")
    private Double fp32;

    @Option(
            names = "--memory-tbs",
            paramLabel = "X",
            description = "Assumed memory rate for --floors. (default: 4.3, as others measured it on an H200)")
    private Double memory;

    @Override
    public Integer call() {
        Settings settings = SettingOptions.settings(spec.commandLine().getParseResult(), offered());
        check();
        if (!searchSteps.isEmpty()) {
            return searchSteps(settings);
        }
        List<StepCase> stepCases =
                steps.stream().map(s -> step(s, settings.get(Settings.BATCH))).toList();
        BenchmarkReport report = floors ? floors() : measured(settings, stepCases);
        PrintWriter to = spec.commandLine().getOut();
        to.print(report.table());
        to.flush();
        if (csv != null) {
            AtomicFile.write(csv, report.csv());
        }
        if (json != null) {
            AtomicFile.write(json, report.json());
        }
        if (plot != null) {
            RooflineChart.of(report, floors ? "floors at assumed rates" : "effconv bench")
                    .write(plot);
        }
        return report.passes() ? 0 : Effconv.FAILED;
    }

    private void check() {
        if (repeats < 1 || !(seconds > 0)) {
            throw new ParameterException(
                    spec.commandLine(),
                    "--repeats " + repeats + ", --seconds " + seconds + ": expected at least 1, and above 0");
        }
        if (!floors && (bf16 != null || fp32 != null || memory != null)) {
            throw new ParameterException(
                    spec.commandLine(), "rates are assumed with --floors alone; a device's are measured");
        }
        if (floors && !steps.isEmpty() || !steps.isEmpty() && suites.isEmpty() && (csv != null || plot != null)) {
            throw new ParameterException(
                    spec.commandLine(), "--steps have no floors, CSV or plot; expected --suite with those, or --json");
        }
        if (!searchSteps.isEmpty()
                && (floors
                        || !steps.isEmpty()
                        || !suites.isEmpty()
                        || csv != null
                        || json != null
                        || plot != null
                        || searchLength < 1)) {
            throw new ParameterException(
                    spec.commandLine(), "--search-steps stand alone, with --search-length of at least 1");
        }
        for (String suite : suites) {
            if (!suite.equals("all") && Suites.of(suite).isEmpty()) {
                throw new InvalidInput("--suite '" + suite + "': expected " + String.join(", ", Suites.CARD) + ", "
                        + Suites.CPU + " or all");
            }
        }
    }

    private StepCase step(String text, int batch) {
        String[] parts = text.split(":");
        boolean search = parts.length == 3 && parts[2].equals("search");
        if (parts.length < 2 || parts.length > 3 || parts.length == 3 && !search || !parts[1].matches("[0-9]{1,2}")) {
            throw new InvalidInput("--steps '" + text
                    + "': expected architecture:size or architecture:size:search, such as resnet20:7");
        }
        StepCase c = new StepCase(parts[0], Integer.parseInt(parts[1]), search, batch, DataType.F32);
        c.check();
        return c;
    }

    private int searchSteps(Settings settings) {
        PrintWriter to = spec.commandLine().getOut();
        List<StepCase> cases = searchSteps.stream()
                .map(s -> step(s + ":search", settings.get(Settings.BATCH)))
                .toList();
        try (Device device = Device.open(settings)) {
            if (!device.name().equals("cpu") || settings.get(Settings.THREADS) != 1) {
                throw new InvalidInput(
                        "--search-steps count the processor time of one thread; expected --device cpu --threads 1");
            }
            List<DataType> types = device.activationType() == DataType.F32
                    ? List.of(DataType.F32)
                    : List.of(DataType.F32, device.activationType());
            SearchStepBenchmark benchmark = new SearchStepBenchmark(
                    searchLength,
                    SEARCH_ROUNDS,
                    new OptimizerSettings(
                            OptimizerRule.adamW(), Settings.ADAMW_RATE, Settings.ADAMW_DECAY, Schedule.constant(0)));
            Map<String, SearchSettings> searches = new LinkedHashMap<>();
            searches.put("search of two stages", KernelSizeSearch.searchSettings(settings));
            searches.put("probe of one run", KernelSizeSearch.probeSettings(settings));
            for (Map.Entry<String, SearchSettings> search : searches.entrySet()) {
                to.print(search.getKey() + "\n" + SearchStepBenchmark.Result.heading());
                List<SearchStepBenchmark.Result> results = new ArrayList<>();
                for (DataType type : types) {
                    for (StepCase c : cases) {
                        StepCase typed = new StepCase(c.architecture(), c.kernel(), true, c.batch(), type);
                        results.add(benchmark.measure(device.backend(), typed, search.getValue()));
                        to.print(results.get(results.size() - 1).line());
                        to.flush();
                    }
                }
                to.printf(Locale.ROOT, "geometric mean %.3f%n", SearchStepBenchmark.geometricMean(results));
            }
        }
        to.flush();
        return 0;
    }

    private List<KernelCase> cases(List<String> standard) {
        List<String> names = suites.isEmpty() ? steps.isEmpty() ? standard : List.of() : suites;
        return names.stream()
                .flatMap(n -> n.equals("all") ? Suites.CARD.stream() : List.of(n).stream())
                .flatMap(n -> Suites.of(n).stream())
                .toList();
    }

    private BenchmarkReport floors() {
        Rates a = Rates.assumed();
        Rates rates = new Rates(
                bf16 == null ? a.tensorFlops() : bf16 * 1e12,
                fp32 == null ? a.fp32Flops() : fp32 * 1e12,
                memory == null ? a.bytes() : memory * 1e12,
                false);
        BenchmarkReport report = new BenchmarkReport(Map.of("device", "none (floors only)"), rates);
        cases(List.of("paper")).forEach(c -> report.add(new BenchmarkReport.Row(c, "", null)));
        return report;
    }

    private BenchmarkReport measured(Settings settings, List<StepCase> stepCases) {
        List<Device> devices = new ArrayList<>();
        try {
            Map<String, String> facts = new LinkedHashMap<>();
            List<Target> targets = open(settings, devices, facts);
            return measure(settings, devices.get(0), targets, facts, stepCases);
        } finally {
            devices.forEach(Device::close);
        }
    }

    /**
     * The sides: the CPU; a card by our kernels and, where it is there, by cuDNN; a card by the one that --conv names.
     */
    private List<Target> open(Settings settings, List<Device> devices, Map<String, String> facts) {
        Device first = Device.open(settings);
        devices.add(first);
        facts.put(
                "command",
                "effconv "
                        + String.join(
                                " ", spec.root().commandLine().getParseResult().originalArgs()));
        facts.put("date", Instant.now().truncatedTo(ChronoUnit.SECONDS).toString());
        facts.put("version", Version.number() + ", commit " + ThisBuild.commit());
        facts.put("machine", Processor.line());
        facts.put("device", first.toString());
        facts.put(
                "runs",
                repeats + " repeats at most, " + seconds + " s at most, " + (warm ? "warm" : "cold") + " caches");
        if (first.name().equals("cpu") || !settings.get(Settings.CONV).equals("auto")) {
            return List.of(
                    new Target(first.name().equals("cpu") ? "cpu" : settings.get(Settings.CONV), first.backend()));
        }
        devices.remove(first);
        first.close();
        Settings card = settings.with(Settings.DEVICE, first.name());
        List<Target> targets = new ArrayList<>();
        for (String conv : List.of("own", CUDNN)) {
            try {
                Device device = Device.open(card.with(Settings.CONV, conv));
                devices.add(device);
                targets.add(new Target(conv, device.backend()));
            } catch (MissingNative e) {
                if (targets.isEmpty()) {
                    throw e;
                }
                facts.put("left out", "pairs with cuDNN: " + e.getMessage());
            }
        }
        return targets;
    }

    private static long libraryPasses(Target target) {
        return target.backend() instanceof CudaBackend cuda ? cuda.libraryPasses() : 0;
    }

    private BenchmarkReport measure(
            Settings settings,
            Device device,
            List<Target> targets,
            Map<String, String> facts,
            List<StepCase> stepCases) {
        boolean cpu = device.name().equals("cpu");
        boolean bf16Too = device.activationType() == DataType.BF16;
        List<KernelCase> all = cases(List.of(cpu ? Suites.CPU : "paper"));
        List<KernelCase> cases =
                all.stream().filter(c -> c.type() != DataType.BF16 || bf16Too).toList();
        if (cases.size() < all.size()) {
            facts.put(
                    "left out",
                    (all.size() - cases.size()) + " cases in bf16, which "
                            + (settings.get(Settings.PRECISION).equals("fp32")
                                    ? "--precision fp32 leaves out"
                                    : "this device does not compute in"));
        }
        Target last = targets.get(targets.size() - 1); // the library, where there is one: it sets the roof
        Rates rates = cases.isEmpty()
                ? null
                : Roofline.measure(last.backend(), cpu ? CPU_COPY : CARD_COPY, cpu ? CPU_MATMUL : CARD_MATMUL, bf16Too);
        BenchmarkReport report = new BenchmarkReport(facts, rates);
        Sampling sampling = new Sampling(repeats, seconds, !warm);
        KernelBenchmark kernels = new KernelBenchmark(sampling);
        for (KernelCase c : cases) {
            List<Long> before =
                    targets.stream().map(BenchCommand::libraryPasses).toList();
            List<Measurement> measurements = kernels.measure(c, targets);
            for (int i = 0; i < targets.size(); i++) {
                Target target = targets.get(i);
                if (target.name().equals(CUDNN) && libraryPasses(target) == before.get(i)) {
                    continue; // left to our kernels, and a time of theirs is none of cuDNN's
                }
                report.add(new BenchmarkReport.Row(c, target.name(), measurements.get(i)));
            }
        }
        StepBenchmark whole = new StepBenchmark(sampling);
        for (StepCase c : stepCases) {
            StepCase typed = new StepCase(c.architecture(), c.kernel(), c.search(), c.batch(), device.activationType());
            List<StepBenchmark.Result> results = whole.measure(typed, targets);
            for (int i = 0; i < targets.size(); i++) {
                report.add(new BenchmarkReport.StepRow(typed, targets.get(i).name(), results.get(i)));
            }
        }
        return report;
    }
}

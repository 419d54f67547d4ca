package org.effconv.bench;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.LocalDate;
import java.time.ZoneId;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import org.bytedeco.javacpp.PointerScope;
import org.effconv.benchmark.Clock;
import org.effconv.io.Processor;
import org.effconv.predict.SearchSettings;
import org.effconv.tensor.DataType;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Times training steps: ours against PyTorch's, or a search step against a plain one. */
@Command(name = "step-comparison", mixinStandardHelpOptions = true, showDefaultValues = true)
final class StepComparison implements Callable<Integer> {
    /** What the other side of each pair is. */
    enum Against {
        PYTORCH,
        SEARCH,
        PROFILE,
        PROFILE_SEARCH
    }

    @Option(
            names = "--against",
            defaultValue = "PYTORCH",
            description =
                    "${COMPLETION-CANDIDATES}; PROFILE times the operations of our step alone, or of a search step")
    private Against against;

    @Option(names = "--networks", split = ",", defaultValue = "lenet,cnn6,resnet20,flexnet3")
    private List<String> networks;

    @Option(names = "--kernels", split = ",", defaultValue = "3,7,11")
    private List<Integer> kernels;

    @Option(names = "--precisions", split = ",", defaultValue = "F32,BF16")
    private List<DataType> precisions;

    @Option(names = "--threads", split = ",", defaultValue = "1,2")
    private List<Integer> threads;

    @Option(names = "--batch", defaultValue = "128")
    private int batch;

    @Option(names = "--pairs", defaultValue = "7")
    private int pairs;

    @Option(
            names = "--turn",
            defaultValue = "0.1",
            description = "seconds that each turn of a pair repeats its step for, at least")
    private double turn;

    @Option(
            names = "--clock",
            defaultValue = "WALL",
            description = "${COMPLETION-CANDIDATES}; THREAD: processor time of one thread")
    private Clock clock;

    @Option(names = "--spread", description = "of the search's sizes; its default if not given")
    private Double spread;

    @Option(
            names = "--at",
            defaultValue = "0.5",
            description = "which fraction of the search is over: in the middle sizes move, too")
    private double at;

    @Option(names = "--out", description = "writes PATH.md and PATH.json")
    private Path out;

    @Option(names = "--commit", defaultValue = "unknown", description = "goes into the results")
    private String commit;

    public static void main(String[] arguments) {
        System.exit(new CommandLine(new StepComparison()).execute(arguments));
    }

    @Override
    public Integer call() throws IOException {
        if (clock == Clock.THREAD && !threads.equals(List.of(1))) {
            throw new CommandLine.ParameterException(
                    new CommandLine(this), "--clock THREAD counts one thread; add --threads 1");
        }
        if (against == Against.PROFILE || against == Against.PROFILE_SEARCH) {
            each(this::profile);
            return 0;
        }
        boolean search = against == Against.SEARCH;
        Results results = new Results(
                        search
                                ? "A search step over a plain step of the same sizes, " + at + " of the search over"
                                : "A training step on a CPU against PyTorch")
                .fact("batch", batch + ", " + pairs + " pairs, SGD with momentum, random images")
                .fact(
                        "machine",
                        Processor.line() + ", Java " + Runtime.version().feature())
                .fact("clock", clock == Clock.WALL ? "wall" : "processor time of the calling thread")
                .fact("date", LocalDate.now(ZoneId.systemDefault()).toString())
                .fact("commit", commit);
        each(c -> {
            Results.Row row = search ? againstSearch(c) : againstTorch(c);
            results.add(row);
            write(results);
            PairedTiming t = row.timing();
            System.out.printf(
                    Locale.ROOT,
                    "%-34s ours %9.3f ms  %s %9.3f ms  ratio %.2f (%.2f .. %.2f)%n",
                    c,
                    t.secondsA() * 1e3,
                    row.side(),
                    t.secondsB() * 1e3,
                    t.ratio(),
                    t.low(),
                    t.high());
        });
        System.out.printf(Locale.ROOT, "geometric mean %.3f%n", results.geometricMean());
        return 0;
    }

    /** After every row, so that a run that is cut short leaves what it has measured. */
    private void write(Results results) {
        try {
            if (out != null) {
                results.write(out);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void each(Consumer<Configuration> body) {
        for (int t : threads) {
            for (DataType precision : precisions) {
                for (String network : networks) {
                    for (int k : kernels) {
                        body.accept(new Configuration(network, k, precision, t, batch));
                    }
                }
            }
        }
    }

    private Results.Row againstTorch(Configuration c) {
        try (PointerScope scope = new PointerScope();
                EffconvStep ours = EffconvStep.plain(c, UnaryOperator.identity())) {
            double plain;
            double last;
            try (TorchStep step = new TorchStep(c, false)) {
                plain = PairedTiming.quickest(step, 1, clock);
            }
            try (TorchStep step = new TorchStep(c, true)) {
                last = PairedTiming.quickest(step, 1, clock);
            }
            try (TorchStep step = new TorchStep(c, last <= plain)) {
                return new Results.Row(
                        c, last <= plain ? "NHWC" : "NCHW", PairedTiming.of(ours, step, pairs, turn, clock));
            }
        }
    }

    private Results.Row againstSearch(Configuration c) {
        try (EffconvStep ours = EffconvStep.plain(c, UnaryOperator.identity());
                EffconvStep search = EffconvStep.search(c, searchSettings(), at, UnaryOperator.identity())) {
            return new Results.Row(c, "search", PairedTiming.of(ours, search, pairs, turn, clock));
        }
    }

    private SearchSettings searchSettings() {
        SearchSettings settings = SearchSettings.standard();
        return spread == null ? settings : settings.change().spread(spread).build();
    }

    private void profile(Configuration c) {
        OperationTimes times = new OperationTimes(clock);
        try (EffconvStep step = against == Against.PROFILE
                ? EffconvStep.plain(c, times::around)
                : EffconvStep.search(c, searchSettings(), at, times::around)) {
            double quickest = PairedTiming.quickest(step, 5, clock);
            int steps = (int) Math.max(3, Math.ceil(turn / quickest));
            times.clear();
            long start = clock.nanoseconds();
            for (int i = 0; i < steps; i++) {
                step.run();
            }
            System.out.println(c + "\n" + times.table(steps, (clock.nanoseconds() - start) * 1e-9 / steps));
        }
    }
}

package org.effconv.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.io.AtomicFile;
import org.effconv.report.ComparisonReport;
import org.effconv.sweep.Comparison;
import org.effconv.sweep.ComparisonTable;
import org.effconv.sweep.SweepResults;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code effconv compare}: tables, plots and a page of sweeps and runs. */
@Command(
        name = "compare",
        mixinStandardHelpOptions = true,
        description = {
            "Compares the networks of sweeps: learned sizes against each other way to choose them, with mean and "
                    + "spread over the seeds. "
                    + "Prints the table and writes comparison.md, comparison.csv and plots of accuracy against "
                    + "parameters and against work, the multiply-adds it took.",
            "Of runs it prints a table, too. --report writes a page of either."
        })
final class CompareCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Parameters(
            paramLabel = "RUN|FILE",
            arity = "1..*",
            description = "A run's folder, a sweep's folder, or a results.jsonl that a sweep wrote.")
    private List<Path> inputs;

    @Option(
            names = "--out",
            paramLabel = "DIR",
            description = "Folder for the table and the plots of sweeps. (default: the folder of the first file)")
    private Path out;

    @Option(names = "--report", paramLabel = "FILE", description = "Write a page that shows all in one HTML file.")
    private Path report;

    @Override
    public Integer call() {
        List<Path> files = new ArrayList<>();
        List<Path> runs = new ArrayList<>();
        for (Path input : inputs) {
            Path rows = input.resolve(SweepResults.FILE);
            if (Files.isRegularFile(rows)) {
                files.add(rows);
            } else {
                (Files.isDirectory(input) ? runs : files).add(input);
            }
        }
        if (files.isEmpty() && out != null) {
            throw new InvalidInput("--out: is for the table and plots of sweeps; of runs expected --report FILE");
        }
        PrintWriter to = spec.commandLine().getOut();
        if (!runs.isEmpty()) {
            to.print(ComparisonReport.of(List.of(), runs).toText());
        }
        if (!files.isEmpty()) {
            compareSweeps(files, to);
        }
        if (report != null) {
            ComparisonReport.of(files, runs).write(report);
            to.println("report " + report);
        }
        to.flush();
        return 0;
    }

    private void compareSweeps(List<Path> files, PrintWriter to) {
        Comparison comparison = Comparison.of(files);
        Path folder = out != null ? out : files.get(0).toAbsolutePath().getParent();
        if (Files.exists(folder) && !Files.isDirectory(folder)) {
            throw new InvalidInput("--out " + folder + ": is no folder");
        }
        try {
            Files.createDirectories(folder);
        } catch (IOException e) {
            throw new UncheckedIOException("cannot create " + folder + ": " + e, e);
        }
        String markdown = ComparisonTable.markdown(comparison);
        AtomicFile.write(folder.resolve("comparison.md"), markdown);
        AtomicFile.write(folder.resolve("comparison.csv"), ComparisonTable.csv(comparison));
        to.print(markdown);
        for (Comparison.Task task : comparison.tasks()) {
            for (ComparisonChart.Axis axis : ComparisonChart.Axis.values()) {
                ComparisonChart.of(comparison, task, axis)
                        .ifPresent(chart -> to.println("plot " + chart.write(folder)));
            }
        }
    }
}

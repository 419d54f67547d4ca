package org.effconv.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.io.AtomicFile;
import org.effconv.sweep.Comparison;
import org.effconv.sweep.ComparisonTable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code effconv compare}: the table and the plots of sweeps. */
@Command(
        name = "compare",
        mixinStandardHelpOptions = true,
        description =
                "Compares the networks of sweeps: learned sizes against each other way to choose them, with mean and "
                        + "spread over the seeds. "
                        + "Prints the table and writes comparison.md, comparison.csv and plots of accuracy against "
                        + "parameters and against work, the multiply-adds it took.")
final class CompareCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Parameters(paramLabel = "FILE", arity = "1..*", description = "A results.jsonl that a sweep wrote.")
    private List<Path> files;

    @Option(
            names = "--out",
            paramLabel = "DIR",
            description = "Folder for the table and the plots. (default: the folder of the first file)")
    private Path out;

    @Override
    public Integer call() {
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
        PrintWriter to = spec.commandLine().getOut();
        to.print(markdown);
        for (Comparison.Task task : comparison.tasks()) {
            for (ComparisonChart.Axis axis : ComparisonChart.Axis.values()) {
                ComparisonChart.of(comparison, task, axis)
                        .ifPresent(chart -> to.println("plot " + chart.write(folder)));
            }
        }
        to.flush();
        return 0;
    }
}

package org.effconv.cli;

import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import org.effconv.report.RunReport;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code effconv report}: the page of a run. */
@Command(
        name = "report",
        mixinStandardHelpOptions = true,
        description = "Writes report.html into run folders: a page that shows sizes, kernels, curves and mistakes. "
                + "'learn' and 'train' do so at their end; a run that was interrupted gets what there is.")
final class ReportCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Parameters(paramLabel = "RUN", arity = "1..*", description = "A run's folder.")
    private List<Path> runs;

    @Override
    public Integer call() {
        PrintWriter to = spec.commandLine().getOut();
        runs.forEach(run -> to.println(RunReport.write(run)));
        to.flush();
        return 0;
    }
}

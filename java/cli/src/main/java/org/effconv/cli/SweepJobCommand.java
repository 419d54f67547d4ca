package org.effconv.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.effconv.sweep.SweepJob;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** One job of a sweep, in a process of its own; started by {@link SweepCommand}. */
@Command(name = SweepJobCommand.NAME, hidden = true, description = "Runs one job of a sweep.")
final class SweepJobCommand implements Callable<Integer> {
    static final String NAME = "sweep-job";
    static final String WITH_PARENT = "--with-parent";

    @Parameters(paramLabel = "DIR", description = "folder with a job.json")
    private Path folder;

    @Option(names = WITH_PARENT, description = "end when standard input ends")
    private boolean withParent;

    @Override
    public Integer call() {
        if (withParent) {
            Thread watch = new Thread(SweepJobCommand::endWithParent, "effconv-parent");
            watch.setDaemon(true);
            watch.start();
        }
        RunLog.attach(folder.resolve("log.txt"));
        SweepJob.run(folder);
        return 0;
    }

    // The parent holds the other end of standard input, however it ends. A run may be cut at any moment.
    private static void endWithParent() {
        try {
            while (System.in.read() >= 0) {
                // waits for the end
            }
        } catch (IOException e) {
            // as good as its end
        }
        Runtime.getRuntime().halt(Effconv.FAILED);
    }
}

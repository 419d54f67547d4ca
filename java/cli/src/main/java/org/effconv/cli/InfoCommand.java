package org.effconv.cli;

import java.io.PrintWriter;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.effconv.SystemInfo;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code effconv info}: what this machine and build can do. */
@Command(
        name = "info",
        mixinStandardHelpOptions = true,
        description = "Lists devices, libraries and versions, and says what is missing and why.")
final class InfoCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() {
        PrintWriter to = spec.commandLine().getOut();
        to.println("effconv      " + Version.number());
        for (SystemInfo.Line line : SystemInfo.lines()) {
            to.printf(Locale.ROOT, "%-12s %s%n", line.what(), line.text());
        }
        to.flush();
        return 0;
    }
}

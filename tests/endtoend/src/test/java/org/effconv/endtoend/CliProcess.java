package org.effconv.endtoend;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The command line in a JVM of its own, to be killed. */
final class CliProcess {
    private CliProcess() {}

    static List<String> command(List<String> arguments) {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx1g",
                "-XX:TieredStopAtLevel=1",
                "-Deffconv.home=" + System.getProperty("effconv.home"),
                "-cp",
                System.getProperty("java.class.path"),
                "org.effconv.cli.Effconv"));
        command.addAll(arguments);
        return command;
    }

    static Process start(List<String> arguments, Path output) throws IOException {
        return new ProcessBuilder(command(arguments))
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.appendTo(output.toFile()))
                .start();
    }
}

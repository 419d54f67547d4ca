package org.effconv.cli;

import java.io.File;
import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.effconv.error.EffconvException;
import org.effconv.error.EffconvException.JobFailed;
import org.effconv.sweep.Sweep;
import org.effconv.sweep.SweepRun;

/**
 * Runs each job of a sweep in a JVM of its own: a crash in native code, a device that is lost for its process, or
 * memory that runs out then costs one run and not the sweep, and a row's peak memory is the run's own. The children end
 * with this process.
 */
final class SweepProcesses implements Sweep.Launcher, AutoCloseable {
    private static final String OUTPUT = "output.txt";
    private static final String ERROR = "effconv: ";

    private final List<Process> started = new ArrayList<>();

    @Override
    public CompletionStage<Void> start(SweepRun run, Path folder) {
        File output = folder.resolve(OUTPUT).toFile();
        try {
            Process process = new ProcessBuilder(command(folder))
                    .redirectErrorStream(true)
                    .redirectOutput(Redirect.to(output))
                    .start();
            started.removeIf(p -> !p.isAlive());
            started.add(process);
            return process.onExit().thenAccept(ended -> {
                if (ended.exitValue() != 0) {
                    throw new JobFailed(reason(output.toPath(), ended.exitValue()));
                }
            });
        } catch (IOException e) {
            return CompletableFuture.failedFuture(new EffconvException("cannot start a process: " + e, e));
        }
    }

    private static List<String> command(Path folder) {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        for (String option : ManagementFactory.getRuntimeMXBean().getInputArguments()) {
            if (!option.startsWith("--module-path")
                    && !option.startsWith("--add-modules")
                    && !option.startsWith("-Djdk.module.")
                    && !option.startsWith("-agent")
                    && !option.startsWith("-javaagent")) {
                command.add(option);
            }
        }
        String main = Effconv.class.getName();
        Module module = Effconv.class.getModule();
        if (module.isNamed()) {
            command.addAll(List.of(
                    "-p",
                    System.getProperty("jdk.module.path"),
                    "--add-modules",
                    "ALL-MODULE-PATH",
                    "-m",
                    module.getName() + "/" + main));
        } else {
            command.addAll(List.of("-cp", System.getProperty("java.class.path"), main));
        }
        command.addAll(List.of(SweepJobCommand.NAME, folder.toString(), SweepJobCommand.WITH_PARENT));
        return command;
    }

    private static String reason(Path output, int code) {
        try {
            return Files.readAllLines(output).stream()
                    .filter(line -> line.startsWith(ERROR) && !line.startsWith(ERROR + "WARN"))
                    .reduce((first, last) -> last)
                    .map(line -> line.substring(ERROR.length()))
                    .orElse("its process ended with code " + code + ", see " + output);
        } catch (IOException e) {
            return "its process ended with code " + code + ", and " + output + " cannot be read: " + e;
        }
    }

    /** Ends the children that still run. */
    @Override
    public void close() {
        for (Process p : started) {
            p.destroyForcibly();
        }
        for (Process p : started) {
            p.onExit().join();
        }
    }
}

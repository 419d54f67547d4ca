package org.effconv.endtoend;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.effconv.cli.Effconv;
import picocli.CommandLine;

/** Runs the command line within this JVM. */
record Cli(int exitCode, String out, String err) {
    /** A task of a second: three sized layers, a few small images, one thread, fp32. */
    static final List<String> SMALL = List.of(
            "--arch",
            "planted3",
            "--data",
            "planted:3,train=64,test=32,size=12",
            "--batch",
            "16",
            "--threads",
            "1",
            "--precision",
            "fp32");

    static Cli run(String... arguments) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        CommandLine line = Effconv.commandLine().setOut(new PrintWriter(out)).setErr(new PrintWriter(err));
        int code = line.execute(arguments);
        return new Cli(code, out.toString(), err.toString());
    }

    static Cli run(List<String> first, String... more) {
        return run(Stream.concat(first.stream(), Stream.of(more)).toArray(String[]::new));
    }

    /** {@code learn} or {@code train} with {@link #SMALL}. */
    static Cli small(String command, String... more) {
        return run(Stream.of(List.of(command), SMALL, List.of(more))
                .flatMap(List::stream)
                .toList());
    }

    /** Every file and folder below a folder, with sizes. */
    static List<String> content(Path folder) {
        try (Stream<Path> all = Files.walk(folder)) {
            return all.sorted()
                    .map(p -> folder.relativize(p) + " "
                            + (Files.isRegularFile(p) ? p.toFile().length() : ""))
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}

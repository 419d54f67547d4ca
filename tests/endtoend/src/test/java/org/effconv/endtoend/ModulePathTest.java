package org.effconv.endtoend;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The modules work as modules, too; the other tests run on the class path. */
class ModulePathTest {
    private static final Pattern OURS = Pattern.compile(
            ".*(/java/(core|export|onnx|report|cli)/target/|/org/bytedeco/|/jackson/|/slf4j/|/logback/|/picocli/|/progressbar/|/jline/|/xchart/|/vectorgraphics2d/|/jcuda/|/tribuo/|/gg/jte/|/protobuf/|/net/razorvine/|/us/hebi/|/commons-text/|/commons-lang3/).*");

    @TempDir
    Path folder;

    @Test
    void aJobRunsOnTheModulePath() throws IOException, InterruptedException {
        String printed = run(Stream.of(
                List.of("learn"),
                Cli.SMALL,
                List.of("--epochs", "1", "--out", folder.resolve("run").toString())));
        assertTrue(printed.contains("test accuracy"), printed);
        String exported = run(Stream.of(List.of("export", folder.resolve("run").toString())));
        assertTrue(exported.contains("output logits"), exported);
        String program = run(Stream.of(List.of("export", folder.resolve("run").toString(), "--format", "pytorch")));
        assertTrue(program.contains("output logits"), program);
    }

    @Test
    void soDoTheProcessesOfASweep() throws IOException, InterruptedException {
        String printed = run(Stream.of(
                List.of("sweep"),
                Cli.SMALL,
                List.of(
                        "--epochs",
                        "1",
                        "--budget",
                        "k3",
                        "--seed",
                        "1",
                        "--methods",
                        "mixed",
                        "--out",
                        folder.resolve("sweep").toString())));
        assertTrue(printed.contains("all 1 runs are done"), printed);
    }

    private static String run(Stream<List<String>> arguments) throws IOException, InterruptedException {
        String all = System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
        String modules = Stream.of(all.split(File.pathSeparator))
                .filter(OURS.asMatchPredicate())
                .collect(Collectors.joining(File.pathSeparator));
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx1g",
                "--add-modules",
                "ALL-MODULE-PATH", // the natives are modules that no module requires
                "-p",
                modules,
                "-m",
                "org.effconv.cli/org.effconv.cli.Effconv"));
        arguments.forEach(command::addAll);
        Process run = new ProcessBuilder(command).redirectErrorStream(true).start();
        String printed = new String(run.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertTrue(run.waitFor(5, TimeUnit.MINUTES), "still running");
        assertEquals(0, run.exitValue(), printed);
        return printed;
    }
}

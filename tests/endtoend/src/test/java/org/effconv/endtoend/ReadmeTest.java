package org.effconv.endtoend;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The programs of README, tutorial and how-tos compile and run as they stand there. */
class ReadmeTest {
    private static final Path HOME = Path.of(System.getProperty("effconv.home"));
    private static final String CLASS_PATH =
            System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));

    @TempDir
    Path folder;

    @Test
    void theExamplesRun() throws IOException, InterruptedException {
        String printed = run("Example", HOME.resolve("README.md"));
        assertTrue(printed.contains("sizes [") && printed.contains("test accuracy "), printed);
        Path model = folder.resolve("lenet.safetensors");
        assertTrue(Files.size(model) > 0);

        String classified = run("Classify", HOME.resolve("docs/tutorial.md"), model.toString());
        assertEquals(
                5,
                classified.lines().filter(line -> line.contains(", in truth ")).count(),
                classified);
    }

    @Test
    void everyJobRuns() throws IOException, InterruptedException {
        String printed = run("EveryJob", HOME.resolve("docs/how-to/every-job-in-java.md"));
        assertTrue(printed.contains("at 3x3's parameters: [") && printed.contains("effective sizes ["), printed);
    }

    /** Compiles the first program of a page and runs it; what it prints. */
    private String run(String name, Path page, String... arguments) throws IOException, InterruptedException {
        Matcher block = Pattern.compile("```java\n(.*?)```", Pattern.DOTALL).matcher(Files.readString(page));
        assertTrue(block.find(), page + " has no java block");
        Path source = Files.writeString(folder.resolve(name + ".java"), block.group(1));
        int compiled = ToolProvider.getSystemJavaCompiler()
                .run(null, null, null, "-cp", CLASS_PATH, "-d", folder.toString(), source.toString());
        assertEquals(0, compiled, "compiler's exit code");

        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx1g",
                "-Deffconv.threads=1",
                "-Deffconv.home=" + HOME,
                "-cp",
                folder + File.pathSeparator + CLASS_PATH,
                name));
        command.addAll(List.of(arguments));
        Path output = folder.resolve(name + ".txt");
        Process run = new ProcessBuilder(command)
                .directory(folder.toFile())
                .redirectErrorStream(true)
                .redirectOutput(output.toFile())
                .start();
        assertTrue(run.waitFor(10, TimeUnit.MINUTES), "still running");
        String printed = Files.readString(output);
        assertEquals(0, run.exitValue(), printed);
        return printed;
    }
}

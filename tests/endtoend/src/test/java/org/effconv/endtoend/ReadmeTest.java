package org.effconv.endtoend;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The README's example compiles and runs as it stands there. */
class ReadmeTest {
    @TempDir
    Path folder;

    @Test
    void theExampleRuns() throws IOException, InterruptedException {
        String readme = Files.readString(Path.of(System.getProperty("effconv.home"), "README.md"));
        Matcher block = Pattern.compile("```java\n(.*?)```", Pattern.DOTALL).matcher(readme);
        assertTrue(block.find(), "README.md has no java block");
        Path source = Files.writeString(folder.resolve("Example.java"), block.group(1));
        String classPath = System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
        int compiled = ToolProvider.getSystemJavaCompiler()
                .run(null, null, null, "-cp", classPath, "-d", folder.toString(), source.toString());
        assertEquals(0, compiled, "compiler's exit code");

        Path output = folder.resolve("output.txt");
        Process run = new ProcessBuilder(List.of(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-Xmx1g",
                        "-Deffconv.threads=1",
                        "-Deffconv.home=" + System.getProperty("effconv.home"),
                        "-cp",
                        folder + File.pathSeparator + classPath,
                        "Example"))
                .directory(folder.toFile())
                .redirectErrorStream(true)
                .redirectOutput(output.toFile())
                .start();
        assertTrue(run.waitFor(10, TimeUnit.MINUTES), "still running");
        String printed = Files.readString(output);
        assertEquals(0, run.exitValue(), printed);
        assertTrue(printed.contains("sizes [") && printed.contains("test accuracy "), printed);
        assertTrue(Files.size(folder.resolve("lenet.safetensors")) > 0);
    }
}

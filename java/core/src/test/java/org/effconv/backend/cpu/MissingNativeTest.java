package org.effconv.backend.cpu;

import static org.junit.jupiter.api.Assertions.*;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.effconv.SystemInfo;
import org.effconv.backend.bridge.NativeLoader;
import org.effconv.error.EffconvException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a user sees where native libraries cannot be loaded; in a process of its own, for loading happens once. */
class MissingNativeTest {
    private static String child(String... options) throws Exception {
        List<String> command = new ArrayList<>(
                List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString()));
        command.addAll(List.of(options));
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), MissingNativeTest.class.getName()));
        Process child = new ProcessBuilder(command).redirectErrorStream(true).start();
        String output = new String(child.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(0, child.waitFor(), output);
        assertTrue(output.contains("class loaded\n"), output);
        assertTrue(output.contains("device cpu: missing"), output);
        return output;
    }

    private static String line(String output, String start) {
        return output.lines().filter(l -> l.startsWith(start)).findFirst().orElse("");
    }

    @Test
    void onAnUnknownPlatformTheFirstFailureIsExplainedAndKept() throws Exception {
        String output = child("-Dorg.bytedeco.javacpp.platform=linux-none");
        for (String attempt : new String[] {"first: ", "second: "}) {
            String line = line(output, attempt);
            assertTrue(line.contains(NativeLoader.jarVersion()), output);
            assertTrue(line.contains("platform linux-none") && line.contains("is not on the class path"), output);
            assertTrue(line.contains("classifier linux-none") && line.contains("mvn verify"), output);
            assertTrue(line.contains("Cause: ") && line.contains("UnsatisfiedLinkError"), output);
            assertTrue(
                    line(output, attempt + "oneDNN").contains("no jniOpenCL"),
                    "the first cause, and not that a class has none: " + output);
        }
    }

    @Test
    void whereNoFolderCanBeUsedEachIsNamedWithTheWayOut(@TempDir Path folder) throws Exception {
        Path file = Files.createFile(folder.resolve("file"));
        String output = child(
                "-Dorg.bytedeco.javacpp.cachedir=" + file + "/c", "-Duser.home=" + file, "-Djava.io.tmpdir=" + file);
        for (String attempt : new String[] {"first: ", "second: "}) {
            String line = line(output, attempt);
            assertTrue(
                    line.contains(file + "/c cannot be created: " + file + " is no folder; " + file
                            + "/.javacpp/cache cannot be created"),
                    output);
            assertTrue(line.contains("EFFCONV_JAVA_OPTS=-Dorg.bytedeco.javacpp.cachedir=DIR"), output);
        }
    }

    /** The child: tries twice and prints what it was told. */
    public static void main(String[] args) throws Exception {
        Class.forName(CpuBackend.class.getName());
        System.out.println("class loaded");
        for (String attempt : new String[] {"first: ", "second: "}) {
            tell(attempt, () -> CpuBackend.open(1));
            tell(attempt, CpuFeatures::oneDnnVersion);
        }
        SystemInfo.lines().forEach(line -> System.out.println(line.what() + ": " + line.text()));
    }

    private static void tell(String attempt, Runnable what) {
        try {
            what.run();
            System.out.println(attempt + "loaded");
        } catch (EffconvException.MissingNative e) {
            System.out.println(attempt + e.getMessage());
        }
    }
}

package org.effconv.backend.cpu;

import static org.junit.jupiter.api.Assertions.*;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.effconv.EffconvException;
import org.junit.jupiter.api.Test;

/** What a user sees on a platform the native library was not built for; in a process of its own, for loading happens once. */
class MissingNativeTest {
    @Test
    void theFirstFailureIsExplainedAndKept() throws Exception {
        Process child = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-Dorg.bytedeco.javacpp.platform=linux-none",
                        "-cp",
                        System.getProperty("java.class.path"),
                        MissingNativeTest.class.getName())
                .redirectErrorStream(true)
                .start();
        String output = new String(child.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(0, child.waitFor(), output);
        assertTrue(output.contains("class loaded\n"), output);
        for (String attempt : new String[] {"first: ", "second: "}) {
            String line = output.lines().filter(l -> l.startsWith(attempt)).findFirst().orElse("");
            assertTrue(line.contains(NativeLoader.jarVersion()), output);
            assertTrue(line.contains("platform linux-none") && line.contains("is not on the class path"), output);
            assertTrue(line.contains("classifier linux-none") && line.contains("mvn verify"), output);
            assertTrue(line.contains("UnsatisfiedLinkError"), output);
        }
    }

    /** The child: tries twice and prints what it was told. */
    public static void main(String[] args) throws Exception {
        Class.forName(CpuBackend.class.getName());
        System.out.println("class loaded");
        for (String attempt : new String[] {"first", "second"}) {
            try {
                CpuBackend.open(1);
                System.exit(3);
            } catch (EffconvException.MissingNative e) {
                StringBuilder causes = new StringBuilder();
                for (Throwable t = e.getCause(); t != null; t = t.getCause()) {
                    causes.append(" <- ").append(t.getClass().getSimpleName());
                }
                System.out.println(attempt + ": " + e.getMessage() + causes);
            }
        }
    }
}

package org.effconv.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.effconv.error.EffconvException;
import org.junit.jupiter.api.Test;

/** Data that the heap has no room for, in a JVM of little heap. */
class HeapTest {
    /** Prints what opening a dataset ends with. */
    static final class Opening {
        public static void main(String[] arguments) {
            try {
                Datasets.open(arguments[0]);
                System.out.println("opened");
            } catch (EffconvException e) {
                System.out.println(e.getMessage());
            }
        }
    }

    @Test
    void theErrorSaysHowMuchIsNeeded() throws Exception {
        String message = opening("planted:3,train=100000,test=8,size=32", "64m");
        assertTrue(
                message.contains("planted:3") && message.contains("takes 97 MiB of Java heap, which may grow to"),
                message);
        String enough = message.replaceAll("(?s).*-Xmx(\\d+m)\\).*", "$1");
        assertEquals(
                "opened",
                opening("planted:3,train=100000,test=8,size=32", enough)
                        .lines()
                        .reduce((a, b) -> b)
                        .orElseThrow());
    }

    private static String opening(String data, String heap) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-Xmx" + heap,
                        "-XX:+UseSerialGC",
                        "-cp",
                        System.getProperty("java.class.path"),
                        Opening.class.getName(),
                        data)
                .redirectErrorStream(true)
                .start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        process.waitFor();
        return output;
    }
}

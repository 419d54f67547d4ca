package org.effconv.backend.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.effconv.backend.bridge.NativeLoader;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * oneDNN is not trusted for a class of shapes that was not checked: its operations as the backend uses them, in both
 * types, at every instruction set that this processor can stand in for, between guard pages.
 * {@code -Deffconv.onednn-shapes=all} runs every shape (hours); {@code -Deffconv.onednn-way=LIBRARY} shows what oneDNN
 * does without the detours around its faults.
 */
class OneDnnCheckTest {
    private static final List<String> LEVELS = List.of(
            "SSE41",
            "AVX",
            "AVX2",
            "AVX2_VNNI",
            "AVX2_VNNI_2",
            "AVX512_CORE",
            "AVX512_CORE_VNNI",
            "AVX512_CORE_BF16",
            "AVX512_CORE_FP16",
            "AVX512_CORE_AMX",
            "AVX512_CORE_AMX_FP16",
            "DEFAULT");
    private static final int ONE_IN = 161;
    private static final Duration LONGEST =
            Duration.ofMinutes(3); // one operation takes milliseconds; on the busiest machine, too
    private static final Logger LOG = LoggerFactory.getLogger(OneDnnCheckTest.class);

    @TempDir
    Path folder;

    @Test
    void everyOperationIsRightAndStaysWithinItsMemory() throws Exception {
        OneDnnCheck.Way way = OneDnnCheck.Way.valueOf(System.getProperty("effconv.onednn-way", "BACKEND"));
        int oneIn = "all".equals(System.getProperty("effconv.onednn-shapes")) ? 1 : ONE_IN;
        Set<String> seen = new HashSet<>();
        List<String> findings = new ArrayList<>();
        for (String level : LEVELS) {
            level(level, way, oneIn, seen, findings);
        }
        assertTrue(seen.size() > 1, "instruction sets " + seen);
        assertEquals(List.of(), findings, String.join("\n", findings));
    }

    private void level(String level, OneDnnCheck.Way way, int oneIn, Set<String> seen, List<String> findings)
            throws Exception {
        int count = OneDnnCheck.cases(oneIn).size();
        long began = System.nanoTime();
        int before = findings.size();
        int first = 0;
        while (first < count) {
            Path progress = folder.resolve("progress");
            Path output = folder.resolve("output.txt");
            Files.deleteIfExists(progress);
            String end = run(level, way, oneIn, first, progress, output);
            List<String> lines = Files.readAllLines(output);
            if (first == 0 && !seen.add(isa(lines))) {
                return; // this processor stands in for it by another one
            }
            lines.stream()
                    .filter(line -> line.startsWith(OneDnnCheck.WRONG))
                    .forEach(line -> findings.add(level + " " + line));
            if (lines.contains(OneDnnCheck.DONE)) {
                break;
            }
            OneDnnCheck.At at = OneDnnCheck.At.read(progress);
            findings.add(level + " " + end + " in " + at.what());
            first = at.number() + 1;
        }
        LOG.info(
                "{}: {} shapes, {} findings, {} s",
                level,
                count,
                findings.size() - before,
                (System.nanoTime() - began) / 1_000_000_000);
    }

    private static String isa(List<String> lines) {
        return lines.stream()
                .filter(line -> line.matches("[0-9a-f]+"))
                .findFirst()
                .orElseThrow(() -> new AssertionError(lines.toString()));
    }

    private String run(String level, OneDnnCheck.Way way, int oneIn, int first, Path progress, Path output)
            throws Exception {
        ProcessBuilder builder = new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx512m",
                "-XX:+UseSerialGC",
                "-XX:ErrorFile=" + folder.resolve("hs_err.log"),
                "-D" + NativeLoader.MEMORY + "=guarded",
                "-cp",
                System.getProperty("java.class.path"),
                OneDnnCheck.class.getName(),
                way.name(),
                Integer.toString(oneIn),
                Integer.toString(first),
                progress.toString());
        builder.environment().put("ONEDNN_MAX_CPU_ISA", level);
        builder.environment().put("OMP_WAIT_POLICY", "passive");
        Process process = builder.redirectErrorStream(true)
                .redirectOutput(output.toFile())
                .start();
        try {
            byte[] last = {};
            for (long unchanged = System.nanoTime(); !process.waitFor(50, TimeUnit.MILLISECONDS); ) {
                byte[] now = Files.exists(progress) ? Files.readAllBytes(progress) : last;
                if (!Arrays.equals(now, last)) {
                    last = now;
                    unchanged = System.nanoTime();
                } else if (System.nanoTime() - unchanged > LONGEST.toNanos()) {
                    return "does not end";
                }
            }
            return "ended with code " + process.exitValue();
        } finally {
            process.destroyForcibly().waitFor();
        }
    }
}

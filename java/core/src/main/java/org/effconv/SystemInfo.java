package org.effconv;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.effconv.backend.cpu.CpuBackend;
import org.effconv.backend.cpu.CpuFeatures;
import org.effconv.backend.cuda.CudaProbe;
import org.effconv.error.EffconvException;
import org.effconv.io.Json;
import org.effconv.io.Processor;
import org.effconv.io.ThisBuild;
import org.effconv.train.PeakMemory;

/** What this machine and build can do, for people. */
public final class SystemInfo {
    private static final List<String> FLAGS = List.of("avx2", "avx512f", "avx512_bf16", "amx_bf16");

    private SystemInfo() {}

    /** One fact. */
    public record Line(String what, String text) {}

    /** What a result says about where it comes from: device, machine, build and the time now. */
    public static ObjectNode environment(Device device) {
        return Json.object()
                .put("device", device.name())
                .put("threads", device.threads())
                .put("activations", device.activationType().name())
                .put("processor", Processor.name())
                .put("java", System.getProperty("java.version"))
                .put("version", ThisBuild.version())
                .put("commit", ThisBuild.commit())
                .put("peakRssBytes", PeakMemory.bytes())
                .put("finished", Instant.now().truncatedTo(ChronoUnit.SECONDS).toString());
    }

    /** Never fails: what is missing is a line that says so, and why. */
    public static List<Line> lines() {
        List<Line> lines = new ArrayList<>();
        lines.add(
                new Line("java", System.getProperty("java.version") + " (" + System.getProperty("java.vendor") + ")"));
        lines.add(new Line(
                "system",
                System.getProperty("os.name") + " " + System.getProperty("os.version") + ", "
                        + System.getProperty("os.arch")));
        lines.add(new Line("processor", Processor.line()));
        List<String> flags = Processor.flags();
        lines.add(new Line(
                "features",
                FLAGS.stream()
                        .map(f -> f + (flags.contains(f) ? " yes" : " no"))
                        .collect(Collectors.joining(", "))));
        lines.add(new Line("native", orMissing(() -> {
            try (CpuBackend cpu = CpuBackend.open(1)) {
                return "libeffconv loaded, instruction set " + cpu.instructionSet();
            }
        })));
        lines.add(new Line("oneDNN", orMissing(CpuFeatures::oneDnnVersion)));
        lines.add(new Line(
                "precision",
                orMissing(() -> CpuFeatures.bf16()
                        ? "on the CPU auto means bf16: this processor computes in it"
                        : "on the CPU auto means fp32: this processor has neither AMX nor AVX512-BF16")));
        CudaProbe cuda = CudaProbe.ofThisMachine();
        cuda.lines().forEach(l -> lines.add(new Line(l.what(), l.text())));
        boolean cpu = cpuWorks();
        lines.add(new Line("device cpu", cpu ? "there" : "missing: one of its libraries, as said above"));
        lines.add(new Line(
                "device cuda",
                Device.cudaProblem(cuda).map(p -> "missing: " + p).orElse("there")));
        lines.add(new Line(
                "device auto",
                Device.cudaProblem(cuda).isEmpty()
                        ? "means cuda:0"
                        : "means cpu, for device cuda is missing" + (cpu ? "" : "; so is device cpu")));
        return lines;
    }

    private static boolean cpuWorks() {
        try (CpuBackend cpu = CpuBackend.open(1)) {
            return !CpuFeatures.oneDnnVersion().isEmpty();
        } catch (EffconvException.MissingNative e) {
            return false; // lines "native" and "oneDNN" say why
        }
    }

    private static String orMissing(Supplier<String> fact) {
        try {
            return fact.get();
        } catch (EffconvException.MissingNative e) {
            return "missing: " + e.getMessage();
        }
    }
}

package org.effconv;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Properties;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.effconv.backend.cpu.CpuBackend;
import org.effconv.backend.cpu.CpuFeatures;
import org.effconv.backend.cuda.CudaProbe;
import org.effconv.error.EffconvException;

/** What this machine and build can do, for people. */
public final class SystemInfo {
    private static final List<String> FLAGS = List.of("avx2", "avx512f", "avx512_bf16", "amx_bf16");

    private SystemInfo() {}

    /** One fact. */
    public record Line(String what, String text) {}

    /** Never fails: what is missing is a line that says so, and why. */
    public static List<Line> lines() {
        List<Line> lines = new ArrayList<>();
        lines.add(
                new Line("java", System.getProperty("java.version") + " (" + System.getProperty("java.vendor") + ")"));
        lines.add(new Line(
                "system",
                System.getProperty("os.name") + " " + System.getProperty("os.version") + ", "
                        + System.getProperty("os.arch")));
        lines.add(new Line("processor", processorLine()));
        List<String> flags = Arrays.asList(cpuinfo("flags").split(" "));
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

    /** The processor's name, and how many of its threads this process may use. */
    public static String processorLine() {
        return processor() + ", " + Runtime.getRuntime().availableProcessors() + " usable";
    }

    /** Version of this library. */
    public static String version() {
        try (InputStream in = SystemInfo.class.getResourceAsStream("version.properties")) {
            Properties properties = new Properties();
            properties.load(in);
            return properties.getProperty("version");
        } catch (IOException e) {
            throw new UncheckedIOException("cannot read the library's version", e);
        }
    }

    /**
     * The commit this was built from, with "-dirty" behind it if the sources differed from it; "unknown" where nobody
     * said (-Deffconv.commit; the launcher does).
     */
    public static String commit() {
        return System.getProperty("effconv.commit", "unknown");
    }

    /** The processor's name, as the system has it. */
    public static String processor() {
        return cpuinfo("model name");
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

    private static String cpuinfo(String field) {
        try (Stream<String> lines = Files.lines(Path.of("/proc/cpuinfo"))) {
            return lines.filter(l -> l.startsWith(field))
                    .findFirst()
                    .map(l -> l.substring(l.indexOf(':') + 1).strip())
                    .orElse("unknown");
        } catch (IOException e) {
            return "unknown (" + e + ")";
        }
    }
}

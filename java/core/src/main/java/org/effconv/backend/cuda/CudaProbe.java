package org.effconv.backend.cuda;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import org.effconv.backend.cuda.CudaProblem.Kind;

/**
 * Looks for all that a CUDA device needs, in the order in which each part needs the one before it, and says what is
 * missing. Never fails itself, and opens no context on a card.
 */
public final class CudaProbe {
    /** Major versions of the libraries that the JavaCPP presets bind. */
    static final int CUDNN = 9;

    static final int CUBLAS = 13;

    private static final int OLDEST_CUDNN = 7;
    private static final int NEWEST_CUDNN = 11;
    private static final String ELSE_OWN = "or leave convolutions to the project's kernels with --conv own";
    private static final String ELSE_CPU = "or compute on the CPU with --device cpu";

    private final CudaSystem system;

    CudaProbe(CudaSystem system) {
        this.system = system;
    }

    /** A probe of the machine that this runs on. */
    public static CudaProbe ofThisMachine() {
        return new CudaProbe(new JCudaSystem());
    }

    /** One fact, for people. */
    public record Line(String what, String text) {}

    /** Why no card at all can be used; empty if {@link #cards} may be asked. */
    private Optional<CudaProblem> driverProblem() {
        Optional<String> failure = system.driverLibraryFailure();
        if (failure.isPresent()) {
            return problem(
                    Kind.NO_DRIVER,
                    "no loadable " + CudaSystem.DRIVER_LIBRARY + " (" + failure.get() + ")",
                    "the NVIDIA driver, which brings that library",
                    "install the driver (in a container: start it with --gpus all), " + ELSE_CPU);
        }
        failure = system.bindingFailure();
        if (failure.isPresent()) {
            return problem(
                    Kind.NO_BINDING,
                    failure.get(),
                    "JCuda's native library for this platform",
                    "put the jar jcuda-natives with classifier linux-x86_64 on the class path, have it unpacked in a folder of yours (-Djava.io.tmpdir=DIR), "
                            + ELSE_CPU);
        }
        String result = system.initialise();
        if (result.equals("CUDA_ERROR_NO_DEVICE")) {
            return noCard("cuInit says CUDA_ERROR_NO_DEVICE");
        }
        if (!result.equals("CUDA_SUCCESS")) {
            return problem(
                    Kind.DRIVER_FAILED,
                    "cuInit says " + result,
                    "CUDA_SUCCESS",
                    "see whether nvidia-smi works: after an update of the driver the machine must restart, "
                            + ELSE_CPU);
        }
        return system.cards() == 0 ? noCard("0 cards") : Optional.empty();
    }

    private static Optional<CudaProblem> noCard(String found) {
        String visible = System.getenv("CUDA_VISIBLE_DEVICES");
        return problem(
                Kind.NO_CARD,
                found + (visible == null ? "" : ", with CUDA_VISIBLE_DEVICES=" + visible),
                "an NVIDIA GPU that this process may see",
                "see what nvidia-smi lists; CUDA_VISIBLE_DEVICES and a container's --gpus choose among it, "
                        + ELSE_CPU);
    }

    private static Optional<CudaProblem> problem(Kind kind, String found, String needed, String remedy) {
        return Optional.of(new CudaProblem(kind, found, needed, remedy));
    }

    /** Why a card cannot be opened with these options; empty if nothing stands against it. */
    public Optional<CudaProblem> problem(CudaOptions options) {
        return driverProblem()
                .or(this::deviceCodeProblem)
                .or(() -> cardProblem(options))
                .or(() -> options.conv() == ConvolutionChoice.CUDNN ? libraryProblem() : Optional.empty());
    }

    private Optional<CudaProblem> deviceCodeProblem() {
        Optional<DeviceCode> code = system.deviceCode();
        if (code.isEmpty()) {
            return problem(
                    Kind.NO_DEVICE_CODE,
                    "no " + DeviceCode.MANIFEST + " on the class path",
                    "the jar effconv-cuda-kernels with classifier linux-x86_64-cuda13, of this version",
                    "add it, or build it with 'mvn -Pcuda -pl java/cuda package', " + ELSE_CPU);
        }
        int least = code.get().leastDriver();
        if (system.driverVersion() < least) {
            return problem(
                    Kind.DRIVER_TOO_OLD,
                    "a driver for CUDA " + version(system.driverVersion()),
                    "one for CUDA " + version(least) + " or newer, since the device code was compiled by CUDA "
                            + version(code.get().toolkit())
                            + " and older drivers take neither its machine code nor its PTX",
                    "update the driver, or compile the device code with an older nvcc, " + ELSE_CPU);
        }
        return Optional.empty();
    }

    private Optional<CudaProblem> cardProblem(CudaOptions options) {
        int count = system.cards();
        if (options.ordinal() >= count) {
            return problem(
                    Kind.NO_SUCH_CARD,
                    "no card " + options.ordinal() + " among " + count,
                    count == 1 ? "0" : "0 to " + (count - 1),
                    "'effconv info' lists the cards");
        }
        Card card = system.card(options.ordinal());
        DeviceCode code = system.deviceCode().orElseThrow();
        if (!code.runsOn(card.capability())) {
            return problem(
                    Kind.NO_KERNEL_IMAGE,
                    card.toString(),
                    "a card for which there is code: " + code.cards(),
                    "choose another card with --device cuda:N, or compile the device code for it (EFFCONV_CUDA_TARGETS), "
                            + ELSE_CPU);
        }
        if (options.memoryLimit() > card.memory()) {
            return problem(
                    Kind.OUT_OF_MEMORY,
                    Bytes.text(card.memory()) + " on " + card.name(),
                    Bytes.text(options.memoryLimit()) + ", as --gpu-memory says",
                    "lower --gpu-memory; 0 means no limit but the card's");
        }
        return Optional.empty();
    }

    /** Why cuDNN cannot compute convolutions here; empty if it can. */
    Optional<CudaProblem> libraryProblem() {
        if (system.library(cudnn(CUDNN)).isEmpty()) {
            String needed = cudnn(CUDNN) + " (cuDNN " + CUDNN + ") where the dynamic linker finds it";
            String remedy = "install cuDNN " + CUDNN + " for CUDA " + CUBLAS + ", " + ELSE_OWN;
            Optional<Integer> other = otherCudnn();
            return other.isPresent()
                    ? problem(Kind.WRONG_CUDNN, cudnn(other.get()) + " (cuDNN " + other.get() + ")", needed, remedy)
                    : problem(Kind.NO_CUDNN, "no loadable " + cudnn(CUDNN), needed, remedy);
        }
        if (system.library(cublas()).isEmpty()) {
            return problem(
                    Kind.NO_CUBLAS,
                    "no loadable " + cublas(),
                    cublas() + " (CUDA " + CUBLAS + ") where the dynamic linker finds it",
                    "install cuBLAS of CUDA " + CUBLAS + ", " + ELSE_OWN);
        }
        return system.cudnnBindingFailure()
                .flatMap(failure -> problem(
                        Kind.NO_CUDNN_BINDING,
                        failure,
                        "the jar org.bytedeco:cuda:" + CudnnBinding.PRESET
                                + " and the one with its natives (classifier linux-x86_64) on the class path",
                        "add both, " + ELSE_OWN));
    }

    private Optional<Integer> otherCudnn() {
        return IntStream.rangeClosed(OLDEST_CUDNN, NEWEST_CUDNN)
                .filter(v -> v != CUDNN)
                .boxed()
                .filter(v -> system.library(cudnn(v)).isPresent())
                .findFirst();
    }

    private static String cudnn(int major) {
        return "libcudnn.so." + major;
    }

    private static String cublas() {
        return "libcublas.so." + CUBLAS;
    }

    static String version(int number) {
        return number / 1000 + "." + number % 1000 / 10;
    }

    /** Cards that the driver lists; empty if there is no driver. */
    public List<Card> cards() {
        return driverProblem().isPresent()
                ? List.of()
                : IntStream.range(0, system.cards()).mapToObj(system::card).toList();
    }

    /** Everything found, for people; what is missing is a line that says so. */
    public List<Line> lines() {
        List<Line> lines = new ArrayList<>();
        Optional<CudaProblem> driver = driverProblem();
        lines.add(new Line(
                "cuda driver",
                driver.map(p -> "missing: " + p.found())
                        .orElseGet(() -> "for CUDA " + version(system.driverVersion()))));
        for (Card card : cards()) {
            lines.add(new Line(
                    "cuda:" + card.ordinal(),
                    card
                            + problem(new CudaOptions(card.ordinal(), 0, ConvolutionChoice.AUTO, true))
                                    .map(p -> "; not usable: " + p)
                                    .orElse("")));
        }
        lines.add(new Line(
                "cuda kernels",
                system.deviceCode()
                        .map(c -> "version " + c.version() + ", compiled by CUDA " + version(c.toolkit()) + " for "
                                + c.cards())
                        .orElseGet(() ->
                                "missing: " + deviceCodeProblem().orElseThrow().found())));
        lines.add(new Line("cuDNN", cudnnLine()));
        lines.add(new Line(
                "cuBLAS",
                system.library(cublas()).orElseGet(() -> "no loadable " + cublas() + "; only cuDNN needs it")));
        return lines;
    }

    private String cudnnLine() {
        return libraryProblem()
                .map(p -> p.reason() + "; the project's own kernels do its work")
                .orElseGet(() -> system.library(cudnn(CUDNN)).orElseThrow()
                        + (ConvolutionTable.LIBRARY_HAS_RUN_ON_A_CARD
                                ? ""
                                : "; used with --conv cudnn alone: this path has never run on a card"));
    }
}

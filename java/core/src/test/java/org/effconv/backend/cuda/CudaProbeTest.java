package org.effconv.backend.cuda;

import static org.junit.jupiter.api.Assertions.*;

import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import org.effconv.backend.cuda.CudaProblem.Kind;
import org.effconv.error.EffconvException;
import org.junit.jupiter.api.Test;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Machines that are not at hand, each with one thing missing: what is said of it. */
class CudaProbeTest {
    private static final Logger LOG = LoggerFactory.getLogger(CudaProbeTest.class);
    private static final DeviceCode CODE = new DeviceCode("0.1.0", 13000, List.of(75, 80, 86, 89, 90, 100, 120), 120);
    private static final Card H200 = new Card(0, "NVIDIA H200", 90, 150L << 30);
    private static final Card OLD = new Card(1, "Tesla V100-SXM2-16GB", 70, 16L << 30);

    /** A machine where everything is there, until a test takes something away. */
    private static final class Machine implements CudaSystem {
        String driverFailure;
        String bindingFailure;
        String cudnnBindingFailure;
        String initialised = "CUDA_SUCCESS";
        int driver = 13000;
        List<Card> cards = List.of(H200, OLD);
        DeviceCode code = CODE;
        Map<String, String> libraries = Map.of(
                "libcudnn.so.9", "/usr/lib/libcudnn.so.9.19.0", "libcublas.so.13", "/usr/lib/libcublas.so.13.1.0");

        @Override
        public Optional<String> driverLibraryFailure() {
            return Optional.ofNullable(driverFailure);
        }

        @Override
        public Optional<String> bindingFailure() {
            assertNull(driverFailure, "the binding needs the driver's library");
            return Optional.ofNullable(bindingFailure);
        }

        @Override
        public String initialise() {
            assertNull(bindingFailure, "asked through a binding that is not there");
            return initialised;
        }

        @Override
        public int driverVersion() {
            return driver;
        }

        @Override
        public int cards() {
            return cards.size();
        }

        @Override
        public Card card(int ordinal) {
            return cards.get(ordinal);
        }

        @Override
        public Optional<String> library(String soname) {
            return Optional.ofNullable(libraries.get(soname));
        }

        @Override
        public Optional<String> cudnnBindingFailure() {
            assertTrue(
                    libraries.containsKey("libcudnn.so.9") && libraries.containsKey("libcublas.so.13"),
                    "the binding needs the libraries");
            return Optional.ofNullable(cudnnBindingFailure);
        }

        @Override
        public Optional<DeviceCode> deviceCode() {
            return Optional.ofNullable(code);
        }
    }

    private final Machine machine = new Machine();

    private static CudaOptions card(int ordinal) {
        return new CudaOptions(ordinal, 0, ConvolutionChoice.AUTO, true);
    }

    private void check(CudaOptions options, Kind kind, Class<? extends EffconvException> thrown, String... parts) {
        CudaProblem problem = new CudaProbe(machine).problem(options).orElseThrow();
        assertEquals(kind, problem.kind());
        EffconvException e = problem.exception("cuda:" + options.ordinal());
        assertEquals(thrown, e.getClass());
        LOG.info("{}", e.getMessage());
        for (String part : parts) {
            assertTrue(e.getMessage().contains(part), "\"" + e.getMessage() + "\" should mention \"" + part + "\"");
        }
        assertTrue(e.getMessage().matches("device 'cuda:\\d+': .+: found .+; needed: .+; way out: .+"), e.getMessage());
        assertFalse(new CudaProbe(machine).lines().isEmpty(), "info never fails");
    }

    @Test
    void aMachineThatLacksNothing() {
        CudaProbe probe = new CudaProbe(machine);
        assertEquals(Optional.empty(), probe.problem(card(0)));
        assertEquals(Optional.empty(), probe.problem(new CudaOptions(0, 20L << 30, ConvolutionChoice.CUDNN, true)));
        assertEquals(List.of(H200, OLD), probe.cards());
        String text = probe.lines().stream().map(l -> l.what() + " " + l.text()).collect(Collectors.joining("\n"));
        for (String part : List.of(
                "cuda driver for CUDA 13.0",
                "cuda:0 NVIDIA H200, compute capability 9.0, 150.0 GiB\n",
                "libcudnn.so.9.19.0",
                "cuda:1 Tesla V100-SXM2-16GB, compute capability 7.0, 16.0 GiB; not usable: there is no device code for this card",
                "sm_75, sm_80",
                "libcublas.so.13.1.0")) {
            assertTrue(text.contains(part), text);
        }
    }

    @Test
    void noDriver() {
        machine.driverFailure = "libcuda.so.1: cannot open shared object file: No such file or directory";
        check(
                card(0),
                Kind.NO_DRIVER,
                EffconvException.MissingNative.class,
                "cannot open shared object file",
                "install the driver");
        assertEquals(List.of(), new CudaProbe(machine).cards());
    }

    @Test
    void noBinding() {
        machine.bindingFailure = "no lib/libJCudaDriver-12.6.0-linux-x86_64.so on the class path";
        check(card(0), Kind.NO_BINDING, EffconvException.MissingNative.class, "jcuda-natives");
    }

    @Test
    void aDriverWithoutACard() {
        machine.initialised = "CUDA_ERROR_NO_DEVICE";
        check(card(0), Kind.NO_CARD, EffconvException.MissingNative.class, "CUDA_ERROR_NO_DEVICE", "nvidia-smi");
        machine.initialised = "CUDA_SUCCESS";
        machine.cards = List.of();
        check(card(0), Kind.NO_CARD, EffconvException.MissingNative.class, "0 cards");
    }

    @Test
    void aDriverThatDoesNotStart() {
        machine.initialised = "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH";
        check(
                card(0),
                Kind.DRIVER_FAILED,
                EffconvException.MissingNative.class,
                "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH",
                "restart");
    }

    @Test
    void aDriverTooOldForTheFatbins() {
        machine.driver = 12080;
        check(
                card(0),
                Kind.DRIVER_TOO_OLD,
                EffconvException.MissingNative.class,
                "a driver for CUDA 12.8",
                "one for CUDA 13.0 or newer",
                "PTX");
        machine.driver = 13000;
        machine.code = new DeviceCode("0.1.0", 13010, CODE.targets(), 120);
        assertEquals(
                Optional.empty(),
                new CudaProbe(machine).problem(card(0)),
                "drivers take all toolkits of their major version");
    }

    @Test
    void noDeviceCode() {
        machine.code = null;
        check(
                card(0),
                Kind.NO_DEVICE_CODE,
                EffconvException.MissingNative.class,
                "kernels.json",
                "linux-x86_64-cuda13",
                "mvn -Pcuda");
    }

    @Test
    void noSuchCard() {
        check(
                card(2),
                Kind.NO_SUCH_CARD,
                EffconvException.InvalidInput.class,
                "no card 2 among 2",
                "0 to 1",
                "effconv info");
    }

    @Test
    void noKernelImageForTheCard() {
        check(
                card(1),
                Kind.NO_KERNEL_IMAGE,
                EffconvException.MissingNative.class,
                "Tesla V100-SXM2-16GB, compute capability 7.0",
                "sm_75");
    }

    @Test
    void machineCodeServesItsGenerationAndPtxWhatIsNewer() {
        for (int capability : new int[] {75, 80, 86, 87, 89, 90, 100, 103, 120, 121, 130}) {
            assertTrue(CODE.runsOn(capability), "sm_" + capability);
        }
        for (int capability : new int[] {61, 70, 72, 110}) {
            assertFalse(CODE.runsOn(capability), "sm_" + capability);
        }
    }

    @Test
    void cudnnIsNeededOnlyWhereItIsAskedFor() {
        String wayOut = "or leave convolutions to the project's kernels with --conv own";
        machine.libraries = Map.of("libcublas.so.13", "x");
        checkForced(
                Kind.NO_CUDNN,
                "cuDNN is missing: found no loadable libcudnn.so.9; needed: libcudnn.so.9 (cuDNN 9) where the dynamic linker"
                        + " finds it; way out: install cuDNN 9 for CUDA 13, " + wayOut);
        assertEquals(Optional.empty(), new CudaProbe(machine).problem(card(0)));
        machine.libraries = Map.of("libcublas.so.13", "x", "libcudnn.so.8", "y");
        checkForced(
                Kind.WRONG_CUDNN,
                "cuDNN is of another major version: found libcudnn.so.8 (cuDNN 8); needed: libcudnn.so.9 (cuDNN 9) where"
                        + " the dynamic linker finds it; way out: install cuDNN 9 for CUDA 13, " + wayOut);
        machine.libraries = Map.of("libcudnn.so.9", "x");
        checkForced(
                Kind.NO_CUBLAS,
                "cuBLAS, which cuDNN needs, is missing: found no loadable libcublas.so.13; needed: libcublas.so.13 (CUDA 13)"
                        + " where the dynamic linker finds it; way out: install cuBLAS of CUDA 13, " + wayOut);
        machine.libraries = Map.of("libcudnn.so.9", "x", "libcublas.so.13", "y");
        machine.cudnnBindingFailure = "no class org.bytedeco.cuda.global.cudnn on the class path";
        checkForced(
                Kind.NO_CUDNN_BINDING,
                "cuDNN cannot be reached from Java: found no class org.bytedeco.cuda.global.cudnn on the class path;"
                        + " needed: the jar org.bytedeco:cuda:13.1-9.19-1.5.13 and the one with its natives (classifier linux-x86_64) on the class path;"
                        + " way out: add both, " + wayOut);
        assertEquals(Optional.empty(), new CudaProbe(machine).problem(card(0)));
    }

    private void checkForced(Kind kind, String message) {
        CudaOptions forced = new CudaOptions(0, 0, ConvolutionChoice.CUDNN, true);
        check(forced, kind, EffconvException.MissingNative.class);
        assertEquals(
                "device 'cuda:0': " + message,
                new CudaProbe(machine)
                        .problem(forced)
                        .orElseThrow()
                        .exception("cuda:0")
                        .getMessage());
        assertTrue(line("cuDNN").endsWith("; the project's own kernels do its work"), line("cuDNN"));
    }

    private String line(String what) {
        return new CudaProbe(machine)
                .lines().stream()
                        .filter(l -> l.what().equals(what))
                        .findFirst()
                        .orElseThrow()
                        .text();
    }

    @Test
    void theLineOfInfoSaysWhatCudnnIsUsedFor() {
        assertEquals(
                "/usr/lib/libcudnn.so.9.19.0; used with --conv cudnn alone: this path has never run on a card",
                line("cuDNN"));
        machine.libraries = Map.of("libcublas.so.13", "x", "libcudnn.so.8", "y");
        assertEquals(
                "cuDNN is of another major version (libcudnn.so.8 (cuDNN 8)); the project's own kernels do its work",
                line("cuDNN"));
        machine.libraries = Map.of();
        assertEquals(
                "cuDNN is missing (no loadable libcudnn.so.9); the project's own kernels do its work", line("cuDNN"));
        assertEquals("no loadable libcublas.so.13; only cuDNN needs it", line("cuBLAS"));
    }

    @Test
    void lessMemoryThanTheLimitAsksFor() {
        check(
                new CudaOptions(0, 200L << 30, ConvolutionChoice.AUTO, true),
                Kind.OUT_OF_MEMORY,
                EffconvException.OutOfDeviceMemory.class,
                "150.0 GiB on NVIDIA H200",
                "200.0 GiB",
                "--gpu-memory");
    }

    @Test
    void theManifestIsRead() throws IOException {
        DeviceCode code = DeviceCode.parse(
                "{\"version\": \"0.1.0\", \"toolkit\": \"13.1\", \"targets\": [75, 90], \"ptx\": 90, \"kernels\": []}");
        assertEquals(new DeviceCode("0.1.0", 13010, List.of(75, 90), 90), code);
        assertEquals(13000, code.leastDriver());
    }

    /** Whatever this machine has, asking it neither fails nor hides what is missing. */
    @Test
    void theMachineAtHandIsAsked() {
        CudaProbe probe = CudaProbe.ofThisMachine();
        assertTrue(probe.lines().size() >= 4);
        probe.problem(card(0)).ifPresent(p -> assertTrue(p.toString().contains("way out"), p.toString()));
        probe.problem(new CudaOptions(0, 0, ConvolutionChoice.CUDNN, true)); // a second time, and other libraries
    }
}

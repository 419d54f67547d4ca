package org.effconv.backend.cuda;

import static org.junit.jupiter.api.Assertions.*;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.effconv.backend.Convolution;
import org.effconv.backend.cuda.ConvolutionRequest.Pass;
import org.effconv.error.EffconvException;
import org.effconv.error.EffconvException.DeviceLost;
import org.effconv.error.EffconvException.MissingNative;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;
import org.junit.jupiter.api.Test;

/** Which passes go to a library and how, by a library and a driver that only write it down. */
class LibraryConvolutionsTest {
    private static final Convolution STRIDE_2 = new Convolution(2, 1);

    private final RecordingDriver driver = new RecordingDriver();
    private final RecordingLibrary library = new RecordingLibrary(driver);
    private final List<Tensor> tensors = new ArrayList<>();
    private CudaBackend backend;

    private void open(ConvolutionChoice choice, boolean auto) {
        driver.library = library;
        backend = CudaBackend.over(driver, new CudaOptions(0, 0, choice, true), new ConvolutionTable(choice, auto));
    }

    private void close() {
        tensors.forEach(Tensor::close);
        backend.close();
        assertTrue(driver.everythingGivenBack(), driver.device + " " + driver.handles);
    }

    private Tensor tensor(DataType type, int... dims) {
        Tensor t = Tensor.allocate(backend.memory(), type, Shape.of(dims));
        tensors.add(t);
        return t;
    }

    /** The three passes of a layer of (1, 8, 8, inputs), then those of a linear one if kernel is 0. */
    private void passes(DataType type, Convolution c, int inputs, int outputs, int kernel, boolean withBias) {
        Tensor bias = withBias ? tensor(DataType.F32, outputs) : null;
        if (kernel == 0) {
            Tensor x = tensor(type, 4, inputs);
            Tensor w = tensor(DataType.F32, outputs, inputs);
            Tensor y = tensor(type, 4, outputs);
            backend.linear(x, w, bias, y);
            backend.linearDataGradient(y, w, x);
            backend.linearWeightGradient(x, y, w, bias);
            return;
        }
        Tensor x = tensor(type, 1, 8, 8, inputs);
        Tensor w = tensor(DataType.F32, outputs, kernel, kernel, inputs / c.groups());
        Tensor y = tensor(type, 1, c.outputExtent(8), c.outputExtent(8), outputs);
        backend.convolution(c, x, w, bias, y);
        backend.convolutionDataGradient(c, y, w, x);
        backend.convolutionWeightGradient(c, x, y, w, bias);
    }

    private List<Pass> passesOfTheLibrary(
            DataType type, Convolution c, int inputs, int outputs, int kernel, boolean withBias) {
        int from = library.runs.size();
        passes(type, c, inputs, outputs, kernel, withBias);
        return library.runs.subList(from, library.runs.size()).stream()
                .map(r -> r.request().pass())
                .toList();
    }

    // ---- who ----------------------------------------------------------------------------------------------------

    @Test
    void autoKeepsToOurKernelsUntilTheLibraryHasRunOnACard() {
        assertFalse(
                ConvolutionTable.LIBRARY_HAS_RUN_ON_A_CARD,
                "then this test's twin below holds for the default, and docs/results/gpu-status.md says when");
        driver.library = library;
        for (ConvolutionChoice choice : new ConvolutionChoice[] {ConvolutionChoice.AUTO, ConvolutionChoice.OWN}) {
            RecordingDriver other = new RecordingDriver();
            other.library = new RecordingLibrary(other);
            try (CudaBackend own = CudaBackend.over(other, new CudaOptions(0, 0, choice, true));
                    Tensor x = Tensor.allocate(own.memory(), DataType.F32, Shape.of(1, 8, 8, 256));
                    Tensor w = Tensor.allocate(own.memory(), DataType.F32, Shape.of(256, 1, 1, 256))) {
                own.convolution(Convolution.PLAIN, x, w, null, x);
                assertEquals(0, other.count("convolutionLibrary"), "nothing is loaded that is not used");
                assertEquals(List.of(), other.library.planned);
                assertFalse(other.launches.isEmpty());
            }
        }
    }

    @Test
    void ownNeverAsksForALibrary() {
        open(ConvolutionChoice.OWN, true);
        passes(DataType.F32, Convolution.PLAIN, 128, 128, 3, true);
        assertEquals(0, driver.count("convolutionLibrary"));
        close();
    }

    @Test
    void autoFollowsTheDesignsTable() {
        open(ConvolutionChoice.AUTO, true);
        List<Pass> all = List.of(Pass.FORWARD, Pass.DATA_GRADIENT, Pass.WEIGHT_GRADIENT);
        List<Pass> bf16 = List.of(Pass.FORWARD, Pass.DATA_GRADIENT);
        List<Pass> none = List.of();
        assertEquals(bf16, passesOfTheLibrary(DataType.BF16, Convolution.PLAIN, 128, 128, 3, false), "many channels");
        assertEquals(none, passesOfTheLibrary(DataType.BF16, Convolution.PLAIN, 127, 128, 3, false), "too few");
        assertEquals(none, passesOfTheLibrary(DataType.BF16, Convolution.PLAIN, 128, 127, 3, false), "too few");
        assertEquals(bf16, passesOfTheLibrary(DataType.BF16, Convolution.PLAIN, 64, 64, 1, false), "1x1");
        assertEquals(bf16, passesOfTheLibrary(DataType.BF16, STRIDE_2, 64, 64, 3, false), "stride 2");
        assertEquals(bf16, passesOfTheLibrary(DataType.BF16, Convolution.PLAIN, 3, 64, 3, false), "the first layer");
        assertEquals(none, passesOfTheLibrary(DataType.BF16, Convolution.PLAIN, 8, 64, 3, false), "no first layer");
        assertEquals(all, passesOfTheLibrary(DataType.F32, Convolution.PLAIN, 16, 16, 5, true), "strict fp32");
        assertEquals(none, passesOfTheLibrary(DataType.F32, new Convolution(1, 16), 16, 16, 5, false), "depthwise");
        assertEquals(none, passesOfTheLibrary(DataType.F32, new Convolution(2, 2), 256, 256, 1, false), "groups");
        assertEquals(all, passesOfTheLibrary(DataType.F32, null, 16, 10, 0, true), "a linear layer has one tap");
        close();
    }

    @Test
    void forcedEverythingGoesToTheLibraryThatItServes() {
        open(ConvolutionChoice.CUDNN, false);
        List<Pass> all = List.of(Pass.FORWARD, Pass.DATA_GRADIENT, Pass.WEIGHT_GRADIENT);
        assertEquals(all, passesOfTheLibrary(DataType.F32, new Convolution(2, 16), 16, 16, 5, true));
        assertEquals(all, passesOfTheLibrary(DataType.F32, null, 16, 10, 0, true));
        assertEquals(
                List.of(Pass.FORWARD, Pass.DATA_GRADIENT),
                passesOfTheLibrary(DataType.BF16, Convolution.PLAIN, 16, 16, 3, false));
        assertEquals(
                List.of(Pass.DATA_GRADIENT),
                passesOfTheLibrary(DataType.BF16, null, 16, 10, 0, true),
                "the bias would be rounded");
        assertEquals(all, passesOfTheLibrary(DataType.BF16, null, 16, 10, 0, false), "a product gives fp32 gradients");
        close();
    }

    @Test
    void tensorsThatDoNotFitAnIntAreOurs() {
        ConvolutionRequest fits =
                new ConvolutionRequest(Pass.FORWARD, DataType.F32, 1, 1 << 15, (1 << 15) - 1, 2, 2, 1, 1, 1, false);
        ConvolutionRequest large =
                new ConvolutionRequest(Pass.FORWARD, DataType.F32, 1, 1 << 15, 1 << 15, 2, 1, 1, 1, 1, false);
        assertTrue(ConvolutionTable.notServed(fits).isEmpty());
        assertEquals(
                "a tensor of 2147483648 elements",
                ConvolutionTable.notServed(large).orElseThrow());
    }

    @Test
    void whatHasNoDeterministicWayIsOursAndAskedOnce() {
        open(ConvolutionChoice.CUDNN, false);
        library.deterministic = r -> r.pass() != Pass.DATA_GRADIENT;
        Tensor x = tensor(DataType.F32, 1, 8, 8, 4);
        Tensor w = tensor(DataType.F32, 4, 3, 3, 4);
        for (int i = 0; i < 3; i++) {
            backend.convolutionDataGradient(Convolution.PLAIN, x, w, x);
        }
        assertEquals(1, library.planned.size());
        assertEquals(List.of(), library.runs);
        assertEquals(3, driver.launches.size());
        assertEquals(0, backend.libraryPasses());
        close();
    }

    // ---- how ----------------------------------------------------------------------------------------------------

    @Test
    void addressesStreamAndWorkspaceAreTheBackends() {
        open(ConvolutionChoice.CUDNN, false);
        Tensor x = tensor(DataType.F32, 2, 8, 8, 3);
        Tensor w = tensor(DataType.F32, 5, 3, 3, 3);
        Tensor bias = tensor(DataType.F32, 5);
        Tensor y = tensor(DataType.F32, 2, 4, 4, 5);
        backend.convolution(STRIDE_2, x, w, bias, y);
        backend.convolutionDataGradient(STRIDE_2, y, w, x);
        backend.convolutionWeightGradient(STRIDE_2, x, y, w, null);
        assertEquals(0, driver.launches.size());
        assertEquals(0, driver.count("synchronise"));
        long room = library.runs.get(0).workspace();
        assertEquals(1 << 20, driver.device.get(room), "the workspace grows by whole steps");
        assertEquals(
                List.of(
                        new RecordingLibrary.Run(
                                request(Pass.FORWARD, true),
                                x.address(),
                                w.address(),
                                bias.address(),
                                y.address(),
                                room,
                                false),
                        new RecordingLibrary.Run(
                                request(Pass.DATA_GRADIENT, false),
                                x.address(),
                                w.address(),
                                0,
                                y.address(),
                                room,
                                false),
                        new RecordingLibrary.Run(
                                request(Pass.WEIGHT_GRADIENT, false),
                                x.address(),
                                w.address(),
                                0,
                                y.address(),
                                room,
                                false)),
                library.runs);
        assertEquals(3, backend.libraryPasses());
        long stream = library.stream;
        backend.activation(org.effconv.backend.Activation.RELU, x, x);
        assertEquals(driver.launches.get(0).stream(), stream, "one stream with our own kernels");
        close();
        assertTrue(library.closed);
    }

    private static ConvolutionRequest request(Pass pass, boolean bias) {
        return new ConvolutionRequest(pass, DataType.F32, 2, 8, 8, 3, 5, 3, 2, 1, bias);
    }

    @Test
    void inBf16TheWeightsAreCopiedBehindTheLibrarysWorkspaceFirst() {
        open(ConvolutionChoice.CUDNN, false);
        library.workspaceBytes = 1000;
        Tensor x = tensor(DataType.BF16, 1, 8, 8, 4);
        Tensor w = tensor(DataType.F32, 4, 3, 3, 4);
        int from = driver.calls.size();
        backend.convolution(Convolution.PLAIN, x, w, null, x);
        List<String> order = driver.calls.subList(from, driver.calls.size()).stream()
                .filter(c -> c.matches("(launch|library).*"))
                .toList();
        assertEquals(List.of("launch ec_copy_to_bf16", "library FORWARD"), order);
        RecordingLibrary.Run run = library.runs.get(0);
        assertEquals(run.workspace() + 1024, run.w(), "aligned, and not where the library writes");
        assertTrue(driver.launches.get(0).names(w.address())
                && driver.launches.get(0).names(run.w()));
        close();
    }

    @Test
    void aWeightGradientIsWrittenWhereItBelongs() {
        open(ConvolutionChoice.CUDNN, false);
        Tensor x = tensor(DataType.BF16, 3, 4);
        Tensor dw = tensor(DataType.F32, 5, 4);
        Tensor dy = tensor(DataType.BF16, 3, 5);
        backend.linearWeightGradient(x, dy, dw, null);
        assertEquals(List.of(), driver.launches, "nothing is copied that is not read");
        assertEquals(dw.address(), library.runs.get(0).w());
        close();
    }

    @Test
    void theWorkspaceHoldsBothParts() {
        open(ConvolutionChoice.CUDNN, false);
        library.workspaceBytes = (1 << 20) - 100;
        Tensor x = tensor(DataType.BF16, 1, 8, 8, 4);
        Tensor w = tensor(DataType.F32, 4, 3, 3, 4);
        backend.convolutionDataGradient(Convolution.PLAIN, x, w, x);
        assertEquals(2 << 20, driver.device.get(library.runs.get(0).workspace()));
        close();
    }

    @Test
    void plansAreKeptThoseUsedLast() {
        open(ConvolutionChoice.CUDNN, false);
        Tensor w = tensor(DataType.F32, 1, 1);
        List<Tensor> batches = IntStream.rangeClosed(1, LibraryConvolutions.MOST + 1)
                .mapToObj(n -> tensor(DataType.F32, n, 1))
                .toList();
        batches.forEach(x -> backend.linear(x, w, null, x));
        assertEquals(LibraryConvolutions.MOST + 1, library.planned.size());
        assertEquals(LibraryConvolutions.MOST, library.open.size());
        backend.linear(batches.get(1), w, null, batches.get(1));
        assertEquals(LibraryConvolutions.MOST + 1, library.planned.size(), "kept");
        backend.linear(batches.get(0), w, null, batches.get(0));
        assertEquals(LibraryConvolutions.MOST + 2, library.planned.size(), "the one used longest ago went");
        backend.linear(batches.get(1), w, null, batches.get(1));
        assertEquals(LibraryConvolutions.MOST + 2, library.planned.size(), "used since, and kept for that");
        close();
    }

    // ---- in a step --------------------------------------------------------------------------------------------------

    @Test
    void aRecordedStepFindsPlanAndWorkspaceOfItsWarmUp() {
        open(ConvolutionChoice.CUDNN, false);
        Tensor x = tensor(DataType.BF16, 1, 8, 8, 4);
        Tensor w = tensor(DataType.F32, 4, 3, 3, 4);
        for (int i = 0; i < 3; i++) {
            backend.step("a", () -> {
                backend.convolution(Convolution.PLAIN, x, w, null, x);
                return 0;
            });
        }
        assertEquals(1, library.planned.size());
        assertEquals(
                List.of(false, true),
                library.runs.stream().map(RecordingLibrary.Run::captured).toList(),
                "the third was replayed");
        assertEquals(library.runs.get(0).workspace(), library.runs.get(1).workspace());
        assertEquals(1, backend.recordedSteps());
        library.workspaceBytes = 3 << 20;
        backend.convolutionDataGradient(Convolution.PLAIN, x, w, x);
        backend.step("b", () -> 0);
        assertEquals(0, backend.recordedSteps(), "a larger workspace takes the recording with it");
        close();
    }

    @Test
    void aPlanThatTheWarmUpDidNotMakeEndsTheRecording() {
        open(ConvolutionChoice.CUDNN, false);
        Tensor x = tensor(DataType.F32, 1, 8, 8, 4);
        Tensor w = tensor(DataType.F32, 4, 3, 3, 4);
        for (int i = 0; i < 2; i++) {
            boolean another = i == 1;
            backend.step("a", () -> {
                backend.convolution(
                        another ? Convolution.PLAIN : new Convolution(1, 1),
                        x,
                        another ? w.slice(0, Shape.of(4, 1, 1, 4)) : w,
                        null,
                        x);
                return 0;
            });
        }
        assertEquals(1, driver.count("abandonCapture"));
        assertEquals(0, backend.recordedSteps());
        assertTrue(library.runs.stream().noneMatch(RecordingLibrary.Run::captured));
        assertEquals(2, library.runs.size(), "run launch by launch instead");
        close();
    }

    // ---- failures -----------------------------------------------------------------------------------------------

    @Test
    void whereItIsMissingAutoGoesOnAndWhoForcedItIsTold() {
        CudaOptions forced = new CudaOptions(0, 0, ConvolutionChoice.CUDNN, true);
        MissingNative e = assertThrows(MissingNative.class, () -> CudaBackend.over(driver, forced));
        assertEquals("there is no library", e.getMessage());
        assertTrue(driver.everythingGivenBack());

        RecordingDriver other = new RecordingDriver();
        try (CudaBackend auto = CudaBackend.over(
                        other, CudaOptions.standard(), new ConvolutionTable(ConvolutionChoice.AUTO, true));
                Tensor x = Tensor.allocate(auto.memory(), DataType.F32, Shape.of(2, 2));
                Tensor w = Tensor.allocate(auto.memory(), DataType.F32, Shape.of(2, 2))) {
            auto.linear(x, w, null, x);
            assertEquals(1, other.count("convolutionLibrary"));
            assertFalse(other.launches.isEmpty());
        }
    }

    @Test
    void aFailureIsPassedOnAndALostCardTold() {
        open(ConvolutionChoice.CUDNN, false);
        Tensor x = tensor(DataType.F32, 2, 2);
        Tensor w = tensor(DataType.F32, 2, 2);
        library.failure = new EffconvException("cudnnConvolutionForward failed");
        EffconvException plain = assertThrows(EffconvException.class, () -> backend.linear(x, w, null, x));
        assertSame(library.failure, plain);
        library.failure = null;
        backend.linear(x, w, null, x); // the backend goes on

        library.failure = plain;
        driver.lose();
        DeviceLost lost = assertThrows(DeviceLost.class, () -> backend.linear(x, w, null, x));
        assertArrayEquals(new Throwable[] {plain}, lost.getSuppressed());
        assertThrows(DeviceLost.class, () -> backend.linear(x, w, null, x));
        tensors.forEach(Tensor::close);
        backend.close();
        assertTrue(library.closed && library.open.isEmpty(), "the host's part of it");
    }

    @Test
    void onlyAlgorithmsThatGiveTheSameBitsAreTaken() {
        CudnnLibrary.Candidate random = new CudnnLibrary.Candidate(0, 0, 0, 0);
        CudnnLibrary.Candidate unable = new CudnnLibrary.Candidate(1, 3000, 1, 0);
        CudnnLibrary.Candidate good = new CudnnLibrary.Candidate(2, 0, 1, 3);
        CudnnLibrary.Candidate slower = new CudnnLibrary.Candidate(3, 0, 1, 3);
        assertEquals(
                good,
                CudnnLibrary.firstDeterministic(List.of(random, unable, good, slower))
                        .orElseThrow());
        assertTrue(CudnnLibrary.firstDeterministic(List.of(random, unable)).isEmpty());
    }
}

package org.effconv.backend.cuda;

import static org.bytedeco.cuda.global.cudnn.*;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.function.IntFunction;
import java.util.function.IntSupplier;
import java.util.stream.IntStream;
import org.bytedeco.cuda.cudart.CUstream_st;
import org.bytedeco.cuda.cudnn.cudnnContext;
import org.bytedeco.cuda.cudnn.cudnnConvolutionBwdDataAlgoPerf_t;
import org.bytedeco.cuda.cudnn.cudnnConvolutionBwdFilterAlgoPerf_t;
import org.bytedeco.cuda.cudnn.cudnnConvolutionFwdAlgoPerf_t;
import org.bytedeco.cuda.cudnn.cudnnConvolutionStruct;
import org.bytedeco.cuda.cudnn.cudnnFilterStruct;
import org.bytedeco.cuda.cudnn.cudnnTensorStruct;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.SizeTPointer;
import org.effconv.backend.bridge.HostPointer;
import org.effconv.error.EffconvException;
import org.effconv.error.EffconvException.OutOfDeviceMemory;
import org.effconv.tensor.DataType;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * cuDNN 9 through its classic interface. Activations and filters are NHWC (KRSC); sums are fp32, fp32 data is
 * multiplied without tensor units, and only algorithms that the library calls deterministic are taken. The library
 * works in the card's primary context, which the driver has made current. Products of linear layers are cuBLAS's
 * ({@link CublasLibrary}), their biases cuDNN's.
 *
 * <p>With that one, the class that touches the preset's classes: reached through {@link CudnnBinding} alone.
 */
@SuppressWarnings("deprecation") // cuDNN 9 marks its classic interface so
final class CudnnLibrary implements ConvolutionLibrary {
    private static final Logger LOG = LoggerFactory.getLogger(CudnnLibrary.class);

    private final String device;
    private final cudnnContext handle = new cudnnContext();
    private final FloatPointer one = new FloatPointer(1f);
    private final FloatPointer zero = new FloatPointer(0f);
    private CublasLibrary products; // linear layers
    private boolean closed;

    private CudnnLibrary(String device) {
        this.device = device;
    }

    /**
     * Loads the preset's native half, and cuDNN with it.
     *
     * @return cuDNN's version, as cudnnGetVersion gives it
     */
    static long load() {
        CublasLibrary.load();
        Loader.load(org.bytedeco.cuda.global.cudnn.class);
        return cudnnGetVersion();
    }

    /** @param stream the driver's own handle, a CUstream */
    static CudnnLibrary open(String device, long stream) {
        CudnnLibrary library = new CudnnLibrary(device);
        library.call("cudnnCreate", () -> cudnnCreate(library.handle));
        try {
            library.call(
                    "cudnnSetStream", () -> cudnnSetStream(library.handle, new CUstream_st(HostPointer.at(stream, 0))));
            library.products = CublasLibrary.open(device, stream);
            return library;
        } catch (Throwable e) {
            library.close();
            throw e;
        }
    }

    @Override
    public String description() {
        return "cuDNN " + CudnnBinding.text(cudnnGetVersion()) + " with cuBLAS "
                + CudnnBinding.text(products.version());
    }

    private void call(String call, IntSupplier function) {
        int status = function.getAsInt();
        if (status == CUDNN_STATUS_SUCCESS) {
            return;
        }
        String sentence =
                device + ": " + call + " failed: " + cudnnGetErrorString(status).getString() + " (" + status + ")";
        if (status == CUDNN_STATUS_ALLOC_FAILED || status == CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED) {
            throw new OutOfDeviceMemory(sentence);
        }
        throw new EffconvException(sentence);
    }

    @Override
    public Optional<Plan> plan(ConvolutionRequest request) {
        CudnnPlan plan = new CudnnPlan(request);
        boolean kept = false;
        try {
            plan.describe();
            kept = plan.choose();
            return kept ? Optional.of(plan) : Optional.empty();
        } finally {
            if (!kept) {
                plan.close();
            }
        }
    }

    @Override
    public void close() {
        if (!closed) {
            closed = true;
            if (products != null) {
                products.close();
            }
            giveBack("cudnnDestroy", () -> cudnnDestroy(handle));
            one.close();
            zero.close();
        }
    }

    // A lost card has been reported, and gives nothing back.
    private void giveBack(String call, IntSupplier function) {
        int status = function.getAsInt();
        if (status != CUDNN_STATUS_SUCCESS) {
            LOG.warn(
                    "{}: {} on closing: {}",
                    device,
                    call,
                    cudnnGetErrorString(status).getString());
        }
    }

    /** An algorithm that the library's heuristic proposes. */
    record Candidate(int algorithm, int status, int determinism, int math) {}

    /** The first that can run and gives the same bits in every run; the library puts the fastest first. */
    static Optional<Candidate> firstDeterministic(List<Candidate> candidates) {
        return candidates.stream()
                .filter(c -> c.status == CUDNN_STATUS_SUCCESS && c.determinism == CUDNN_DETERMINISTIC)
                .findFirst();
    }

    // Read out at once: the library's list is gone after that.
    private static List<Candidate> candidates(int count, IntFunction<Candidate> at) {
        return IntStream.range(0, count).mapToObj(at).toList();
    }

    /** The descriptors of one pass and the algorithm that was chosen for it. */
    private final class CudnnPlan implements Plan {
        private final ConvolutionRequest request;
        private final int type;
        private final cudnnTensorStruct x = new cudnnTensorStruct();
        private final cudnnTensorStruct y = new cudnnTensorStruct();
        private final cudnnTensorStruct bias = new cudnnTensorStruct();
        private final cudnnFilterStruct w = new cudnnFilterStruct();
        private final cudnnConvolutionStruct convolution = new cudnnConvolutionStruct();
        private final Deque<Runnable> toClose = new ArrayDeque<>();
        private int algorithm;
        private long workspaceBytes;

        CudnnPlan(ConvolutionRequest request) {
            this.request = request;
            type = request.type() == DataType.BF16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT;
        }

        void describe() {
            tensor(x, type, request.xExtents());
            tensor(y, type, request.yExtents());
            tensor(bias, CUDNN_DATA_FLOAT, request.biasExtents());
            call("cudnnCreateFilterDescriptor", () -> cudnnCreateFilterDescriptor(w));
            toClose.push(() -> giveBack("cudnnDestroyFilterDescriptor", () -> cudnnDestroyFilterDescriptor(w)));
            int[] e = request.wExtents();
            call(
                    "cudnnSetFilter4dDescriptor",
                    () -> cudnnSetFilter4dDescriptor(w, type, CUDNN_TENSOR_NHWC, e[0], e[1], e[2], e[3]));
            call("cudnnCreateConvolutionDescriptor", () -> cudnnCreateConvolutionDescriptor(convolution));
            toClose.push(() -> giveBack(
                    "cudnnDestroyConvolutionDescriptor", () -> cudnnDestroyConvolutionDescriptor(convolution)));
            int padding = request.padding();
            int stride = request.stride();
            call(
                    "cudnnSetConvolution2dDescriptor",
                    () -> cudnnSetConvolution2dDescriptor(
                            convolution,
                            padding,
                            padding,
                            stride,
                            stride,
                            1,
                            1,
                            CUDNN_CROSS_CORRELATION,
                            CUDNN_DATA_FLOAT));
            call("cudnnSetConvolutionGroupCount", () -> cudnnSetConvolutionGroupCount(convolution, request.groups()));
            setMath(type == CUDNN_DATA_FLOAT ? CUDNN_FMA_MATH : CUDNN_TENSOR_OP_MATH);
            requireSameOutput();
        }

        private void tensor(cudnnTensorStruct descriptor, int of, int[] e) {
            call("cudnnCreateTensorDescriptor", () -> cudnnCreateTensorDescriptor(descriptor));
            toClose.push(
                    () -> giveBack("cudnnDestroyTensorDescriptor", () -> cudnnDestroyTensorDescriptor(descriptor)));
            call(
                    "cudnnSetTensor4dDescriptor",
                    () -> cudnnSetTensor4dDescriptor(descriptor, CUDNN_TENSOR_NHWC, of, e[0], e[1], e[2], e[3]));
        }

        private void setMath(int math) {
            call("cudnnSetConvolutionMathType", () -> cudnnSetConvolutionMathType(convolution, math));
        }

        // Two who reckon a shape must agree before one of them writes it.
        private void requireSameOutput() {
            int[][] out = new int[4][1];
            call(
                    "cudnnGetConvolution2dForwardOutputDim",
                    () -> cudnnGetConvolution2dForwardOutputDim(convolution, x, w, out[0], out[1], out[2], out[3]));
            int[] expected = request.yExtents();
            for (int i = 0; i < expected.length; i++) {
                if (out[i][0] != expected[i]) {
                    throw new EffconvException(device + ": cuDNN reckons another output for " + request + ": extent "
                            + i + " is " + out[i][0] + ", expected " + expected[i]);
                }
            }
        }

        /** @return false if there is no deterministic algorithm */
        boolean choose() {
            if (request.isLinear()) {
                workspaceBytes = CublasLibrary.WORKSPACE_BYTES;
                return true;
            }
            Optional<Candidate> best = firstDeterministic(
                    switch (request.pass()) {
                        case FORWARD -> forwardAlgorithms();
                        case DATA_GRADIENT -> dataGradientAlgorithms();
                        case WEIGHT_GRADIENT -> weightGradientAlgorithms();
                    });
            best.ifPresent(this::take);
            return best.isPresent();
        }

        private void take(Candidate chosen) {
            algorithm = chosen.algorithm();
            if (type == CUDNN_DATA_BFLOAT16) { // fp32 stays with FMA_MATH, whatever the heuristic says
                setMath(chosen.math());
            }
            try (SizeTPointer bytes = new SizeTPointer(1)) {
                call("cudnnGetConvolution...WorkspaceSize", () -> switch (request.pass()) {
                    case FORWARD -> cudnnGetConvolutionForwardWorkspaceSize(
                            handle, x, w, convolution, y, algorithm, bytes);
                    case DATA_GRADIENT -> cudnnGetConvolutionBackwardDataWorkspaceSize(
                            handle, w, y, convolution, x, algorithm, bytes);
                    case WEIGHT_GRADIENT -> cudnnGetConvolutionBackwardFilterWorkspaceSize(
                            handle, x, y, convolution, w, algorithm, bytes);
                });
                workspaceBytes = bytes.get();
            }
        }

        private List<Candidate> forwardAlgorithms() {
            int[] found = new int[1];
            try (cudnnConvolutionFwdAlgoPerf_t list =
                    new cudnnConvolutionFwdAlgoPerf_t(CUDNN_CONVOLUTION_FWD_ALGO_COUNT)) {
                call(
                        "cudnnGetConvolutionForwardAlgorithm_v7",
                        () -> cudnnGetConvolutionForwardAlgorithm_v7(
                                handle, x, w, convolution, y, CUDNN_CONVOLUTION_FWD_ALGO_COUNT, found, list));
                return candidates(found[0], i -> {
                    cudnnConvolutionFwdAlgoPerf_t p = list.getPointer(i);
                    return new Candidate(p.algo(), p.status(), p.determinism(), p.mathType());
                });
            }
        }

        private List<Candidate> dataGradientAlgorithms() {
            int[] found = new int[1];
            try (cudnnConvolutionBwdDataAlgoPerf_t list =
                    new cudnnConvolutionBwdDataAlgoPerf_t(CUDNN_CONVOLUTION_BWD_DATA_ALGO_COUNT)) {
                call(
                        "cudnnGetConvolutionBackwardDataAlgorithm_v7",
                        () -> cudnnGetConvolutionBackwardDataAlgorithm_v7(
                                handle, w, y, convolution, x, CUDNN_CONVOLUTION_BWD_DATA_ALGO_COUNT, found, list));
                return candidates(found[0], i -> {
                    cudnnConvolutionBwdDataAlgoPerf_t p = list.getPointer(i);
                    return new Candidate(p.algo(), p.status(), p.determinism(), p.mathType());
                });
            }
        }

        private List<Candidate> weightGradientAlgorithms() {
            int[] found = new int[1];
            try (cudnnConvolutionBwdFilterAlgoPerf_t list =
                    new cudnnConvolutionBwdFilterAlgoPerf_t(CUDNN_CONVOLUTION_BWD_FILTER_ALGO_COUNT)) {
                call(
                        "cudnnGetConvolutionBackwardFilterAlgorithm_v7",
                        () -> cudnnGetConvolutionBackwardFilterAlgorithm_v7(
                                handle, x, y, convolution, w, CUDNN_CONVOLUTION_BWD_FILTER_ALGO_COUNT, found, list));
                return candidates(found[0], i -> {
                    cudnnConvolutionBwdFilterAlgoPerf_t p = list.getPointer(i);
                    return new Candidate(p.algo(), p.status(), p.determinism(), p.mathType());
                });
            }
        }

        @Override
        public long workspaceBytes() {
            return workspaceBytes;
        }

        @Override
        public void run(long xAt, long wAt, long biasAt, long yAt, long workspaceAt) {
            Pointer px = at(xAt);
            Pointer pw = at(wAt);
            Pointer pb = at(biasAt);
            Pointer py = at(yAt);
            Pointer room = at(workspaceAt);
            if (request.isLinear()) {
                products.run(LinearProduct.of(request), request.type(), xAt, wAt, yAt, workspaceAt);
            } else {
                convolve(px, pw, py, room);
            }
            if (biasAt != 0 && request.pass() == ConvolutionRequest.Pass.FORWARD) {
                call("cudnnAddTensor", () -> cudnnAddTensor(handle, one, bias, pb, one, y, py));
            } else if (biasAt != 0) {
                call(
                        "cudnnConvolutionBackwardBias",
                        () -> cudnnConvolutionBackwardBias(handle, one, y, py, zero, bias, pb));
            }
        }

        private void convolve(Pointer px, Pointer pw, Pointer py, Pointer room) {
            switch (request.pass()) {
                case FORWARD -> call(
                        "cudnnConvolutionForward",
                        () -> cudnnConvolutionForward(
                                handle, one, x, px, w, pw, convolution, algorithm, room, workspaceBytes, zero, y, py));
                case DATA_GRADIENT -> call(
                        "cudnnConvolutionBackwardData",
                        () -> cudnnConvolutionBackwardData(
                                handle, one, w, pw, y, py, convolution, algorithm, room, workspaceBytes, zero, x, px));
                case WEIGHT_GRADIENT -> call(
                        "cudnnConvolutionBackwardFilter",
                        () -> cudnnConvolutionBackwardFilter(
                                handle, one, x, px, y, py, convolution, algorithm, room, workspaceBytes, zero, w, pw));
            }
        }

        private Pointer at(long address) {
            return address == 0 ? null : HostPointer.at(address, 0);
        }

        @Override
        public void close() {
            while (!toClose.isEmpty()) {
                toClose.pop().run();
            }
        }
    }
}

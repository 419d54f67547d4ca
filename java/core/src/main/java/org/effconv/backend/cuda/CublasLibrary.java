package org.effconv.backend.cuda;

import static org.bytedeco.cuda.global.cublas.*;
import static org.bytedeco.cuda.global.cudart.CUDA_R_16BF;
import static org.bytedeco.cuda.global.cudart.CUDA_R_32F;

import java.util.function.IntSupplier;
import org.bytedeco.cuda.cublas.cublasContext;
import org.bytedeco.cuda.cudart.CUstream_st;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.Pointer;
import org.effconv.backend.bridge.HostPointer;
import org.effconv.backend.cuda.LinearProduct.Operand;
import org.effconv.error.EffconvException;
import org.effconv.error.EffconvException.OutOfDeviceMemory;
import org.effconv.tensor.DataType;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Matrix products by cuBLAS: sums in fp32, fp32 data without tensor units, no atomics (its default), in a workspace of
 * the caller's, so that it can be part of a recorded step and two runs give the same bits. Like {@link CudnnLibrary},
 * by which alone it is reached, it touches the preset's classes.
 */
final class CublasLibrary implements AutoCloseable {
    /** What its makers recommend for the cards that want most. */
    static final long WORKSPACE_BYTES = 32 << 20;

    private static final Logger LOG = LoggerFactory.getLogger(CublasLibrary.class);

    private final String device;
    private final cublasContext handle = new cublasContext();
    private final FloatPointer one = new FloatPointer(1f);
    private final FloatPointer zero = new FloatPointer(0f);
    private boolean closed;

    private CublasLibrary(String device) {
        this.device = device;
    }

    static void load() {
        Loader.load(org.bytedeco.cuda.global.cublas.class);
    }

    /** @param stream the driver's own handle, a CUstream */
    static CublasLibrary open(String device, long stream) {
        CublasLibrary library = new CublasLibrary(device);
        library.call("cublasCreate", () -> cublasCreate_v2(library.handle));
        try {
            library.call(
                    "cublasSetStream",
                    () -> cublasSetStream_v2(library.handle, new CUstream_st(HostPointer.at(stream, 0))));
            return library;
        } catch (Throwable e) {
            library.close();
            throw e;
        }
    }

    /** As cuBLAS gives it: 130100 for 13.1.0. */
    int version() {
        int[] version = new int[1];
        call("cublasGetVersion", () -> cublasGetVersion_v2(handle, version));
        return version[0];
    }

    private void call(String call, IntSupplier function) {
        int status = function.getAsInt();
        if (status == CUBLAS_STATUS_SUCCESS) {
            return;
        }
        String sentence = device + ": " + call + " failed: "
                + cublasGetStatusString(status).getString() + " (" + status + ")";
        if (status == CUBLAS_STATUS_ALLOC_FAILED) {
            throw new OutOfDeviceMemory(sentence);
        }
        throw new EffconvException(sentence);
    }

    /**
     * Puts a product into the stream.
     *
     * @param type of x and y, and of w unless it is what is computed, which is fp32
     * @param workspace of {@link #WORKSPACE_BYTES}
     */
    void run(LinearProduct p, DataType type, long x, long w, long y, long workspace) {
        call("cublasSetWorkspace", () -> cublasSetWorkspace_v2(handle, HostPointer.at(workspace, 0), WORKSPACE_BYTES));
        int operands = type == DataType.BF16 ? CUDA_R_16BF : CUDA_R_32F;
        int result = p.c() == Operand.W ? CUDA_R_32F : operands;
        int compute = type == DataType.BF16 ? CUBLAS_COMPUTE_32F : CUBLAS_COMPUTE_32F_PEDANTIC;
        call(
                "cublasGemmEx",
                () -> cublasGemmEx(
                        handle,
                        operation(p.transposeA()),
                        operation(p.transposeB()),
                        p.m(),
                        p.n(),
                        p.k(),
                        one,
                        at(p.a(), x, w, y),
                        operands,
                        p.lda(),
                        at(p.b(), x, w, y),
                        operands,
                        p.ldb(),
                        zero,
                        at(p.c(), x, w, y),
                        result,
                        p.ldc(),
                        compute,
                        CUBLAS_GEMM_DEFAULT));
    }

    private static int operation(boolean transpose) {
        return transpose ? CUBLAS_OP_T : CUBLAS_OP_N;
    }

    private static Pointer at(Operand operand, long x, long w, long y) {
        return HostPointer.at(
                switch (operand) {
                    case X -> x;
                    case W -> w;
                    case Y -> y;
                },
                0);
    }

    @Override
    public void close() {
        if (!closed) {
            closed = true;
            int status = cublasDestroy_v2(handle);
            if (status != CUBLAS_STATUS_SUCCESS) { // a lost card has been reported, and gives nothing back
                LOG.warn(
                        "{}: cublasDestroy on closing: {}",
                        device,
                        cublasGetStatusString(status).getString());
            }
            one.close();
            zero.close();
        }
    }
}

package org.effconv.backend.cuda;

import jcuda.driver.CUresult;
import org.effconv.error.EffconvException;

/** What a result of the driver means for the caller; told by its number, never by its text. */
enum CudaFailure {
    /** No memory; everything else goes on. */
    OUT_OF_MEMORY,
    /** Sticky: every later call of this process on this card fails, too. */
    FATAL,
    /** The device code does not fit card or driver. */
    NO_IMAGE,
    /** This call was refused. */
    REFUSED;

    static CudaFailure of(int result) {
        return switch (result) {
            case CUresult.CUDA_ERROR_OUT_OF_MEMORY -> OUT_OF_MEMORY;
            case CUresult.CUDA_ERROR_DEINITIALIZED,
                    CUresult.CUDA_ERROR_DEVICE_UNAVAILABLE,
                    CUresult.CUDA_ERROR_ECC_UNCORRECTABLE,
                    CUresult.CUDA_ERROR_NVLINK_UNCORRECTABLE,
                    CUresult.CUDA_ERROR_ILLEGAL_ADDRESS,
                    CUresult.CUDA_ERROR_LAUNCH_TIMEOUT,
                    CUresult.CUDA_ERROR_CONTEXT_IS_DESTROYED,
                    CUresult.CUDA_ERROR_ASSERT,
                    CUresult.CUDA_ERROR_HARDWARE_STACK_ERROR,
                    CUresult.CUDA_ERROR_ILLEGAL_INSTRUCTION,
                    CUresult.CUDA_ERROR_MISALIGNED_ADDRESS,
                    CUresult.CUDA_ERROR_INVALID_ADDRESS_SPACE,
                    CUresult.CUDA_ERROR_INVALID_PC,
                    CUresult.CUDA_ERROR_LAUNCH_FAILED,
                    CUresult.CUDA_ERROR_MPS_CLIENT_TERMINATED,
                    CUresult.CUDA_ERROR_EXTERNAL_DEVICE -> FATAL;
            case CUresult.CUDA_ERROR_INVALID_IMAGE,
                    CUresult.CUDA_ERROR_NO_BINARY_FOR_GPU,
                    CUresult.CUDA_ERROR_INVALID_PTX,
                    CUresult.CUDA_ERROR_UNSUPPORTED_PTX_VERSION,
                    CUresult.CUDA_ERROR_JIT_COMPILER_NOT_FOUND,
                    CUresult.CUDA_ERROR_JIT_COMPILATION_DISABLED -> NO_IMAGE;
            default -> REFUSED;
        };
    }

    /**
     * @param device "cuda:0"
     * @param call of the driver
     * @param details what was asked for
     */
    EffconvException exception(String device, String call, String details, int result) {
        String sentence = device + ": " + call + (details.isEmpty() ? "" : " (" + details + ")") + " failed: "
                + CUresult.stringFor(result) + " (" + result + ")";
        return switch (this) {
            case OUT_OF_MEMORY -> new EffconvException.OutOfDeviceMemory(sentence);
            case FATAL -> new EffconvException.DeviceLost(
                    sentence + "; nothing runs on this card any more in this process, which must be restarted", null);
            case NO_IMAGE -> new EffconvException.MissingNative(
                    sentence
                            + "; the device code does not fit this card or its driver: update the driver, or build the kernels' jar for"
                            + " the card (EFFCONV_CUDA_TARGETS)",
                    null);
            case REFUSED -> new EffconvException(sentence);
        };
    }
}

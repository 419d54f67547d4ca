package org.effconv.backend.cuda;

import org.effconv.error.EffconvException;

/**
 * Why a card cannot be used, in three parts that every message has.
 *
 * @param found what is there
 * @param needed what would have to be there
 * @param remedy the way out
 */
public record CudaProblem(Kind kind, String found, String needed, String remedy) {
    /** What is wrong. */
    public enum Kind {
        NO_DRIVER("there is no NVIDIA driver"),
        NO_BINDING("the driver cannot be reached from Java"),
        DRIVER_FAILED("the NVIDIA driver does not start"),
        NO_CARD("the NVIDIA driver finds no card"),
        DRIVER_TOO_OLD("the NVIDIA driver is too old"),
        NO_DEVICE_CODE("the kernels' device code is missing"),
        NO_SUCH_CARD("there is no such card"),
        NO_KERNEL_IMAGE("there is no device code for this card"),
        NO_CUDNN("cuDNN is missing"),
        WRONG_CUDNN("cuDNN is of another major version"),
        NO_CUBLAS("cuBLAS, which cuDNN needs, is missing"),
        NO_CUDNN_BINDING("cuDNN cannot be reached from Java"),
        OUT_OF_MEMORY("the card has too little memory");

        private final String sentence;

        Kind(String sentence) {
            this.sentence = sentence;
        }
    }

    /** Without the way out, for whoever asked for nothing in particular. */
    public String reason() {
        return kind.sentence + " (" + found + ")";
    }

    @Override
    public String toString() {
        return kind.sentence + ": found " + found + "; needed: " + needed + "; way out: " + remedy;
    }

    /** For whoever asked for the card by name. */
    public EffconvException exception(String device) {
        String message = "device '" + device + "': " + this;
        return switch (kind) {
            case NO_SUCH_CARD -> new EffconvException.InvalidInput(message);
            case OUT_OF_MEMORY -> new EffconvException.OutOfDeviceMemory(message);
            default -> new EffconvException.MissingNative(message, null);
        };
    }
}

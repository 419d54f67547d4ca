package org.effconv.backend.cpu;

/** What this processor and its libraries can do. */
public final class CpuFeatures {
    private CpuFeatures() {}

    /**
     * Whether the processor computes in bf16 (AVX-512 BF16 or AMX).
     *
     * @throws org.effconv.error.EffconvException.MissingNative if oneDNN does not load
     */
    public static boolean bf16() {
        return OneDnn.bf16Supported();
    }

    /**
     * Version of oneDNN.
     *
     * @throws org.effconv.error.EffconvException.MissingNative if it does not load
     */
    public static String oneDnnVersion() {
        return OneDnn.version();
    }
}

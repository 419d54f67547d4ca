package org.effconv.backend.cuda;

import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.annotation.Cast;
import org.bytedeco.javacpp.annotation.Platform;

/** The kernels on the host (cuda/host/effconv_host_run.h). */
@Platform(include = "effconv_host_run.h", link = "effconv_kernels_host")
final class HostKernels {
    static {
        Loader.load(HostKernels.class);
    }

    private HostKernels() {}

    @Cast("int32_t")
    static native int ec_host_launch(
            String kernel,
            @Cast("int64_t") long blocks,
            @Cast("int32_t") int threads,
            @Cast("int64_t") long sharedBytes,
            @Cast("const void*") Pointer parameters,
            @Cast("int64_t") long parameterBytes,
            @Cast("char*") BytePointer message,
            @Cast("int32_t") int messageBytes);
}

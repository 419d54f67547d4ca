package org.effconv.backend.cuda;

/** Opens CUDA backends whose kernels run on the host: for tests, about 30 ns per CUDA thread and barrier. */
public final class HostCuda {
    private HostCuda() {}

    /** A backend that calls itself "cuda:0"; the options' card is ignored. */
    public static CudaBackend open(CudaOptions options) {
        return CudaBackend.over(new HostDriver(), options);
    }
}

package org.effconv.backend.cuda;

import java.util.Optional;

/** What {@link CudaProbe} asks of a machine; a fake of it tells of machines that are not at hand. */
interface CudaSystem {
    /** The driver's library. */
    String DRIVER_LIBRARY = "libcuda.so.1";

    /** Loads {@link #DRIVER_LIBRARY}; what the dynamic linker says if that fails. */
    Optional<String> driverLibraryFailure();

    /** Loads JCuda's native half, which needs the driver's library; why it fails. */
    Optional<String> bindingFailure();

    /** Name of cuInit's result: "CUDA_SUCCESS". */
    String initialise();

    /** Newest CUDA that the driver knows, as drivers count: 13000 for 13.0. */
    int driverVersion();

    int cards();

    Card card(int ordinal);

    /** Where a shared library lies once loaded; empty if it cannot be. */
    Optional<String> library(String soname);

    /** Loads the preset's binding of cuDNN, which needs the libraries of cuDNN and cuBLAS; why it fails. */
    Optional<String> cudnnBindingFailure();

    /** The project's fatbins; empty if their jar is not on the class path. */
    Optional<DeviceCode> deviceCode();
}

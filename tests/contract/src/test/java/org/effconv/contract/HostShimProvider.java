package org.effconv.contract;

import java.util.EnumSet;
import java.util.Optional;
import java.util.Set;
import org.effconv.backend.Backend;
import org.effconv.backend.cuda.CudaOptions;
import org.effconv.backend.cuda.HostCuda;
import org.effconv.tensor.DataType;

/** The CUDA backend with its kernels, on a CPU. */
public final class HostShimProvider implements BackendProvider {
    @Override
    public String name() {
        return "cuda on the host shim";
    }

    @Override
    public Optional<String> missing() {
        return Optional.empty();
    }

    @Override
    public Backend open() {
        return HostCuda.open(CudaOptions.standard());
    }

    @Override
    public Set<DataType> types() {
        return EnumSet.of(DataType.F32, DataType.BF16);
    }

    @Override
    public boolean emulated() {
        return true;
    }

    @Override
    public boolean refusesWrongLabels() {
        return false;
    }
}

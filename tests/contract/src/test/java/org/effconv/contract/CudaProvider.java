package org.effconv.contract;

import java.util.EnumSet;
import java.util.Optional;
import java.util.Set;
import org.effconv.backend.Backend;
import org.effconv.backend.cuda.CudaBackend;
import org.effconv.backend.cuda.CudaOptions;
import org.effconv.backend.cuda.CudaProbe;
import org.effconv.tensor.DataType;

/** The first card of this machine; skipped with the reason where none can be used. */
public final class CudaProvider implements BackendProvider {
    @Override
    public String name() {
        return "cuda";
    }

    @Override
    public Optional<String> missing() {
        return CudaProbe.ofThisMachine().problem(CudaOptions.standard()).map(Object::toString);
    }

    @Override
    public Backend open() {
        return CudaBackend.open(CudaOptions.standard());
    }

    @Override
    public Set<DataType> types() {
        return EnumSet.of(DataType.F32, DataType.BF16);
    }

    @Override
    public boolean emulated() {
        return false;
    }

    @Override
    public boolean refusesWrongLabels() {
        return false;
    }
}

package org.effconv.contract;

import java.util.EnumSet;
import java.util.Optional;
import java.util.Set;
import org.effconv.backend.Backend;
import org.effconv.backend.cpu.CpuBackend;
import org.effconv.tensor.DataType;

/** The processor, with two threads, so that operations are shared between them. */
public final class CpuProvider implements BackendProvider {
    @Override
    public String name() {
        return "cpu";
    }

    @Override
    public Optional<String> missing() {
        return Optional.empty();
    }

    @Override
    public Backend open() {
        return CpuBackend.open(2);
    }

    @Override
    public Set<DataType> types() {
        return EnumSet.of(DataType.F32, DataType.BF16, DataType.F64);
    }

    @Override
    public boolean emulated() {
        return false;
    }

    @Override
    public boolean refusesWrongLabels() {
        return true;
    }
}

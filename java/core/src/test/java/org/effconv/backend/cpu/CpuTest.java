package org.effconv.backend.cpu;

import org.effconv.backend.OperationTest;
import org.effconv.tensor.DataType;

/** Tests of what is the CPU's alone; what every backend must do stands in the contract suite. */
abstract class CpuTest extends OperationTest<CpuBackend> {
    static final DataType[] ACTIVATIONS = {DataType.F32, DataType.BF16, DataType.F64};

    @Override
    protected CpuBackend openBackend() {
        return CpuBackend.open(2);
    }
}

package org.effconv.backend.cpu;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import org.effconv.backend.ConvolutionCase;
import org.effconv.tensor.DataType;
import org.junit.jupiter.api.Test;

/** Convolutions of one thread over many drawn shapes; the contract suite has two threads and fewer shapes. */
class CpuConvolutionTest extends CpuTest {
    private static final int DRAWN = 200;
    private static final long MOST_WORK = 1_500_000;

    @Override
    protected CpuBackend openBackend() {
        return CpuBackend.open(1);
    }

    @Test
    void fp32MatchesTheSum() {
        checkAll(DataType.F32);
    }

    @Test
    void bf16MatchesTheSum() {
        assumeTrue(CpuFeatures.bf16(), "this processor has no bf16 instructions");
        checkAll(DataType.BF16);
    }

    private void checkAll(DataType type) {
        for (ConvolutionCase c : ConvolutionCase.cases(DRAWN, MOST_WORK)) {
            checkConvolution(c, type);
        }
    }
}

package org.effconv.backend.cpu;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import org.effconv.backend.ConvolutionCase;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Tensor;
import org.junit.jupiter.api.Test;

/** The weight gradient on the matrix unit, for shapes that it would not be chosen for, too. */
class AmxWeightGradientTest extends CpuTest {
    @Test
    void matchesTheSum() {
        assumeTrue(AmxWeightGradient.available(), "this processor has no matrix unit (AMX)");
        for (DataType type : new DataType[] {DataType.F32, DataType.BF16}) {
            for (ConvolutionCase c : ConvolutionCase.cases(200, 1_500_000)) {
                if (c.groups() == 1) {
                    check(c, type);
                }
            }
        }
    }

    private void check(ConvolutionCase c, DataType type) {
        Operands o = convolutionOperands(c, type);
        Tensor dw = like(o.w());
        Tensor db = c.bias() ? like(o.bias()) : null;
        AmxWeightGradient.run(backend, c.convolution(), o.x(), o.dy(), dw, db);
        o.expected().dw.check(dw, values(dw), c + " weight gradient on the matrix unit");
        if (c.bias()) {
            o.expected().db.check(db, values(db), c + " bias gradient on the matrix unit");
        }
    }
}

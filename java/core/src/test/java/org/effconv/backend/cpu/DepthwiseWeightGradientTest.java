package org.effconv.backend.cpu;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import org.effconv.backend.ConvolutionCase;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Tensor;
import org.junit.jupiter.api.Test;

/** The weight gradient of depthwise convolutions over more shapes than other convolutions are tested over. */
class DepthwiseWeightGradientTest extends CpuTest {
    /** Images that are cut into bands: of several rows, with a stride, of one row. */
    private static final List<ConvolutionCase> BANDS = List.of(
            new ConvolutionCase(2, 35, 35, 40, 300, 5, 1, 35, true, 21),
            new ConvolutionCase(1, 5, 5, 41, 301, 7, 2, 5, true, 22),
            new ConvolutionCase(1, 2, 2, 3, 3000, 33, 1, 2, false, 23));

    @Test
    void matchesTheSum() {
        List<ConvolutionCase> cases = new ArrayList<>(BANDS);
        ConvolutionCase.cases(600, 1_500_000).stream()
                .filter(c -> c.groups() == c.c() && c.k() == c.c())
                .forEach(cases::add);
        assertTrue(cases.size() >= 60, cases.size() + " cases");
        for (DataType type : new DataType[] {DataType.F32, DataType.BF16}) {
            cases.forEach(c -> check(c, type));
        }
    }

    private void check(ConvolutionCase c, DataType type) {
        Operands o = convolutionOperands(c, type);
        Tensor dw = like(o.w());
        Tensor db = c.bias() ? like(o.bias()) : null;
        CpuConvolution.depthwiseWeightGradient(backend, c.convolution(), o.x(), o.dy(), dw, db);
        o.expected().dw.check(dw, values(dw), type + " " + c + " weight gradient");
        if (c.bias()) {
            o.expected().db.check(db, values(db), type + " " + c + " bias gradient");
        }
    }
}

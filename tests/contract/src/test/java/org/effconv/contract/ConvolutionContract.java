package org.effconv.contract;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import java.util.function.DoubleSupplier;
import java.util.function.Supplier;
import org.effconv.backend.Convolution;
import org.effconv.backend.ConvolutionCase;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Tensor;
import org.junit.jupiter.api.Test;

/** Convolutions against a naive sum in double over drawn and awkward shapes; outputs poisoned. */
class ConvolutionContract extends BackendContract {
    // two threads of a busy processor wait long for each other at each barrier; what one thread does is drawn more
    // often beside it
    private static final int DRAWN = 30;

    @Test
    void allPassesAreTheSum() {
        for (DataType type : productTypes()) {
            for (ConvolutionCase c : ConvolutionCase.cases(DRAWN, provider().emulated() ? 300_000 : 1_500_000)) {
                checkConvolution(c, type);
            }
        }
    }

    @Test
    void gradientsAgreeWithDifferences() {
        needsDouble();
        for (ConvolutionCase c : ConvolutionCase.cases(10, 20_000)) {
            Operands o = convolutionOperands(c, DataType.F64);
            Tensor y = poisoned(DataType.F64, c.outputs());
            double[] factors = values(o.dy());
            DoubleSupplier loss = () -> {
                backend.convolution(c.convolution(), o.x(), o.w(), o.bias(), y);
                return weighted(factors, y);
            };
            Tensor dx = like(o.x());
            Tensor dw = like(o.w());
            Tensor db = c.bias() ? like(o.bias()) : null;
            backend.convolutionDataGradient(c.convolution(), o.dy(), o.w(), dx);
            backend.convolutionWeightGradient(c.convolution(), o.x(), o.dy(), dw, db);
            assertGradient(c + " dx", loss, o.x(), dx, 10);
            assertGradient(c + " dw", loss, o.w(), dw, 10);
            if (c.bias()) {
                assertGradient(c + " dbias", loss, o.bias(), db, 10);
            }
        }
    }

    @Test
    void twoRunsAreBitEqual() {
        ConvolutionCase[] cases = {
            new ConvolutionCase(5, 16, 17, 9, 7, 5, 1, 1, true, 1),
            new ConvolutionCase(3, 24, 24, 10, 9, 7, 1, 24, true, 2),
            new ConvolutionCase(4, 6, 8, 12, 11, 3, 2, 2, true, 3)
        };
        for (DataType type : productTypes()) {
            for (ConvolutionCase c : cases) {
                Operands o = convolutionOperands(c, type);
                Tensor y = poisoned(type, c.outputs());
                Tensor dx = like(o.x());
                Tensor dw = like(o.w());
                Tensor db = like(o.bias());
                Supplier<double[][]> run = () -> {
                    backend.convolution(c.convolution(), o.x(), o.w(), o.bias(), y);
                    backend.convolutionDataGradient(c.convolution(), o.dy(), o.w(), dx);
                    backend.convolutionWeightGradient(c.convolution(), o.x(), o.dy(), dw, db);
                    return new double[][] {values(y), values(dx), values(dw), values(db)};
                };
                assertArrayEquals(run.get(), run.get(), c + " " + type);
            }
        }
    }

    @Test
    void wrongOperandsAreRefused() {
        Tensor x = tensor(DataType.F32, 1, 5, 5, 4);
        Tensor y = tensor(DataType.F32, 1, 5, 5, 2);
        assertRefused(
                "kernel size 2",
                () -> backend.convolution(Convolution.PLAIN, x, tensor(DataType.F32, 2, 2, 2, 4), null, y));
        assertRefused(
                "kernel size 35",
                () -> backend.convolution(Convolution.PLAIN, x, tensor(DataType.F32, 2, 35, 35, 4), null, y));
        assertRefused(
                "w is", () -> backend.convolution(Convolution.PLAIN, x, tensor(DataType.F32, 2, 3, 1, 4), null, y));
        Tensor w = tensor(DataType.F32, 2, 3, 3, 4);
        assertRefused("3 groups", () -> backend.convolution(new Convolution(1, 3), x, w, null, y));
        assertRefused("stride 3", () -> backend.convolution(new Convolution(3, 1), x, w, null, y));
        assertRefused("y is", () -> backend.convolution(new Convolution(2, 1), x, w, null, y));
        assertRefused("bias is", () -> backend.convolution(Convolution.PLAIN, x, w, tensor(DataType.F32, 3), y));
        assertRefused("w is null", () -> backend.convolution(Convolution.PLAIN, x, null, null, y));
        assertRefused("y is", () -> backend.convolutionDataGradient(Convolution.PLAIN, x, w, x));
        assertRefused(
                "bias is",
                () -> backend.convolutionWeightGradient(Convolution.PLAIN, x, y, w, tensor(DataType.F32, 4)));
    }
}

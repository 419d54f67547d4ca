package org.effconv.backend.cuda;

import static org.junit.jupiter.api.Assertions.*;

import java.util.ArrayList;
import java.util.List;
import org.effconv.Device;
import org.effconv.Training;
import org.effconv.backend.Backend;
import org.effconv.backend.ConvolutionCase;
import org.effconv.backend.OperationTest;
import org.effconv.data.Dataset;
import org.effconv.data.Datasets;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Tensor;
import org.effconv.train.TrainingListener;
import org.junit.jupiter.api.Test;

/**
 * Convolutions and linear layers by a library that computes on the host: operands, copies and workspace are where it is
 * told.
 */
class LibraryOnHostTest extends OperationTest<CudaBackend> {
    private static final CudaOptions FORCED = new CudaOptions(0, 0, ConvolutionChoice.CUDNN, true);
    private static final Dataset DATA = Datasets.open("planted:3,train=32,test=8,size=8,noise=5");

    private final HostDriver driver = new HostDriver();

    @Override
    protected CudaBackend openBackend() {
        return CudaBackend.over(driver, FORCED);
    }

    /** Multiples of 1/8 within 2, which bf16 holds exactly. */
    private Tensor drawn(DataType type, double[] values, int... dims) {
        for (int i = 0; i < values.length; i++) {
            values[i] = (random.nextInt(33) - 16) / 8.0;
        }
        Tensor t = tensor(type, dims);
        backend.write(t, values);
        return t;
    }

    @Test
    void allPassesAreTheSum() {
        for (DataType type : new DataType[] {DataType.F32, DataType.BF16}) {
            for (ConvolutionCase c : ConvolutionCase.cases(20, 200_000)) {
                check(c, type);
            }
        }
    }

    private void check(ConvolutionCase c, DataType type) {
        double[] x = new double[c.n() * c.h() * c.w() * c.c()];
        double[] w = new double[c.k() * c.size() * c.size() * c.c() / c.groups()];
        double[] b = new double[c.k()];
        int[] out = c.outputs();
        double[] dy = new double[out[0] * out[1] * out[2] * out[3]];
        Tensor tx = drawn(type, x, c.n(), c.h(), c.w(), c.c());
        Tensor tw = drawn(DataType.F32, w, c.weights());
        Tensor tb = c.bias() ? drawn(DataType.F32, b, c.k()) : null;
        Tensor tdy = drawn(type, dy, out);
        ConvolutionCase.Reference expected = new ConvolutionCase.Reference(c, x, w, b, dy);
        int before = driver.library().runs();
        Tensor y = poisoned(type, out);
        backend.convolution(c.convolution(), tx, tw, tb, y);
        expected.y.check(y, backend.readDoubles(y), c + " forward");
        Tensor dx = like(tx);
        backend.convolutionDataGradient(c.convolution(), tdy, tw, dx);
        expected.dx.check(dx, backend.readDoubles(dx), c + " data gradient");
        Tensor dw = like(tw);
        Tensor db = c.bias() ? like(tb) : null;
        backend.convolutionWeightGradient(c.convolution(), tx, tdy, dw, db);
        expected.dw.check(dw, backend.readDoubles(dw), c + " weight gradient");
        if (c.bias()) {
            expected.db.check(db, backend.readDoubles(db), c + " bias gradient");
        }
        assertEquals(
                type == DataType.F32 ? 3 : c.bias() ? 1 : 2,
                driver.library().runs() - before,
                c + " " + type + ": passes of the library");
    }

    private static List<Double> losses(Backend backend, DataType type) {
        List<Double> losses = new ArrayList<>();
        TrainingListener listener = new TrainingListener() {
            @Override
            public void onBatch(String phase, int epoch, int batch, double loss) {
                if (!Double.isNaN(loss)) { // not there yet: losses come a step late
                    losses.add(loss);
                }
            }
        };
        try (Device device = Device.over(backend, type)) {
            Training.of("planted3", new int[] {3, 3, 3})
                    .batch(8)
                    .epochs(2)
                    .seed(5)
                    .listener(listener)
                    .run(device, DATA)
                    .close();
        }
        return losses;
    }

    @Test
    void aTrainingRecordedAsGraphsIsTheOneLaunchByLaunchAndCloseToOurKernels() {
        for (DataType type : new DataType[] {DataType.F32, DataType.BF16}) {
            HostDriver replaying = new HostDriver();
            List<Double> recorded = losses(CudaBackend.over(replaying, FORCED), type);
            assertTrue(replaying.library().runs() > 0);
            assertEquals(0, replaying.blocks());
            assertEquals(0, replaying.graphs());
            assertEquals(
                    losses(CudaBackend.over(new HostDriver(), FORCED.withGraphs(false)), type),
                    recorded,
                    type.toString());
            List<Double> own = losses(HostCuda.open(CudaOptions.standard()), type);
            for (int i = 0; i < own.size(); i++) {
                assertEquals(
                        own.get(i),
                        recorded.get(i),
                        (type == DataType.F32 ? 1e-3 : 3e-2) * Math.abs(own.get(i)),
                        type + " loss " + i);
            }
        }
    }
}

package org.effconv.backend.cuda;

import static org.junit.jupiter.api.Assertions.*;

import java.util.ArrayList;
import java.util.List;
import org.effconv.Device;
import org.effconv.Settings;
import org.effconv.Training;
import org.effconv.TrainingResult;
import org.effconv.backend.cpu.CpuBackend;
import org.effconv.data.Dataset;
import org.effconv.data.Datasets;
import org.effconv.nn.Architecture;
import org.effconv.tensor.DataType;
import org.effconv.train.EpochMetrics;
import org.effconv.train.TrainingListener;
import org.junit.jupiter.api.Test;

/** A training whose steps are recorded and replayed, beside one that runs them launch by launch, and beside the CPU. */
class RecordedTrainingTest {
    // With dropout (a seed that changes from step to step), a residual block, both kinds of convolutions and of batch
    // norms.
    private static final Architecture NETWORK = Architecture.parse(
            """
            {"name": "small", "kmax": 5, "layers": [
              {"type": "conv", "name": "dense", "channels": 4}, {"type": "batchNorm"}, {"type": "relu"},
              {"type": "conv", "name": "depthwise", "channels": "same", "groups": "depthwise", "stride": 2}, {"type": "gelu"},
              {"type": "dropout", "rate": 0.2},
              {"type": "globalAveragePool"}, {"type": "linear", "outputs": "classes"}]}
            """,
            "test");
    private static final Dataset DATA = Datasets.open("planted:3,train=32,test=8,size=7,noise=5");

    private static List<Double> losses(Device device, int[] recorded) {
        return losses(device, recorded, DATA);
    }

    private static List<Double> losses(Device device, int[] recorded, Dataset data) {
        List<Double> losses = new ArrayList<>();
        TrainingListener listener = new TrainingListener() {
            @Override
            public void onEpoch(EpochMetrics metrics) {
                losses.add(metrics.gradientNorm());
            }

            @Override
            public void onBatch(String phase, int epoch, int batch, double loss) {
                if (!Double.isNaN(loss)) {
                    losses.add(loss);
                }
                if (device.backend() instanceof CudaBackend cuda) {
                    recorded[0] = Math.max(recorded[0], cuda.recordedSteps());
                }
            }
        };
        try (TrainingResult result = Training.of(NETWORK, new int[] {3, 5})
                .batch(4)
                .epochs(3)
                .seed(5)
                .set(Settings.CLIP, 0.5)
                .listener(listener)
                .run(device, data)) {
            losses.add(result.testAccuracy());
        }
        return losses;
    }

    @Test
    void replayedStepsGiveTheSameBits() {
        for (DataType type : new DataType[] {DataType.F32, DataType.BF16}) {
            int[] replayed = new int[1];
            int[] eager = new int[1];
            HostDriver driver = new HostDriver();
            List<Double> recorded;
            try (Device device = Device.over(CudaBackend.over(driver, CudaOptions.standard()), type)) {
                recorded = losses(device, replayed);
            }
            assertEquals(0, driver.blocks());
            assertEquals(0, driver.graphs());
            try (Device device =
                    Device.over(HostCuda.open(CudaOptions.standard().withGraphs(false)), type)) {
                assertEquals(losses(device, eager), recorded, type.toString());
            }
            assertEquals(1, replayed[0], "steps were recorded");
            assertEquals(0, eager[0]);
        }
    }

    @Test
    void imagesThatTheCardKeepsGiveTheSameBits() {
        List<List<Double>> both = new ArrayList<>();
        Dataset data = Datasets.open("planted:3,train=160,test=8,size=7,noise=5");
        int half = 160 * 7 * 7 - 1; // of a card that has room for the training, and that the images are too large for
        for (HostDriver driver : new HostDriver[] {new HostDriver(), new HostDriver(2L * half)}) {
            try (Device device = Device.over(CudaBackend.over(driver, CudaOptions.standard()), DataType.F32)) {
                both.add(losses(device, new int[1], data));
            }
        }
        assertEquals(both.get(0), both.get(1));
    }

    @Test
    void theLossesAreThoseOfTheCpu() {
        List<Double> cuda;
        try (Device device = Device.over(HostCuda.open(CudaOptions.standard()), DataType.F32)) {
            cuda = losses(device, new int[1]);
        }
        try (Device device = Device.over(CpuBackend.open(1), DataType.F32)) {
            List<Double> cpu = losses(device, new int[1]);
            assertEquals(cpu.size(), cuda.size());
            for (int i = 0; i < cpu.size(); i++) {
                assertEquals(cpu.get(i), cuda.get(i), 2e-4 * Math.abs(cpu.get(i)), "loss of step " + (i + 1));
            }
        }
    }
}

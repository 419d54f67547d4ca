package org.effconv.backend.cuda;

import static org.junit.jupiter.api.Assertions.*;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import jcuda.driver.CUmemAllocationType;
import jcuda.driver.CUmemLocation;
import jcuda.driver.CUmemLocationType;
import jcuda.driver.CUmemPoolProps;
import jcuda.driver.CUresult;
import org.effconv.Device;
import org.effconv.Training;
import org.effconv.data.Dataset;
import org.effconv.data.Datasets;
import org.effconv.error.EffconvException.MissingNative;
import org.effconv.error.EffconvException.OutOfDeviceMemory;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;
import org.effconv.train.TrainingListener;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * JCudaDriver through JCuda's own bridge, against a stand-in for libcuda.so.1 (standin/standin_cuda.cpp): addresses,
 * handles, parameter structs, captures. Needs the stand-in first on LD_LIBRARY_PATH, as Maven sets it for this module.
 */
class JCudaDriverTest {
    private static final Dataset DATA = Datasets.open("planted:3,train=32,test=8,size=8,noise=5");

    @BeforeEach
    void needsTheStandIn() {
        List<Card> cards = CudaProbe.ofThisMachine().cards();
        assumeTrue(
                !cards.isEmpty() && cards.get(0).name().equals("Stand-in"),
                "LD_LIBRARY_PATH does not lead to the stand-in for libcuda.so.1; found " + cards);
    }

    /** The driver with the host's list of kernels in place of fatbins. */
    private static Driver driver() {
        JCudaDriver driver = JCudaDriver.open(0);
        KernelImages images = new HostDriver().images();
        return (Driver) Proxy.newProxyInstance(
                Driver.class.getClassLoader(), new Class<?>[] {Driver.class}, (proxy, method, arguments) -> {
                    if (method.getName().equals("images")) {
                        return images;
                    }
                    try {
                        return method.invoke(driver, arguments);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
    }

    private static List<Double> losses(CudaBackend backend, DataType type) {
        List<Double> losses = new ArrayList<>();
        TrainingListener listener = new TrainingListener() {
            @Override
            public void onBatch(String phase, int epoch, int batch, double loss) {
                losses.add(loss);
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
            assertEquals(1, backend.recordedSteps());
        }
        assertEquals(0, backend.liveBytes());
        return losses;
    }

    @Test
    void aTrainingGivesTheBitsOfTheHostDriver() {
        for (DataType type : new DataType[] {DataType.F32, DataType.BF16}) {
            List<Double> host = losses(HostCuda.open(CudaOptions.standard()), type);
            assertEquals(host, losses(CudaBackend.over(driver(), CudaOptions.standard()), type), type.toString());
        }
    }

    @Test
    void patternsOfEveryWidthAndMemoryThatIsNotThere() {
        try (CudaBackend backend = CudaBackend.over(driver(), CudaOptions.standard())) {
            assertTrue(
                    backend.description().startsWith("Stand-in, compute capability 9.0, 2 multiprocessors"),
                    backend.description());
            for (DataType type : new DataType[] {DataType.F32, DataType.BF16, DataType.I32, DataType.U8}) {
                try (Tensor t = Tensor.allocate(backend.memory(), type, Shape.of(1001))) {
                    backend.fill(t, 3);
                    backend.copy(t, t);
                    double last = type == DataType.F32 || type == DataType.BF16
                            ? backend.readDoubles(t)[1000]
                            : backend.readInts(t)[1000];
                    assertEquals(3, last, type.toString());
                }
            }
            OutOfDeviceMemory e =
                    assertThrows(OutOfDeviceMemory.class, () -> backend.memory().allocate(1L << 50));
            assertTrue(e.getMessage().contains(Long.toString(1L << 50)), e.getMessage());
            assertTrue(backend.seconds(() -> {}) > 0);
        }
    }

    /** What this machine lacks of cuDNN is said before anything of it is called. */
    @Test
    void withoutCudnnTheCardSaysWhatIsMissing() {
        assumeTrue(CudaProbe.ofThisMachine().libraryProblem().isPresent(), "cuDNN is there");
        CudaOptions forced = new CudaOptions(0, 0, ConvolutionChoice.CUDNN, true);
        MissingNative e = assertThrows(MissingNative.class, () -> CudaBackend.over(driver(), forced));
        assertTrue(
                e.getMessage().matches("device 'cuda:0': .+: found .+; needed: .+; way out: .+--conv own"),
                e.getMessage());
    }

    @Test
    void theHandleOfAPoolTakesWhatJCudaWritesBehindIt() {
        CUmemPoolProps properties = new CUmemPoolProps();
        properties.allocType = CUmemAllocationType.CU_MEM_ALLOCATION_TYPE_PINNED;
        properties.location = new CUmemLocation(CUmemLocationType.CU_MEM_LOCATION_TYPE_DEVICE, 0);
        JCudaHandles.Pool pool = new JCudaHandles.Pool();
        try (JCudaDriver driver = JCudaDriver.open(0)) {
            driver.enter();
            assertEquals(CUresult.CUDA_SUCCESS, jcuda.driver.JCudaDriver.cuMemPoolCreate(pool, properties));
            assertTrue(pool.writtenBehind(), "JCuda keeps to its handle now: JCudaHandles.Pool has become needless");
            assertEquals(CUresult.CUDA_SUCCESS, jcuda.driver.JCudaDriver.cuMemPoolDestroy(pool));
        }
    }
}

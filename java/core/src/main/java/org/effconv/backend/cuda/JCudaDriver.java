package org.effconv.backend.cuda;

import static jcuda.driver.CUdevice_attribute.*;
import static jcuda.driver.JCudaDriver.*;

import java.nio.charset.StandardCharsets;
import java.util.function.IntSupplier;
import java.util.function.Supplier;
import jcuda.CudaException;
import jcuda.Pointer;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUevent;
import jcuda.driver.CUevent_flags;
import jcuda.driver.CUfunction;
import jcuda.driver.CUfunction_attribute;
import jcuda.driver.CUgraph;
import jcuda.driver.CUgraphExec;
import jcuda.driver.CUmemAllocationType;
import jcuda.driver.CUmemLocation;
import jcuda.driver.CUmemLocationType;
import jcuda.driver.CUmemPoolProps;
import jcuda.driver.CUmodule;
import jcuda.driver.CUresult;
import jcuda.driver.CUstream;
import jcuda.driver.CUstreamCaptureMode;
import jcuda.driver.CUstream_flags;
import org.effconv.backend.cuda.JCudaHandles.Device;
import org.effconv.backend.cuda.JCudaHandles.Host;
import org.effconv.backend.cuda.JCudaHandles.Stream;
import org.effconv.backend.cuda.JCudaHandles.Table;
import org.effconv.error.EffconvException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A card through JCuda's driver API: the primary context, which libraries of the same process share, and a memory pool
 * of this backend alone. Every call goes through {@link #call}, where results become exceptions.
 */
final class JCudaDriver implements Driver {
    private static final Logger LOG = LoggerFactory.getLogger(JCudaDriver.class);

    private final String name;
    private final int ordinal;
    private final CUdevice device = new CUdevice();
    private final CUcontext context = new CUcontext();
    private final JCudaHandles.Pool pool = new JCudaHandles.Pool();
    private final Table<Stream> streams = new Table<>();
    private final Table<CUevent> events = new Table<>();
    private final Table<CUmodule> modules = new Table<>();
    private final Table<CUfunction> functions = new Table<>();
    private final Table<CUgraphExec> graphs = new Table<>();
    private Limits limits;
    private String description;
    private boolean retained;
    private boolean pooled;

    private JCudaDriver(int ordinal) {
        this.ordinal = ordinal;
        name = "cuda:" + ordinal;
    }

    /**
     * The card of that number, in this thread.
     *
     * @throws EffconvException.MissingNative if it cannot be used; the message says why and what mends it
     */
    static JCudaDriver open(int ordinal) {
        JCudaDriver driver = new JCudaDriver(ordinal);
        try {
            driver.open();
        } catch (Throwable e) {
            driver.close();
            throw e;
        }
        return driver;
    }

    private void open() {
        call("cuInit", () -> cuInit(0));
        call("cuDeviceGet", () -> cuDeviceGet(device, ordinal));
        call("cuDevicePrimaryCtxRetain", () -> cuDevicePrimaryCtxRetain(context, device));
        retained = true;
        enter();
        CUmemPoolProps properties = new CUmemPoolProps();
        properties.allocType = CUmemAllocationType.CU_MEM_ALLOCATION_TYPE_PINNED;
        properties.location = new CUmemLocation(CUmemLocationType.CU_MEM_LOCATION_TYPE_DEVICE, ordinal);
        call("cuMemPoolCreate", () -> cuMemPoolCreate(pool, properties));
        pooled = true;
        limits = new Limits(
                attribute(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN),
                attribute(CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X),
                attribute(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT));
        description = describe();
    }

    private String describe() {
        byte[] text = new byte[256];
        call("cuDeviceGetName", () -> cuDeviceGetName(text, text.length, device));
        int length = 0;
        while (length < text.length && text[length] != 0) {
            length++;
        }
        int[] version = new int[1];
        call("cuDriverGetVersion", () -> cuDriverGetVersion(version));
        return new String(text, 0, length, StandardCharsets.UTF_8) + ", compute capability "
                + attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR) + "."
                + attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)
                + ", " + limits.multiprocessors() + " multiprocessors, driver for CUDA " + version[0] / 1000 + "."
                + version[0] % 1000 / 10;
    }

    private int attribute(int which) {
        int[] value = new int[1];
        call("cuDeviceGetAttribute", () -> String.valueOf(which), () -> cuDeviceGetAttribute(value, which, device));
        return value[0];
    }

    /**
     * The one place where a result becomes an exception. JCuda either returns results or throws them as text, as a
     * switch says that is one for the whole process and not ours to turn: the text it would throw is that of the
     * result's number.
     */
    private void call(String call, Supplier<String> details, IntSupplier driver) {
        int result = result(driver);
        if (result == CUresult.CUDA_SUCCESS) {
            return;
        }
        CudaFailure failure = CudaFailure.of(result);
        // A result that says nothing of the card's state may still be the first sign of one that is lost.
        if (failure == CudaFailure.REFUSED
                && retained
                && CudaFailure.of(result(() -> cuMemGetInfo(new long[1], new long[1]))) == CudaFailure.FATAL) {
            failure = CudaFailure.FATAL;
        }
        throw failure.exception(name, call, details.get(), result);
    }

    private void call(String call, IntSupplier driver) {
        call(call, () -> "", driver);
    }

    private static int result(IntSupplier driver) {
        try {
            return driver.getAsInt();
        } catch (CudaException thrown) {
            for (int result = 0; result <= CUresult.CUDA_ERROR_UNKNOWN; result++) {
                if (CUresult.stringFor(result).equals(thrown.getMessage())) {
                    return result;
                }
            }
            return CUresult.CUDA_ERROR_UNKNOWN;
        }
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public String description() {
        return description;
    }

    @Override
    public Limits limits() {
        return limits;
    }

    @Override
    public MemoryInfo memoryInfo() {
        long[] free = new long[1];
        long[] total = new long[1];
        call("cuMemGetInfo", () -> cuMemGetInfo(free, total));
        return new MemoryInfo(free[0], total[0]);
    }

    @Override
    public KernelImages images() {
        return KernelImages.resources();
    }

    @Override
    public void enter() {
        call("cuCtxSetCurrent", () -> cuCtxSetCurrent(context));
    }

    // ---- memory -----------------------------------------------------------------------------------------------

    @Override
    public long allocate(long bytes, long stream) {
        Device address = new Device();
        call(
                "cuMemAllocFromPoolAsync",
                () -> bytes + " bytes",
                () -> cuMemAllocFromPoolAsync(address, bytes, pool, streams.get(stream)));
        return address.address();
    }

    @Override
    public void free(long address, long stream) {
        call("cuMemFreeAsync", () -> cuMemFreeAsync(new Device(address), streams.get(stream)));
    }

    @Override
    public void trim() {
        call("cuMemPoolTrimTo", () -> cuMemPoolTrimTo(pool, 0));
    }

    @Override
    public long allocatePinned(long bytes) {
        Host address = new Host();
        call("cuMemHostAlloc", () -> bytes + " bytes", () -> cuMemHostAlloc(address, bytes, 0));
        return address.address();
    }

    @Override
    public void freePinned(long address) {
        call("cuMemFreeHost", () -> cuMemFreeHost(new Host(address)));
    }

    @Override
    public void copyToDevice(long to, long pinned, long bytes, long stream) {
        call(
                "cuMemcpyHtoDAsync",
                () -> bytes + " bytes",
                () -> cuMemcpyHtoDAsync(new Device(to), new Host(pinned), bytes, streams.get(stream)));
    }

    @Override
    public void copyToHost(long pinned, long from, long bytes, long stream) {
        call(
                "cuMemcpyDtoHAsync",
                () -> bytes + " bytes",
                () -> cuMemcpyDtoHAsync(new Host(pinned), new Device(from), bytes, streams.get(stream)));
    }

    @Override
    public void copyOnDevice(long to, long from, long bytes, long stream) {
        call(
                "cuMemcpyDtoDAsync",
                () -> bytes + " bytes",
                () -> cuMemcpyDtoDAsync(new Device(to), new Device(from), bytes, streams.get(stream)));
    }

    @Override
    public void set(long address, int width, int pattern, long count, long stream) {
        CUstream in = streams.get(stream);
        Device to = new Device(address);
        switch (width) {
            case 1 -> call(
                    "cuMemsetD8Async", () -> count + " elements", () -> cuMemsetD8Async(to, (byte) pattern, count, in));
            case 2 -> call(
                    "cuMemsetD16Async",
                    () -> count + " elements",
                    () -> cuMemsetD16Async(to, (short) pattern, count, in));
            case 4 -> call(
                    "cuMemsetD32Async", () -> count + " elements", () -> cuMemsetD32Async(to, pattern, count, in));
            default -> throw new IllegalArgumentException("a pattern of " + width + " bytes; expected 1, 2 or 4");
        }
    }

    // ---- order ------------------------------------------------------------------------------------------------

    @Override
    public long createStream() {
        Stream stream = new Stream();
        call("cuStreamCreate", () -> cuStreamCreate(stream, CUstream_flags.CU_STREAM_NON_BLOCKING));
        return streams.add(stream);
    }

    @Override
    public void destroyStream(long stream) {
        call("cuStreamDestroy", () -> cuStreamDestroy(streams.remove(stream)));
    }

    @Override
    public void synchronise(long stream) {
        call("cuStreamSynchronize", () -> cuStreamSynchronize(streams.get(stream)));
    }

    @Override
    public long createEvent() {
        CUevent event = new CUevent();
        call("cuEventCreate", () -> cuEventCreate(event, CUevent_flags.CU_EVENT_DISABLE_TIMING));
        return events.add(event);
    }

    @Override
    public void destroyEvent(long event) {
        call("cuEventDestroy", () -> cuEventDestroy(events.remove(event)));
    }

    @Override
    public void record(long event, long stream) {
        call("cuEventRecord", () -> cuEventRecord(events.get(event), streams.get(stream)));
    }

    @Override
    public void synchroniseEvent(long event) {
        call("cuEventSynchronize", () -> cuEventSynchronize(events.get(event)));
    }

    @Override
    public long createTimedEvent() {
        CUevent event = new CUevent();
        call("cuEventCreate", () -> cuEventCreate(event, CUevent_flags.CU_EVENT_DEFAULT));
        return events.add(event);
    }

    @Override
    public double secondsBetween(long first, long second) {
        synchroniseEvent(second);
        float[] milliseconds = new float[1];
        call("cuEventElapsedTime", () -> cuEventElapsedTime(milliseconds, events.get(first), events.get(second)));
        return milliseconds[0] / 1e3;
    }

    // ---- kernels ----------------------------------------------------------------------------------------------

    @Override
    public long loadModule(String family, byte[] image) {
        CUmodule module = new CUmodule();
        call("cuModuleLoadData", () -> family, () -> cuModuleLoadData(module, image));
        return modules.add(module);
    }

    @Override
    public void unloadModule(long module) {
        call("cuModuleUnload", () -> cuModuleUnload(modules.remove(module)));
    }

    @Override
    public long function(long module, String kernel) {
        CUfunction function = new CUfunction();
        call("cuModuleGetFunction", () -> kernel, () -> cuModuleGetFunction(function, modules.get(module), kernel));
        int most = Math.toIntExact(limits.sharedBytesPerBlock());
        call(
                "cuFuncSetAttribute",
                () -> kernel + ", " + most + " bytes of shared memory",
                () -> cuFuncSetAttribute(
                        function, CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, most));
        return functions.add(function);
    }

    @Override
    public void launch(
            long function,
            long blocks,
            int threads,
            long sharedBytes,
            long parameters,
            long parameterBytes,
            long stream) {
        call(
                "cuLaunchKernel",
                () -> blocks + " blocks of " + threads + " threads, " + sharedBytes + " bytes of shared memory",
                () -> cuLaunchKernel(
                        functions.get(function),
                        Math.toIntExact(blocks),
                        1,
                        1,
                        threads,
                        1,
                        1,
                        Math.toIntExact(sharedBytes),
                        streams.get(stream),
                        Pointer.to(new Host(parameters)),
                        null));
    }

    // The stream is non-blocking and the context the primary one, which is what libraries over CUDA's runtime work in,
    // too.
    @Override
    public ConvolutionLibrary convolutionLibrary(long stream) {
        CudaProbe.ofThisMachine().libraryProblem().ifPresent(problem -> {
            throw problem.exception(name);
        });
        return CudnnBinding.open(name, streams.get(stream).handle());
    }

    // ---- graphs -----------------------------------------------------------------------------------------------

    @Override
    public void beginCapture(long stream) {
        call(
                "cuStreamBeginCapture",
                () -> cuStreamBeginCapture(
                        streams.get(stream), CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL));
    }

    @Override
    public long endCapture(long stream) {
        CUgraph graph = new CUgraph();
        call("cuStreamEndCapture", () -> cuStreamEndCapture(streams.get(stream), graph));
        CUgraphExec ready = new CUgraphExec();
        try {
            call("cuGraphInstantiate", () -> cuGraphInstantiate(ready, graph, 0));
        } finally {
            call("cuGraphDestroy", () -> cuGraphDestroy(graph));
        }
        return graphs.add(ready);
    }

    @Override
    public void abandonCapture(long stream) {
        CUgraph graph = new CUgraph();
        // Whatever it says: a capture that went wrong ends with an error, and that error is why it is abandoned.
        if (result(() -> cuStreamEndCapture(streams.get(stream), graph)) == CUresult.CUDA_SUCCESS) {
            call("cuGraphDestroy", () -> cuGraphDestroy(graph));
        }
    }

    @Override
    public void launchGraph(long graph, long stream) {
        call("cuGraphLaunch", () -> cuGraphLaunch(graphs.get(graph), streams.get(stream)));
    }

    @Override
    public void destroyGraph(long graph) {
        call("cuGraphExecDestroy", () -> cuGraphExecDestroy(graphs.remove(graph)));
    }

    @Override
    public void close() {
        if (pooled) {
            pooled = false;
            gone("cuMemPoolDestroy", () -> cuMemPoolDestroy(pool));
        }
        if (retained) {
            retained = false;
            gone("cuDevicePrimaryCtxRelease", () -> cuDevicePrimaryCtxRelease(device));
        }
    }

    // A lost card has been reported, and gives nothing back.
    private void gone(String call, IntSupplier driver) {
        int result = result(driver);
        if (result != CUresult.CUDA_SUCCESS) {
            LOG.warn(
                    "{}",
                    CudaFailure.of(result)
                            .exception(name, call, "on closing", result)
                            .getMessage());
        }
    }
}

package org.effconv.backend.cuda;

import static org.effconv.backend.bridge.NativeLibrary.*;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;
import org.effconv.backend.bridge.HostPointer;
import org.effconv.error.EffconvException.DeviceLost;
import org.effconv.error.EffconvException.MissingNative;
import org.effconv.error.EffconvException.OutOfDeviceMemory;

/**
 * A driver that computes nothing and writes down what it was asked for; it fails where a test says so. Device memory is
 * addresses alone, pinned memory is real, what comes from the card is zero, unless a test wants another byte.
 */
final class RecordingDriver implements Driver {
    /** A launch as it was asked for. */
    record Launch(
            String kernel,
            long blocks,
            int threads,
            long sharedBytes,
            byte[] parameters,
            long stream,
            boolean captured) {
        /** Whether the parameter struct holds this address. */
        boolean names(long address) {
            ByteBuffer bytes = ByteBuffer.wrap(parameters).order(ByteOrder.nativeOrder());
            for (int at = 0; at + 8 <= parameters.length; at += 8) {
                if (bytes.getLong(at) == address) {
                    return true;
                }
            }
            return false;
        }
    }

    final List<String> calls = new ArrayList<>();
    final List<Launch> launches = new ArrayList<>();
    final Map<Long, Long> device = new HashMap<>();
    final Map<Long, Long> pinned = new HashMap<>();
    final Set<Long> handles = new HashSet<>(); // streams, events, modules, graphs
    static final double SECONDS_BETWEEN = 0.25; // of any two events

    private final List<String> functions = new ArrayList<>();
    private long nextAddress = 1 << 20;
    private long nextHandle = 100;
    private boolean capturing;
    private boolean closed;
    private long lost; // no call works from here on
    private int failingAllocation;
    private int failures;
    private int failingLaunch;
    int failingCopies; // so many copies to the card find no memory
    int trimming; // the driver's result of that, 0 for success
    int failingGraphs; // so many recordings find no memory for their graph
    String manifest = validManifest();
    RecordingLibrary library; // null: this card has none
    long free = 1 << 30;
    private long freed; // since the last synchronise
    private long pooled; // freed before, and not given back to the card
    int comes; // every byte that comes from the card

    static String validManifest() {
        StringBuilder json = new StringBuilder(
                "{\"version\": \"" + ec_kernel_library_version().getString() + "\", \"sources\": \""
                        + ec_kernel_sources().getString() + "\", \"kernels\": [");
        for (int k = 0; k < ec_kernel_count(); k++) {
            json.append(k == 0 ? "\n" : ",\n")
                    .append("{\"name\": \"")
                    .append(ec_kernel_name(k).getString())
                    .append("\", \"module\": \"")
                    .append(ec_kernel_family(k).getString())
                    .append(".fatbin\", \"parameterBytes\": ")
                    .append(ec_kernel_parameter_bytes(k))
                    .append('}');
        }
        return json.append("]}").toString();
    }

    /** The {@code n}-th allocation of device memory from now on fails, and the {@code times - 1} after it. */
    void failAllocation(int n, int times) {
        failingAllocation = n;
        failures = times;
    }

    /** The {@code n}-th launch from now on loses the card. */
    void failLaunch(int n) {
        failingLaunch = n;
    }

    /** How often a call was made. */
    long count(String call) {
        return calls.stream()
                .filter(c -> c.equals(call) || c.startsWith(call + " "))
                .count();
    }

    /** Loses the card from here on. */
    void lose() {
        lost = 1;
    }

    boolean capturing() {
        return capturing;
    }

    /** Nothing that was taken is still held. */
    boolean everythingGivenBack() {
        return device.isEmpty() && pinned.isEmpty() && handles.isEmpty() && closed;
    }

    private void note(String call) {
        if (closed) {
            throw new IllegalStateException("after close: " + call);
        }
        calls.add(call);
        if (lost > 0) {
            throw new DeviceLost("the card was lost", null);
        }
    }

    private long handle() {
        handles.add(++nextHandle);
        return nextHandle;
    }

    private void giveBack(long handle) {
        if (!handles.remove(handle)) {
            throw new IllegalStateException("handle " + handle + " given back twice");
        }
    }

    @Override
    public String name() {
        return "cuda:7";
    }

    @Override
    public String description() {
        return "a recorder";
    }

    @Override
    public Limits limits() {
        return new Limits(227 * 1024, Integer.MAX_VALUE, 132);
    }

    @Override
    public MemoryInfo memoryInfo() {
        note("memoryInfo");
        return new MemoryInfo(free - freed - pooled, 2 * free);
    }

    @Override
    public KernelImages images() {
        return new KernelImages() {
            @Override
            public String manifest() {
                return manifest;
            }

            @Override
            public byte[] module(String family) {
                return new byte[0];
            }
        };
    }

    @Override
    public void enter() {}

    @Override
    public long allocate(long bytes, long stream) {
        note("allocate " + bytes);
        if (capturing) {
            throw new IllegalStateException("allocation while capturing");
        }
        if (bytes > 1L << 50 || failingAllocation > 0 && --failingAllocation == 0) {
            if (failures > 1) {
                failures--;
                failingAllocation = 1;
            }
            throw new OutOfDeviceMemory("cuMemAllocFromPoolAsync: CUDA_ERROR_OUT_OF_MEMORY");
        }
        long address = nextAddress;
        nextAddress += (bytes + 511) / 256 * 256;
        device.put(address, bytes);
        return address;
    }

    @Override
    public void free(long address, long stream) {
        note("free");
        Long bytes = device.remove(address);
        if (bytes == null) {
            throw new IllegalStateException("freed twice");
        }
        freed += bytes;
    }

    @Override
    public void trim() {
        note("trim");
        if (trimming != 0) {
            throw CudaFailure.of(trimming).exception(name(), "cuMemPoolTrimTo", "", trimming);
        }
        pooled = 0;
    }

    @Override
    public long allocatePinned(long bytes) {
        note("allocatePinned " + bytes);
        Pointer block = ec_allocate(bytes);
        Pointer.memset(HostPointer.at(block.address(), bytes), 0, bytes);
        pinned.put(block.address(), bytes);
        return block.address();
    }

    @Override
    public void freePinned(long address) {
        note("freePinned");
        long bytes = pinned.remove(address);
        ec_free(HostPointer.at(address, bytes), bytes);
    }

    @Override
    public void copyToDevice(long to, long from, long bytes, long stream) {
        note("copyToDevice " + bytes);
        if (failingCopies > 0) {
            failingCopies--;
            throw new OutOfDeviceMemory("cuMemcpyHtoDAsync: CUDA_ERROR_OUT_OF_MEMORY");
        }
    }

    @Override
    public void copyToHost(long to, long from, long bytes, long stream) {
        note("copyToHost " + bytes);
        Pointer.memset(HostPointer.at(to, bytes), comes, bytes);
    }

    @Override
    public void copyOnDevice(long to, long from, long bytes, long stream) {
        note("copyOnDevice " + bytes);
    }

    @Override
    public void set(long address, int width, int pattern, long count, long stream) {
        note("set " + width + " " + Integer.toHexString(pattern) + " " + count);
    }

    @Override
    public long createStream() {
        note("createStream");
        return handle();
    }

    @Override
    public void destroyStream(long stream) {
        note("destroyStream");
        giveBack(stream);
    }

    @Override
    public void synchronise(long stream) {
        note("synchronise");
        pooled += freed;
        freed = 0;
    }

    @Override
    public long createEvent() {
        note("createEvent");
        return handle();
    }

    @Override
    public void destroyEvent(long event) {
        note("destroyEvent");
        giveBack(event);
    }

    @Override
    public void record(long event, long stream) {
        note("record");
    }

    @Override
    public void synchroniseEvent(long event) {
        note("synchroniseEvent");
    }

    @Override
    public long createTimedEvent() {
        note("createTimedEvent");
        return handle();
    }

    @Override
    public double secondsBetween(long first, long second) {
        note("secondsBetween");
        return SECONDS_BETWEEN;
    }

    @Override
    public long loadModule(String family, byte[] image) {
        note("loadModule " + family);
        return handle();
    }

    @Override
    public void unloadModule(long module) {
        note("unloadModule");
        giveBack(module);
    }

    @Override
    public long function(long module, String kernel) {
        note("function " + kernel);
        functions.add(kernel);
        return functions.size();
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
        String kernel = functions.get((int) function - 1);
        note("launch " + kernel);
        if (failingLaunch > 0 && --failingLaunch == 0) {
            lost = 1;
            throw new DeviceLost("cuLaunchKernel: CUDA_ERROR_LAUNCH_FAILED", null);
        }
        byte[] copy = new byte[(int) parameterBytes];
        new BytePointer(HostPointer.at(parameters, parameterBytes)).get(copy);
        launches.add(new Launch(kernel, blocks, threads, sharedBytes, copy, stream, capturing));
    }

    @Override
    public ConvolutionLibrary convolutionLibrary(long stream) {
        note("convolutionLibrary");
        if (library == null) {
            throw new MissingNative("there is no library", null);
        }
        library.stream = stream;
        return library;
    }

    @Override
    public void beginCapture(long stream) {
        note("beginCapture");
        capturing = true;
    }

    @Override
    public long endCapture(long stream) {
        note("endCapture");
        capturing = false;
        if (failingGraphs > 0) {
            failingGraphs--;
            throw new OutOfDeviceMemory("cuGraphInstantiate: CUDA_ERROR_OUT_OF_MEMORY");
        }
        return handle();
    }

    @Override
    public void abandonCapture(long stream) {
        note("abandonCapture");
        capturing = false;
    }

    @Override
    public void launchGraph(long graph, long stream) {
        note("launchGraph " + graph);
    }

    @Override
    public void destroyGraph(long graph) {
        note("destroyGraph " + graph);
        giveBack(graph);
    }

    @Override
    public void close() {
        closed = true;
        if (lost > 0) { // the card's memory and handles go with it; the host's part does not
            device.clear();
            handles.clear();
        }
    }
}

package org.effconv.backend.cuda;

import static org.effconv.backend.bridge.NativeLibrary.*;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;
import org.effconv.backend.bridge.HostPointer;
import org.effconv.error.EffconvException;

/**
 * A card that is no card: its memory is the host's, its kernels run through the shim, one CUDA thread after another,
 * and its stream has done everything before a call returns. A capture is a list of what to do. It holds callers to a
 * card's rules where it can: memory comes poisoned and is checked when it is freed, parameters are copied at the
 * launch, and what a capture forbids is refused.
 */
final class HostDriver implements Driver {
    private static final int POISON = 0xff; // NaN in every floating type

    private final long free;
    private final Limits limits = new Limits(99 * 1024, Integer.MAX_VALUE, 2);
    private final Map<Long, Long> device = new HashMap<>(); // address -> bytes
    private final Map<Long, Long> pinned = new HashMap<>();
    private final List<String> kernels = new ArrayList<>();
    private final Map<Long, Long> recorded = new HashMap<>(); // timed or not, event -> nanoseconds
    private final Map<Long, List<Runnable>> graphs = new HashMap<>();
    private List<Runnable> capture; // null unless capturing
    private HostLibrary library;
    private long handles;
    private boolean closed;
    private Thread current;

    HostDriver() {
        this(1L << 30);
    }

    /** @param free bytes of memory that it says are free */
    HostDriver(long free) {
        this.free = free;
    }

    @Override
    public String name() {
        return "cuda:0";
    }

    @Override
    public String description() {
        return "the kernels on the host, through the shim";
    }

    @Override
    public Limits limits() {
        return limits;
    }

    @Override
    public MemoryInfo memoryInfo() {
        return new MemoryInfo(free, Math.max(free, 1L << 30));
    }

    @Override
    public KernelImages images() {
        return new KernelImages() {
            @Override
            public String manifest() {
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

            @Override
            public byte[] module(String family) {
                return new byte[] {1};
            }
        };
    }

    @Override
    public void enter() {
        current = Thread.currentThread();
    }

    private void require(boolean condition, String what) {
        if (!condition) {
            throw new IllegalStateException("host driver: " + what);
        }
    }

    private void requireCurrent() {
        require(!closed, "closed");
        require(current == Thread.currentThread(), "the card is not current for this thread");
    }

    private void outsideCapture(String what) {
        requireCurrent();
        require(capture == null, what + " while capturing");
    }

    /** Puts an operation into the stream: does it, or notes it down. */
    private void put(Runnable operation) {
        requireCurrent();
        if (capture != null) {
            capture.add(operation);
        } else {
            operation.run();
        }
    }

    // ---- memory -----------------------------------------------------------------------------------------------

    @Override
    public long allocate(long bytes, long stream) {
        outsideCapture("allocation");
        return take(bytes, device);
    }

    private static long take(long bytes, Map<Long, Long> into) {
        Pointer block = ec_allocate(bytes);
        if (block == null || block.isNull()) {
            throw new EffconvException.OutOfDeviceMemory("host driver: no memory for " + bytes + " bytes");
        }
        Pointer.memset(HostPointer.at(block.address(), bytes), POISON, bytes);
        into.put(block.address(), bytes);
        return block.address();
    }

    private void give(long address, Map<Long, Long> from) {
        Long bytes = from.remove(address);
        require(bytes != null, "freed what was not allocated");
        ec_free(HostPointer.at(address, bytes), bytes);
    }

    @Override
    public void free(long address, long stream) {
        outsideCapture("freeing");
        give(address, device);
    }

    @Override
    public void trim() {
        outsideCapture("trimming");
    }

    @Override
    public long allocatePinned(long bytes) {
        outsideCapture("allocation");
        return take(bytes, pinned);
    }

    @Override
    public void freePinned(long address) {
        outsideCapture("freeing");
        give(address, pinned);
    }

    private void inside(Map<Long, Long> memory, long address, long bytes, String what) {
        boolean found = memory.entrySet().stream()
                .anyMatch(b -> address >= b.getKey() && address + bytes <= b.getKey() + b.getValue());
        require(found, bytes + " bytes " + what + " are not within one block");
    }

    @Override
    public void copyToDevice(long to, long from, long bytes, long stream) {
        inside(device, to, bytes, "on the card");
        inside(pinned, from, bytes, "of pinned memory");
        put(() -> Pointer.memcpy(HostPointer.at(to, bytes), HostPointer.at(from, bytes), bytes));
    }

    @Override
    public void copyToHost(long to, long from, long bytes, long stream) {
        inside(device, from, bytes, "on the card");
        inside(pinned, to, bytes, "of pinned memory");
        put(() -> Pointer.memcpy(HostPointer.at(to, bytes), HostPointer.at(from, bytes), bytes));
    }

    @Override
    public void copyOnDevice(long to, long from, long bytes, long stream) {
        inside(device, from, bytes, "on the card");
        inside(device, to, bytes, "on the card");
        put(() -> Pointer.memmove(HostPointer.at(to, bytes), HostPointer.at(from, bytes), bytes));
    }

    @Override
    public void set(long address, int width, int pattern, long count, long stream) {
        inside(device, address, count * width, "on the card");
        put(() -> {
            ByteBuffer bytes = new BytePointer(HostPointer.at(address, count * width))
                    .capacity(count * width)
                    .asByteBuffer()
                    .order(ByteOrder.nativeOrder());
            for (int i = 0; i < count; i++) {
                switch (width) {
                    case 1 -> bytes.put((byte) pattern);
                    case 2 -> bytes.putShort((short) pattern);
                    default -> bytes.putInt(pattern);
                }
            }
        });
    }

    // ---- order ------------------------------------------------------------------------------------------------

    @Override
    public long createStream() {
        requireCurrent();
        return ++handles;
    }

    @Override
    public void destroyStream(long stream) {
        requireCurrent();
    }

    @Override
    public void synchronise(long stream) {
        outsideCapture("synchronising");
    }

    @Override
    public long createEvent() {
        requireCurrent();
        return ++handles;
    }

    @Override
    public void destroyEvent(long event) {
        requireCurrent();
    }

    @Override
    public long createTimedEvent() {
        return createEvent();
    }

    /** What the host took: kernels here are done when their launch returns. */
    @Override
    public double secondsBetween(long first, long second) {
        outsideCapture("synchronising");
        return (recorded.get(second) - recorded.get(first)) / 1e9;
    }

    @Override
    public void record(long event, long stream) {
        outsideCapture("an event");
        recorded.put(event, System.nanoTime());
    }

    @Override
    public void synchroniseEvent(long event) {
        outsideCapture("synchronising");
    }

    // ---- kernels ----------------------------------------------------------------------------------------------

    @Override
    public long loadModule(String family, byte[] image) {
        requireCurrent();
        return ++handles;
    }

    @Override
    public void unloadModule(long module) {
        requireCurrent();
    }

    @Override
    public long function(long module, String kernel) {
        requireCurrent();
        kernels.add(kernel);
        return kernels.size();
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
        String kernel = kernels.get((int) function - 1);
        byte[] copy = new byte[(int) parameterBytes];
        new BytePointer(HostPointer.at(parameters, parameterBytes)).get(copy);
        put(() -> {
            try (BytePointer given = new BytePointer(copy.length + 64L);
                    BytePointer message = new BytePointer(256)) {
                long aligned = (given.address() + 63) / 64 * 64; // as the kernel's parameters are on a card
                new BytePointer(HostPointer.at(aligned, copy.length)).put(copy);
                int status = HostKernels.ec_host_launch(
                        kernel,
                        blocks,
                        threads,
                        sharedBytes,
                        HostPointer.at(aligned, copy.length),
                        copy.length,
                        message,
                        256);
                if (status != 0) {
                    throw new EffconvException.DeviceLost(
                            "host driver: " + message.getString() + " (status " + status + ")", null);
                }
            }
        });
    }

    @Override
    public ConvolutionLibrary convolutionLibrary(long stream) {
        requireCurrent();
        library = new HostLibrary(this::put, this::outsideCapture);
        return library;
    }

    /** The library that was opened; null if none was. */
    HostLibrary library() {
        return library;
    }

    // ---- graphs -----------------------------------------------------------------------------------------------

    @Override
    public void beginCapture(long stream) {
        outsideCapture("a capture");
        capture = new ArrayList<>();
    }

    @Override
    public long endCapture(long stream) {
        require(capture != null, "no capture to end");
        graphs.put(++handles, capture);
        capture = null;
        return handles;
    }

    @Override
    public void abandonCapture(long stream) {
        require(capture != null, "no capture to abandon");
        capture = null;
    }

    @Override
    public void launchGraph(long graph, long stream) {
        outsideCapture("a graph");
        graphs.get(graph).forEach(Runnable::run);
    }

    @Override
    public void destroyGraph(long graph) {
        outsideCapture("destroying a graph");
        require(graphs.remove(graph) != null, "destroyed what is no graph");
    }

    /** Blocks of device and pinned memory that were not given back. */
    int blocks() {
        return device.size() + pinned.size();
    }

    /** Graphs that were not destroyed. */
    int graphs() {
        return graphs.size();
    }

    @Override
    public void close() {
        closed = true;
    }
}

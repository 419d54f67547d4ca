package org.effconv.backend.cpu;

import static org.effconv.backend.bridge.NativeLibrary.*;

import java.util.function.IntSupplier;
import java.util.function.Supplier;
import org.effconv.backend.CheckedBackend;
import org.effconv.backend.OneThread;
import org.effconv.backend.Operands;
import org.effconv.backend.Operations;
import org.effconv.backend.bridge.HostMask;
import org.effconv.backend.bridge.HostPointer;
import org.effconv.backend.bridge.NativeLoader;
import org.effconv.backend.bridge.NativeStatus;
import org.effconv.tensor.Allocator;
import org.effconv.tensor.Tensor;

/**
 * The processor: the project's own operations (native/effconv.h), and oneDNN for convolutions and linear layers. Used
 * by one thread at a time; it may pass from one thread to another between operations. Memory may be allocated and freed
 * from any thread. Results are the same bit for bit with the same number of threads.
 */
public final class CpuBackend extends CheckedBackend {
    private final int threads;
    private final CpuMemory memory = new CpuMemory();
    private final Operations operations;
    private final OneThread user = new OneThread("CpuBackend");
    private OneDnn oneDnn; // null until the first operation needs it
    private volatile boolean closed;

    private CpuBackend(int threads) {
        this.threads = threads;
        CpuData data = new CpuData();
        operations = new Operations(
                data,
                new CpuConvolution(this),
                new CpuLinear(this),
                new CpuNetwork(),
                new CpuOptimizer(data),
                new CpuMethod(data),
                new HostMask());
    }

    /**
     * @param threads threads of each operation, at least 1
     * @throws org.effconv.error.EffconvException.MissingNative if the native library cannot be loaded or is of another
     *     version
     */
    public static CpuBackend open(int threads) {
        Operands.require(threads >= 1, "threads is " + threads + "; expected at least 1");
        NativeLoader.load();
        return new CpuBackend(threads);
    }

    @Override
    public String name() {
        return "cpu";
    }

    /** Threads of each operation. */
    public int threads() {
        return threads;
    }

    /** Instruction set the native operations run with, for people: "x86-64-v4". */
    public String instructionSet() {
        return ec_instruction_set().getString();
    }

    @Override
    public Allocator memory() {
        return memory;
    }

    @Override
    public long liveBytes() {
        return memory.liveBytes();
    }

    OneDnn oneDnn() {
        if (oneDnn == null) {
            oneDnn = new OneDnn(memory, OneDnn.OPERATIONS);
        }
        return oneDnn;
    }

    @Override
    public void trim() {
        use(() -> {
            if (oneDnn != null) {
                oneDnn.freeScratch();
            }
            ec_trim();
        });
    }

    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        if (oneDnn != null) {
            oneDnn.close();
        }
        ec_trim();
    }

    // ---- the way every operation takes ------------------------------------------------------------------------

    /** Runs native code under the rules of this backend and turns its status into an exception. */
    void call(IntSupplier nativeCall) {
        use(() -> NativeStatus.check(nativeCall.getAsInt()));
    }

    /** {@link #get} of an operation without a result. */
    void use(Runnable operation) {
        get(() -> {
            operation.run();
            return null;
        });
    }

    /** Not closed, one thread at a time, the number of threads set. */
    @Override
    protected <T> T get(Supplier<T> operation) {
        if (closed) {
            throw new IllegalStateException("use after close: CpuBackend");
        }
        return user.get(() -> {
            ec_set_threads(threads); // OpenMP keeps this number per calling thread
            return operation.get();
        });
    }

    @Override
    protected Operations operations() {
        return operations;
    }

    static int type(Tensor t) {
        return t.type().ordinal();
    }

    static HostPointer at(Tensor t) {
        return HostPointer.of(t);
    }
}

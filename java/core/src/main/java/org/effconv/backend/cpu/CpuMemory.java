package org.effconv.backend.cpu;

import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;
import org.bytedeco.javacpp.Pointer;
import org.effconv.backend.bridge.HostPointer;
import org.effconv.backend.bridge.NativeLibrary;
import org.effconv.backend.bridge.NativeLoader;
import org.effconv.error.EffconvException;
import org.effconv.tensor.Allocator;

/** Host memory of one backend, counted; may be used from any thread. */
final class CpuMemory implements Allocator {
    private static final long LARGE =
            64 << 20; // bytes from which on a request is held to what the machine has at the moment

    private final LongSupplier room;
    private final AtomicLong live = new AtomicLong();

    CpuMemory() {
        this(() -> Math.min(HostMemory.total() - NativeLibrary.ec_live_bytes(), HostMemory.available()));
    }

    /** @param room bytes that could still be allocated */
    CpuMemory(LongSupplier room) {
        this.room = room;
    }

    @Override
    public long room() {
        return Math.max(0, room.getAsLong());
    }

    @Override
    public long allocate(long bytes) {
        if (bytes >= LARGE && bytes > room()) { // the system would grant it, and kill the process when it is used
            throw new EffconvException.OutOfDeviceMemory("cpu: no memory for " + bytes + " bytes; this machine has "
                    + room() + " bytes left; this backend holds " + live.get() + " bytes, all backends "
                    + NativeLibrary.ec_live_bytes());
        }
        Pointer block = NativeLibrary.ec_allocate(bytes);
        if (block == null || block.isNull()) {
            throw new EffconvException.OutOfDeviceMemory("cpu: no memory for " + bytes + " bytes; this backend holds "
                    + live.get() + " bytes, all backends " + NativeLibrary.ec_live_bytes());
        }
        live.addAndGet(bytes);
        return block.address();
    }

    @Override
    public void free(long address, long bytes) {
        NativeLibrary.ec_free(HostPointer.at(address, bytes), bytes);
        live.addAndGet(-bytes);
    }

    @Override
    public boolean guarded() {
        return NativeLoader.guarded();
    }

    long liveBytes() {
        return live.get();
    }
}

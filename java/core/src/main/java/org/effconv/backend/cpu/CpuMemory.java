package org.effconv.backend.cpu;

import java.util.concurrent.atomic.AtomicLong;
import org.bytedeco.javacpp.Pointer;
import org.effconv.EffconvException;
import org.effconv.tensor.Allocator;

/** Host memory of one backend, counted; may be used from any thread. */
final class CpuMemory implements Allocator {
    private final AtomicLong live = new AtomicLong();

    @Override
    public long allocate(long bytes) {
        Pointer block = NativeLibrary.ec_allocate(bytes);
        if (block == null || block.isNull()) {
            throw new EffconvException.OutOfDeviceMemory(
                    "cpu: no memory for " + bytes + " bytes; this backend holds " + live.get() + " bytes, all backends "
                            + NativeLibrary.ec_live_bytes());
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

package org.effconv.backend.cpu;

import org.effconv.tensor.Allocator;

/** Memory for the time of one call, taken once and again when more is asked for. */
final class ScratchBlock {
    private final Allocator allocator;
    private long address;
    private long bytes;

    ScratchBlock(Allocator allocator) {
        this.allocator = allocator;
    }

    /** Address of at least so many bytes, 64-byte aligned, contents undefined; void at the next call. */
    long of(long needed) {
        if (needed > bytes) {
            free();
            address = allocator.allocate(needed);
            bytes = needed;
        }
        return address;
    }

    /** The next {@link #of} takes it anew. */
    void free() {
        if (bytes > 0) {
            allocator.free(address, bytes);
            bytes = 0;
        }
    }
}

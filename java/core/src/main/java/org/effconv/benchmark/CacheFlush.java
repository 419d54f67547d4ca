package org.effconv.benchmark;

import org.effconv.backend.Backend;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;

/** Overwrites a block larger than any cache, so that operands come from memory. */
final class CacheFlush implements AutoCloseable {
    private static final int BYTES = 192 << 20;

    private final Backend backend;
    private final Tensor block; // null: caches are left alone

    CacheFlush(Backend backend, boolean active) {
        this.backend = backend;
        block = active ? Tensor.allocate(backend.memory(), DataType.F32, Shape.of(BYTES / 4)) : null;
    }

    void flush() {
        if (block != null) {
            backend.fill(block, 0);
        }
    }

    @Override
    public void close() {
        if (block != null) {
            block.close();
        }
    }
}

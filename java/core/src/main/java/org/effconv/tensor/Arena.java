package org.effconv.tensor;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Memory of one step: tensors are taken during the step and all given back at once by {@link #reset}. Blocks are kept
 * for the next step, so a steady loop allocates nothing. Not thread-safe: an arena belongs to the thread of its device.
 */
public final class Arena implements AutoCloseable {
    private static final long SMALLEST = 256;

    private final Allocator allocator;
    private final Map<Long, ArrayDeque<Long>> free = new HashMap<>(); // block size -> addresses
    private final List<long[]> blocks = new ArrayList<>(); // {address, size}, all ever taken
    private final Map<Long, Long> inUse = new HashMap<>(); // address -> size
    private long generation = 1;
    private long bytes;
    private boolean closed;

    public Arena(Allocator allocator) {
        this.allocator = allocator;
    }

    /** A tensor of this step, contents undefined. */
    public Tensor allocate(DataType type, Shape shape) {
        return allocate(type, shape, 0);
    }

    /**
     * A tensor of this step, contents undefined, in a block of at least {@code room} bytes: one that is larger at other
     * steps.
     */
    public Tensor allocate(DataType type, Shape shape, long room) {
        if (closed) {
            throw new IllegalStateException("use after close: Arena");
        }
        long needed = Math.max(room, shape.count() * type.bytes());
        long size = allocator.guarded() ? needed : sizeClass(needed);
        ArrayDeque<Long> spare = free.get(size);
        long address;
        if (spare != null && !spare.isEmpty()) {
            address = spare.pop();
        } else {
            address = allocator.allocate(size);
            blocks.add(new long[] {address, size});
            bytes += size;
        }
        inUse.put(address, size);
        return Tensor.inArena(this, generation, type, shape, address);
    }

    /** Whether {@code t} was taken from this arena in the present step and not recycled since; false for views. */
    public boolean holds(Tensor t) {
        return t.arena() == this && t.isLive();
    }

    /** Bytes of the block behind a tensor of the present step; 0 if it is not of this arena, or a view. */
    public long room(Tensor t) {
        return holds(t) ? inUse.get(t.address()) : 0;
    }

    /** Gives one tensor's memory back within the step, for reuse; reading the tensor or a view of it then throws. */
    public void recycle(Tensor t) {
        if (t.arena() != this) {
            throw new IllegalArgumentException(t + " is not of this arena");
        }
        Long size = inUse.remove(t.address());
        if (size == null) {
            throw new IllegalStateException("recycled twice: " + t);
        }
        free.computeIfAbsent(size, s -> new ArrayDeque<>()).push(t.address());
        t.markRecycled();
    }

    /** Ends the step: every tensor taken since the last reset is void, the memory is kept for the next step. */
    public void reset() {
        inUse.forEach((address, size) ->
                free.computeIfAbsent(size, s -> new ArrayDeque<>()).push(address));
        inUse.clear();
        generation++;
    }

    boolean isPresent(long stepOfTensor) {
        return stepOfTensor == generation;
    }

    /** Bytes this arena holds from its device, used or spare. */
    public long bytes() {
        return bytes;
    }

    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        generation++;
        for (long[] block : blocks) {
            allocator.free(block[0], block[1]);
        }
        blocks.clear();
        free.clear();
        inUse.clear();
        bytes = 0;
    }

    // Four size classes per doubling: at most a quarter is wasted, and a step whose sizes vary a little still reuses
    // blocks.
    private static long sizeClass(long bytes) {
        if (bytes <= SMALLEST) {
            return SMALLEST;
        }
        long step = Math.max(64, Long.highestOneBit(bytes - 1) / 4);
        return (bytes + step - 1) / step * step;
    }
}

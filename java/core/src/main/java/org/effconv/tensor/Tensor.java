package org.effconv.tensor;

import java.lang.ref.Cleaner;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A dense row-major block of device memory with a type and a shape. A tensor either owns its memory ({@link #allocate}:
 * close it), belongs to an {@link Arena} (dies with the arena's step) or is a view of another one.
 */
public final class Tensor implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Tensor.class);
    private static final Cleaner CLEANER = Cleaner.create();

    private final Shape shape;
    private final DataType type;
    private final long address;
    private final Allocator owner; // null for arena tensors and views
    private final Arena arena; // null unless the memory is an arena's
    private final long generation;
    private final Tensor base; // null unless this is a view
    private final Cleaner.Cleanable alarm;
    private final LeakState leak;
    private volatile boolean closed;

    private Tensor(
            Shape shape, DataType type, long address, Allocator owner, Arena arena, long generation, Tensor base) {
        this.shape = shape;
        this.type = type;
        this.address = address;
        this.owner = owner;
        this.arena = arena;
        this.generation = generation;
        this.base = base;
        if (owner != null) {
            leak = new LeakState(type + " " + shape);
            alarm = CLEANER.register(this, leak);
        } else {
            leak = null;
            alarm = null;
        }
    }

    /** A tensor that owns its memory; contents undefined. */
    public static Tensor allocate(Allocator allocator, DataType type, Shape shape) {
        long address = allocator.allocate(shape.count() * type.bytes());
        return new Tensor(shape, type, address, allocator, null, 0, null);
    }

    static Tensor inArena(Arena arena, long generation, DataType type, Shape shape, long address) {
        return new Tensor(shape, type, address, null, arena, generation, null);
    }

    /** The same memory under another shape of equally many elements; lives no longer than this tensor. */
    public Tensor view(Shape other) {
        if (other.count() != shape.count()) {
            throw new IllegalArgumentException("view of " + shape + " as " + other + ": element counts differ");
        }
        return slice(0, other);
    }

    /** {@code other.count()} elements from element {@code offset} on, as a view. */
    public Tensor slice(long offset, Shape other) {
        if (offset < 0 || offset + other.count() > shape.count()) {
            throw new IllegalArgumentException("slice " + other + " at " + offset + " exceeds " + shape);
        }
        return new Tensor(other, type, address() + offset * type.bytes(), null, null, 0, this);
    }

    public Shape shape() {
        return shape;
    }

    public DataType type() {
        return type;
    }

    public long count() {
        return shape.count();
    }

    public long bytes() {
        return shape.count() * type.bytes();
    }

    /**
     * Device address of the first element.
     *
     * @throws IllegalStateException after close, after recycling, or after the arena's step has ended
     */
    public long address() {
        if (closed) {
            throw new IllegalStateException(
                    "use after " + (arena == null ? "close" : "recycling") + ": Tensor " + type + " " + shape);
        }
        if (arena != null && !arena.isPresent(generation)) {
            throw new IllegalStateException("use after the arena was reset: Tensor " + type + " " + shape);
        }
        if (base != null) {
            base.address();
        }
        return address;
    }

    Arena arena() {
        return arena;
    }

    boolean isLive() {
        return !closed && (arena == null || arena.isPresent(generation));
    }

    void markRecycled() {
        closed = true;
    }

    /** Frees owned memory; harmless for views, arena tensors and a second time. */
    @Override
    public void close() {
        if (owner == null || closed) {
            return;
        }
        closed = true;
        leak.closed = true;
        owner.free(address, bytes());
        alarm.clean();
    }

    @Override
    public String toString() {
        return "Tensor " + type + " " + shape;
    }

    /**
     * Raises the alarm when an owner forgot to close; it does not free, so that a leak stays visible in the counters.
     */
    private static final class LeakState implements Runnable {
        private final String what;
        private final Throwable where =
                "trace".equals(System.getProperty("effconv.leaks")) ? new Throwable("allocated here") : null;
        private volatile boolean closed;

        LeakState(String what) {
            this.what = what;
        }

        @Override
        public void run() {
            if (!closed) {
                LOG.error(
                        "leak: Tensor {} was never closed{}",
                        what,
                        where == null ? " (-Deffconv.leaks=trace says where)" : "",
                        where);
            }
        }
    }
}

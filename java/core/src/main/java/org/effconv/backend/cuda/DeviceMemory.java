package org.effconv.backend.cuda;

import java.util.EnumMap;
import java.util.HashMap;
import java.util.Map;
import org.effconv.error.EffconvException.DeviceLost;
import org.effconv.error.EffconvException.OutOfDeviceMemory;
import org.effconv.tensor.Allocator;

/**
 * Device memory of one backend, taken from the driver's pool in the order of the backend's stream: counted, with a hard
 * limit and a peak. May be used from any thread.
 */
final class DeviceMemory implements Allocator {
    /** What memory is for, to name the largest consumer. */
    enum Use {
        TENSORS("tensors"),
        WORKSPACE("workspace"),
        TABLES("tables");

        private final String words;

        Use(String words) {
            this.words = words;
        }
    }

    private record Block(long bytes, Use use, long number) {}

    private final Driver driver;
    private final long stream;
    private final long limit;
    private final Map<Long, Block> blocks = new HashMap<>();
    private final Map<Use, Long> live = new EnumMap<>(Use.class);
    private long total;
    private long peak;
    private long allocations;
    private Thread sealedBy; // null: nobody
    private boolean closed;
    private LongConsumer onFree = number -> {};

    /** Told the number of a block that is about to be freed. */
    @FunctionalInterface
    interface LongConsumer {
        void accept(long number);
    }

    /** An allocation while a step is recorded: the recording has to be given up. */
    static final class Sealed extends RuntimeException {
        private static final long serialVersionUID = 1L;

        Sealed(String what) {
            super(what, null, false, false);
        }
    }

    /** @param limit most bytes, 0 for none */
    DeviceMemory(Driver driver, long stream, long limit) {
        this.driver = driver;
        this.stream = stream;
        this.limit = limit;
        for (Use use : Use.values()) {
            live.put(use, 0L);
        }
    }

    @Override
    public long allocate(long bytes) {
        return allocate(bytes, Use.TENSORS);
    }

    synchronized long allocate(long bytes, Use use) {
        requireUnsealed("memory for " + bytes + " bytes of " + use.words);
        if (closed) {
            throw new IllegalStateException("use after close: " + driver.name());
        }
        if (limit > 0 && total + bytes > limit) {
            throw outOfMemory(bytes, "the limit is " + words(limit), null);
        }
        driver.enter();
        long address = take(bytes);
        blocks.put(address, new Block(bytes, use, ++allocations));
        live.merge(use, bytes, Long::sum);
        total += bytes;
        peak = Math.max(peak, total);
        return address;
    }

    // The pool may hold freed memory in pieces that do not fit: given back to the card once, it may.
    private long take(long bytes) {
        long wanted = Math.max(1, bytes);
        try {
            return driver.allocate(wanted, stream);
        } catch (OutOfDeviceMemory first) {
            driver.synchronise(stream);
            driver.trim();
            try {
                return driver.allocate(wanted, stream);
            } catch (OutOfDeviceMemory second) {
                throw outOfMemory(bytes, "the card has none left", second);
            }
        }
    }

    private OutOfDeviceMemory outOfMemory(long asked, String why, Throwable cause) {
        Use largest = Use.TENSORS;
        for (Use use : Use.values()) {
            largest = live.get(use) > live.get(largest) ? use : largest;
        }
        String free;
        try {
            driver.enter();
            Driver.MemoryInfo info = driver.memoryInfo();
            free = words(info.free()) + " of the card's " + words(info.total()) + " are free";
        } catch (DeviceLost e) {
            free = "the card does not say how much is free";
        }
        OutOfDeviceMemory e =
                new OutOfDeviceMemory(driver.name() + ": no memory for " + words(asked) + ": " + why + ", " + free
                        + ", this backend holds " + words(total)
                        + (total == 0 ? "" : ", most of it " + largest.words + " (" + words(live.get(largest)) + ")")
                        + "; a smaller batch, or a larger limit, may help");
        if (cause != null) {
            e.initCause(cause);
        }
        return e;
    }

    private static String words(long bytes) {
        return bytes < 10_000_000 ? bytes + " bytes" : Math.round(bytes / 1e6) + " MB (" + bytes + " bytes)";
    }

    @Override
    public synchronized void free(long address, long bytes) {
        Block block = blocks.get(address);
        if (block == null) {
            throw new IllegalStateException(
                    "freed twice, or never allocated: " + bytes + " bytes at " + Long.toHexString(address));
        }
        requireUnsealed("the freeing of " + bytes + " bytes");
        onFree.accept(block.number);
        release(address);
    }

    /** Frees a block that no recorded step but the caller's refers to. */
    synchronized void release(long address) {
        Block block = blocks.remove(address);
        live.merge(block.use, -block.bytes, Long::sum);
        total -= block.bytes;
        if (!closed) {
            driver.enter();
            driver.free(address, stream);
        }
    }

    synchronized long liveBytes() {
        return total;
    }

    /** Most bytes that were held at a time. */
    synchronized long peakBytes() {
        return peak;
    }

    /** Bytes that could still be allocated. */
    @Override
    public synchronized long room() {
        driver.enter();
        driver.synchronise(stream);
        driver.trim(); // what was freed is the pool's until then, and counts as taken
        long free = driver.memoryInfo().free();
        return limit == 0 ? free : Math.min(free, limit - total);
    }

    @Override
    public long limit() {
        return limit == 0 ? Long.MAX_VALUE : limit;
    }

    /** Number of the block allocated last; blocks are numbered as they come. */
    synchronized long lastNumber() {
        return allocations;
    }

    /**
     * While sealed, what the sealing thread allocates or frees throws {@link Sealed}, and what others do waits for the
     * end of that.
     */
    synchronized void seal(boolean on) {
        sealedBy = on ? Thread.currentThread() : null;
        notifyAll();
    }

    /** @throws Sealed if this thread is recording a step */
    synchronized void requireUnsealed(String what) {
        boolean interrupted = false;
        while (sealedBy != null && sealedBy != Thread.currentThread()) {
            try {
                wait();
            } catch (InterruptedException e) {
                interrupted = true; // a tensor that is being closed must not be lost for that
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        if (sealedBy != null) {
            throw new Sealed(what);
        }
    }

    /** Gives all blocks back to the card. They stay counted until their owners free them, which is then harmless. */
    synchronized void close() {
        if (!closed) {
            closed = true;
            blocks.keySet().forEach(address -> driver.free(address, stream));
        }
    }

    /** The card is lost, and its memory with it: freeing is harmless from here on. */
    synchronized void abandon() {
        closed = true;
    }

    /** Who is to be told before a block is freed. */
    synchronized void onFree(LongConsumer listener) {
        onFree = listener;
    }
}

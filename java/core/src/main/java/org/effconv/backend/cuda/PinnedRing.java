package org.effconv.backend.cuda;

/**
 * Page-locked host memory through which bytes go to the card without stalling the stream: two halves, filled in turn. A
 * half is written again only after the copies out of it are done.
 */
final class PinnedRing implements AutoCloseable {
    /** Bytes of one half. */
    static final long HALF = 4 << 20;

    private final Driver driver;
    private final long stream;
    private final long base;
    private final long[] events = new long[2];
    private int half;
    private long used;
    private boolean closed;

    PinnedRing(Driver driver, long stream) {
        this.driver = driver;
        this.stream = stream;
        base = driver.allocatePinned(2 * HALF);
        events[0] = driver.createEvent();
        events[1] = driver.createEvent();
    }

    /**
     * Room for at most {@link #HALF} bytes; a copy out of it has to be put into the stream before the next call.
     *
     * @return offset of the room, aligned to 64
     */
    long take(long bytes) {
        if (bytes > HALF) {
            throw new IllegalArgumentException(bytes + " bytes do not fit into " + HALF);
        }
        if (used + bytes > HALF) {
            driver.record(events[half], stream);
            half = 1 - half;
            driver.synchroniseEvent(events[half]);
            used = 0;
        }
        long offset = half * HALF + used;
        used = (used + bytes + 63) / 64 * 64;
        return offset;
    }

    long address(long offset) {
        return base + offset;
    }

    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        driver.destroyEvent(events[0]);
        driver.destroyEvent(events[1]);
        driver.freePinned(base);
    }
}

package org.effconv.backend.cuda;

import static org.effconv.backend.bridge.NativeLibrary.*;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.function.Consumer;
import org.bytedeco.javacpp.Pointer;
import org.effconv.backend.bridge.HostPointer;
import org.effconv.error.EffconvException.OutOfDeviceMemory;

/**
 * Bytes between host and card, through page-locked memory. What goes to the card is copied at once and arrives in the
 * order of the stream; what comes from it either stalls the caller, or is picked up later.
 */
final class Transfers implements AutoCloseable {
    private final Driver driver;
    private final DeviceMemory memory;
    private final long stream;
    private final PinnedRing ring;
    private long tables; // on the card, one byte for each of the ring's; 0 until the first table
    private final Deque<Slot> spare = new ArrayDeque<>();
    private final List<Slot> slots = new ArrayList<>();

    Transfers(Driver driver, DeviceMemory memory, long stream) {
        this.driver = driver;
        this.memory = memory;
        this.stream = stream;
        ring = new PinnedRing(driver, stream);
    }

    /**
     * Puts host bytes that one operation needs on the card. They stay there until 4 MiB of others have followed; the
     * device memory is reused in the order of the stream, so operations put there before read what they were meant to.
     *
     * @return device address, aligned to 64, or 0 if {@code bytes} exceeds what fits
     */
    long table(long host, long bytes) {
        if (bytes > PinnedRing.HALF) {
            return 0;
        }
        if (tables == 0) {
            tables = memory.allocate(2 * PinnedRing.HALF, DeviceMemory.Use.TABLES);
        }
        long offset = ring.take(bytes);
        copy(ring.address(offset), host, bytes);
        driver.copyToDevice(tables + offset, ring.address(offset), bytes, stream);
        return tables + offset;
    }

    /** Host bytes, read before the call returns, to the card. */
    void upload(long device, long host, long bytes) {
        memory.requireUnsealed("a copy to the card");
        for (long done = 0; done < bytes; done += PinnedRing.HALF) {
            long part = Math.min(PinnedRing.HALF, bytes - done);
            long offset = ring.take(part);
            copy(ring.address(offset), host + done, part);
            driver.copyToDevice(device + done, ring.address(offset), part, stream);
        }
    }

    /** Bytes that {@code filled} writes to a host address, to the card. */
    void upload(long device, long bytes, Consumer<Pointer> filled) {
        memory.requireUnsealed("a copy to the card");
        if (bytes > PinnedRing.HALF) {
            withHostBytes(bytes, host -> {
                filled.accept(host);
                upload(device, host.address(), bytes);
            });
            return;
        }
        long offset = ring.take(bytes);
        filled.accept(HostPointer.at(ring.address(offset), bytes));
        driver.copyToDevice(device, ring.address(offset), bytes, stream);
    }

    /** Waits for the card and hands its bytes to {@code reader}. */
    void download(long device, long bytes, Consumer<Pointer> reader) {
        memory.requireUnsealed("a copy to the host");
        if (bytes <= PinnedRing.HALF) {
            reader.accept(HostPointer.at(fetch(device, bytes), bytes));
            return;
        }
        withHostBytes(bytes, host -> {
            for (long done = 0; done < bytes; done += PinnedRing.HALF) {
                long part = Math.min(PinnedRing.HALF, bytes - done);
                copy(host.address() + done, fetch(device + done, part), part);
            }
            reader.accept(host);
        });
    }

    private long fetch(long device, long bytes) {
        long pinned = ring.address(ring.take(bytes));
        driver.copyToHost(pinned, device, bytes, stream);
        driver.synchronise(stream);
        return pinned;
    }

    private static void withHostBytes(long bytes, Consumer<Pointer> use) {
        Pointer block = ec_allocate(bytes);
        if (block == null || block.isNull()) {
            throw new OutOfDeviceMemory("no host memory for a copy of " + bytes + " bytes to or from the card");
        }
        try {
            use.accept(block);
        } finally {
            ec_free(block, bytes);
        }
    }

    /** Most bytes that {@link #begin} takes. */
    static final long SLOT = 4096;

    /** A few bytes on their way to the host. */
    final class Slot {
        private final long pinned;
        private final long event;

        private Slot() {
            pinned = driver.allocatePinned(SLOT);
            event = driver.createEvent();
        }

        /** Waits until they are there, and no longer; then the slot is free for others. */
        void collect(Consumer<Pointer> reader) {
            driver.enter();
            driver.synchroniseEvent(event);
            reader.accept(HostPointer.at(pinned, SLOT));
            spare.push(this);
        }
    }

    /** Starts a copy to the host that does not stall anybody; at most {@link #SLOT} bytes. */
    Slot begin(long device, long bytes) {
        memory.requireUnsealed("a copy to the host");
        Slot slot = spare.poll();
        if (slot == null) {
            slot = new Slot();
            slots.add(slot);
        }
        driver.copyToHost(slot.pinned, device, bytes, stream);
        driver.record(slot.event, stream);
        return slot;
    }

    private static void copy(long to, long from, long bytes) {
        Pointer.memcpy(HostPointer.at(to, bytes), HostPointer.at(from, bytes), bytes);
    }

    @Override
    public void close() {
        ring.close();
        if (tables != 0) {
            memory.free(tables, 2 * PinnedRing.HALF);
            tables = 0;
        }
        for (Slot slot : slots) {
            driver.destroyEvent(slot.event);
            driver.freePinned(slot.pinned);
        }
        slots.clear();
        spare.clear();
    }
}

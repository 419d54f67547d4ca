package org.effconv.backend.cuda;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;
import org.effconv.backend.bridge.HostPointer;

/**
 * Device memory of one recorded step, beside tensors and workspace: first what changes from replay to replay, then the
 * tables of its launches. The tables are gathered on the host while the step is recorded and go over once.
 */
final class Recording {
    private final DeviceMemory memory;
    private final long region; // 0: the step needs none
    private final long liveBytes; // room for what changes
    private final long bytes;
    private final List<Live> live = new ArrayList<>();
    private long liveUsed;
    private BytePointer tables; // null once they are on the card
    private long used;

    /** @param measure what a run of the step needed */
    Recording(DeviceMemory memory, Launcher.Measure measure) {
        this.memory = memory;
        liveBytes = rounded(measure.liveBytes());
        bytes = liveBytes + measure.tableBytes();
        region = bytes == 0 ? 0 : memory.allocate(bytes, DeviceMemory.Use.TABLES);
        tables = new BytePointer(Math.max(1, measure.tableBytes()));
    }

    static long rounded(long bytes) {
        return (bytes + 63) / 64 * 64;
    }

    long table(long host, long size) {
        long room = rounded(size);
        if (liveBytes + used + room > bytes) {
            throw new DeviceMemory.Sealed("tables larger than those of the run before");
        }
        Pointer.memcpy(new BytePointer(tables).position(used), HostPointer.at(host, size), size);
        long address = region + liveBytes + used;
        used += room;
        return address;
    }

    /** Bytes that {@code fill} writes anew before each replay; see {@link Launcher#live}. */
    long live(long size, Consumer<Pointer> fill) {
        long start = aligned(liveUsed, size);
        if (start + size > liveBytes) {
            throw new DeviceMemory.Sealed("more changing numbers than in the run before");
        }
        live.add(new Live(start, size, fill));
        liveUsed = start + size;
        return region + start;
    }

    private record Live(long start, long size, Consumer<Pointer> fill) {}

    /** Where the next {@code size} bytes may begin: numbers follow each other, arrays lie as kernels want them. */
    static long aligned(long used, long size) {
        return size <= 8 ? (used + 7) / 8 * 8 : rounded(used);
    }

    /** Sends the tables over; to be called once, before the first replay. */
    void sendTables(Transfers transfers) {
        if (used > 0) {
            transfers.upload(region + liveBytes, tables.address(), used);
        }
        dropTables();
    }

    private void dropTables() {
        if (tables != null) {
            tables.close();
            tables = null;
        }
    }

    /** Sends over what changes, as it is now. */
    void sendLive(Transfers transfers) {
        if (liveUsed > 0) {
            transfers.upload(
                    region,
                    liveUsed,
                    host -> live.forEach(l -> l.fill.accept(HostPointer.at(host.address() + l.start, l.size))));
        }
    }

    void close() {
        dropTables();
        if (region != 0) {
            memory.release(region);
        }
    }
}

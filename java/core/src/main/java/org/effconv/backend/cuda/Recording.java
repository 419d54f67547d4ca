package org.effconv.backend.cuda;

import java.util.ArrayList;
import java.util.List;
import java.util.function.LongSupplier;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.Pointer;
import org.effconv.backend.cpu.HostPointer;

/**
 * Device memory of one recorded step, beside tensors and workspace: first the numbers that change from replay to replay, then
 * the tables of its launches. The tables are gathered on the host while the step is recorded and go over once.
 */
final class Recording {
    private final DeviceMemory memory;
    private final long region; // 0: the step needs none
    private final long valueBytes;
    private final long bytes;
    private final List<LongSupplier> sources = new ArrayList<>();
    private BytePointer tables; // null once they are on the card
    private long used;

    /** @param measure what a run of the step needed */
    Recording(DeviceMemory memory, Launcher.Measure measure) {
        this.memory = memory;
        valueBytes = rounded(8L * measure.values());
        bytes = valueBytes + measure.tableBytes();
        region = bytes == 0 ? 0 : memory.allocate(bytes, DeviceMemory.Use.TABLES);
        tables = new BytePointer(Math.max(1, measure.tableBytes()));
    }

    static long rounded(long bytes) {
        return (bytes + 63) / 64 * 64;
    }

    long table(long host, long size) {
        long room = rounded(size);
        if (valueBytes + used + room > bytes) {
            throw new DeviceMemory.Sealed("tables larger than those of the run before");
        }
        Pointer.memcpy(new BytePointer(tables).position(used), HostPointer.at(host, size), size);
        long address = region + valueBytes + used;
        used += room;
        return address;
    }

    long value(LongSupplier source) {
        if (8L * (sources.size() + 1) > valueBytes) {
            throw new DeviceMemory.Sealed("more changing numbers than in the run before");
        }
        sources.add(source);
        return region + 8L * (sources.size() - 1);
    }

    /** Sends the tables over; to be called once, before the first replay. */
    void sendTables(Transfers transfers) {
        if (used > 0) {
            transfers.upload(region + valueBytes, tables.address(), used);
        }
        dropTables();
    }

    private void dropTables() {
        if (tables != null) {
            tables.close();
            tables = null;
        }
    }

    /** Sends the present numbers over. */
    void sendValues(Transfers transfers) {
        if (!sources.isEmpty()) {
            transfers.upload(region, 8L * sources.size(), host -> {
                LongPointer numbers = new LongPointer(host);
                for (int i = 0; i < sources.size(); i++) {
                    numbers.put(i, sources.get(i).getAsLong());
                }
            });
        }
    }

    void close() {
        dropTables();
        if (region != 0) {
            memory.release(region);
        }
    }
}

package org.effconv.backend.cuda;

import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;
import org.effconv.error.EffconvException.OutOfDeviceMemory;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Steps as CUDA graphs. The first step under a key runs launch by launch: it allocates what the step needs, and shows
 * how much its tables take. The second is recorded, and from then on the recording is replayed. At most {@link #MOST}
 * recordings are kept, those used last. A recording refers to memory by address: when memory that was there at its time
 * is freed, it is dropped, and made anew.
 */
final class StepGraphs implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(StepGraphs.class);

    /** Recordings kept. */
    static final int MOST = 32;

    private static final int ATTEMPTS = 3;

    private final Driver driver;
    private final DeviceMemory memory;
    private final Transfers transfers;
    private final Launcher launcher;
    private final long stream;
    private final Map<Object, Entry> entries = new LinkedHashMap<>(16, 0.75f, true);
    // Memory may be freed by any thread; recordings are dropped by the backend's own, before the next step.
    private final AtomicLong oldestFreed = new AtomicLong(Long.MAX_VALUE);

    private static final class Entry {
        Launcher.Measure measure;
        int failures;
        long graph; // 0: not recorded
        Recording recording;
        long youngestBlock;
        Object result;
    }

    StepGraphs(Driver driver, DeviceMemory memory, Transfers transfers, Launcher launcher, long stream) {
        this.driver = driver;
        this.memory = memory;
        this.transfers = transfers;
        this.launcher = launcher;
        this.stream = stream;
        memory.onFree(block -> oldestFreed.accumulateAndGet(block, Math::min));
    }

    @SuppressWarnings("unchecked") // an entry's result came from a body of the same key
    <T> T step(Object key, Supplier<T> body) {
        if (launcher.recording()) {
            throw new IllegalStateException("a step within a step");
        }
        dropThoseWith(oldestFreed.getAndSet(Long.MAX_VALUE));
        Entry entry = entries.get(key);
        if (entry != null && entry.graph == 0 && entry.measure != null && entry.failures < ATTEMPTS) {
            record(key, entry, body);
        }
        if (entry != null && entry.graph != 0) {
            entry.recording.sendLive(transfers);
            driver.launchGraph(entry.graph, stream);
            return (T) entry.result;
        }
        launcher.startMeasure();
        T result = body.get();
        if (entry == null) {
            entry = new Entry();
            entries.put(key, entry);
            evict();
        }
        entry.measure = launcher.measured();
        return result;
    }

    private void record(Object key, Entry entry, Supplier<?> body) {
        Recording recording = null;
        try {
            recording = new Recording(memory, entry.measure);
            entry.graph = capture(recording, entry, body);
            entry.recording = recording;
            entry.youngestBlock = memory.lastNumber();
            recording.sendTables(transfers); // without these the graph must not run
        } catch (DeviceMemory.Sealed e) {
            giveUp(key, entry, "it asked for " + e.getMessage() + " while being recorded");
        } catch (OutOfDeviceMemory e) { // of the recording itself, or of the graph's, which is not counted here
            if (entry.graph != 0) { // its tables are not on the card
                driver.destroyGraph(entry.graph);
                entry.graph = 0;
                entry.recording = null;
            }
            giveUp(key, entry, e.getMessage());
        } finally {
            if (entry.recording == null && recording != null) {
                recording.close();
            }
        }
    }

    private long capture(Recording recording, Entry entry, Supplier<?> body) {
        boolean capturing = false;
        memory.seal(true); // all the while: what the stream is given to allocate or free would become the graph's
        try {
            driver.beginCapture(stream);
            capturing = true;
            launcher.recordInto(recording);
            entry.result = body.get();
            capturing = false;
            return driver.endCapture(stream);
        } finally {
            launcher.recordInto(null);
            try {
                if (capturing) {
                    driver.abandonCapture(stream);
                }
            } finally {
                memory.seal(false);
            }
        }
    }

    private static void giveUp(Object key, Entry entry, String why) {
        entry.failures++;
        entry.result = null;
        LOG.warn(
                "step {} not recorded as a graph: {}{}",
                key,
                why,
                entry.failures < ATTEMPTS ? "; tried again at its next run" : "; it runs launch by launch from now on");
    }

    private void evict() {
        Iterator<Entry> oldest = entries.values().iterator();
        while (entries.size() > MOST) {
            drop(oldest.next());
            oldest.remove();
        }
    }

    private void dropThoseWith(long block) {
        for (Entry entry : entries.values()) {
            if (entry.graph != 0 && block <= entry.youngestBlock) {
                drop(entry);
            }
        }
    }

    private void drop(Entry entry) {
        if (entry.graph != 0) {
            driver.destroyGraph(entry.graph);
            entry.graph = 0;
            entry.recording.close();
            entry.recording = null;
            entry.result = null;
        }
    }

    /** Recordings held now. */
    int held() {
        return (int) entries.values().stream().filter(e -> e.graph != 0).count();
    }

    @Override
    public void close() {
        entries.values().forEach(this::drop);
        entries.clear();
    }
}

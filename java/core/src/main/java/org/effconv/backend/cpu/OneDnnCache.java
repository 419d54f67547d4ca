package org.effconv.backend.cpu;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Supplier;

/** Operations by key; beyond its capacity the one unused for longest is closed and dropped. */
final class OneDnnCache implements AutoCloseable {
    private final int capacity;
    private final Map<Object, OneDnnOperation> entries = new LinkedHashMap<>(64, 0.75f, true);

    OneDnnCache(int capacity) {
        this.capacity = capacity;
    }

    OneDnnOperation get(Object key, Supplier<OneDnnOperation> build) {
        OneDnnOperation found = entries.get(key);
        if (found != null) {
            return found;
        }
        if (entries.size() == capacity) {
            var oldest = entries.entrySet().iterator();
            oldest.next().getValue().close();
            oldest.remove();
        }
        OneDnnOperation built = build.get();
        entries.put(key, built);
        return built;
    }

    int size() {
        return entries.size();
    }

    @Override
    public void close() {
        entries.values().forEach(OneDnnOperation::close);
        entries.clear();
    }
}

package org.effconv.data;

/** Hears how far the reading of a dataset is. Calls come one at a time, though not all from the same thread. */
@FunctionalInterface
public interface LoadListener {
    /**
     * @param what the file or folder being read
     * @param done images read so far; the last call of each {@code what} has {@code done == total}
     * @param total images there are
     */
    void progress(String what, int done, int total);

    /** Hears nothing. */
    static LoadListener silent() {
        return (what, done, total) -> {};
    }
}

package org.effconv.tensor;

/** Raw memory of one device. Every block is at least 64-byte aligned. */
public interface Allocator {
    /**
     * @return the device address of {@code bytes} bytes, contents undefined
     * @throws org.effconv.error.EffconvException.OutOfDeviceMemory if there is not enough memory
     */
    long allocate(long bytes);

    /** Bytes that could still be allocated, as far as that is known; {@link Long#MAX_VALUE} where it is not. */
    default long room() {
        return Long.MAX_VALUE;
    }

    /** Most bytes that are given at a time, where its user has set that; else {@link Long#MAX_VALUE}. */
    default long limit() {
        return Long.MAX_VALUE;
    }

    /** Gives back a block of {@link #allocate}; {@code bytes} as asked for then. */
    void free(long address, long bytes);

    /**
     * Whether an access past a block's end shall be noticed: then whoever divides or keeps blocks must not round their
     * sizes up.
     */
    default boolean guarded() {
        return false;
    }
}

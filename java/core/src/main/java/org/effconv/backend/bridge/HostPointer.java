package org.effconv.backend.bridge;

import org.bytedeco.javacpp.Pointer;
import org.effconv.tensor.Tensor;

/** An address as the bridge wants it; owns nothing, frees nothing. */
public final class HostPointer extends Pointer {
    private HostPointer(long address, long bytes) {
        this.address = address;
        limit = bytes;
        capacity = bytes;
    }

    /** The memory of a tensor, counted in bytes; null for null. */
    public static HostPointer of(Tensor t) {
        return t == null ? null : new HostPointer(t.address(), t.bytes());
    }

    /** @param bytes that may be read or written there */
    public static HostPointer at(long address, long bytes) {
        return new HostPointer(address, bytes);
    }
}

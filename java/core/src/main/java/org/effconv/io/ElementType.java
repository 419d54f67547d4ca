package org.effconv.io;

import org.effconv.tensor.DataType;

/** What the safetensors format calls a dtype. The library computes with few of them, and can tell all of them apart. */
public enum ElementType {
    F64(64),
    F32(32),
    F16(16),
    BF16(16),
    I64(64),
    I32(32),
    I16(16),
    I8(8),
    U64(64),
    U32(32),
    U16(16),
    U8(8),
    BOOL(8),
    C64(64),
    F8_E4M3(8),
    F8_E5M2(8),
    F8_E8M0(8),
    F6_E2M3(6),
    F6_E3M2(6),
    F4(4);

    private final int bits;

    ElementType(int bits) {
        this.bits = bits;
    }

    /** The one of a tensor's values. */
    public static ElementType of(DataType type) {
        return valueOf(type.name());
    }

    /** Bits of {@code count} elements. */
    long bits(long count) {
        return Math.multiplyExact(count, (long) bits);
    }

    int bits() {
        return bits;
    }
}

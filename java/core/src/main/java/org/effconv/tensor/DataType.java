package org.effconv.tensor;

/** Element types. {@code F64} exists to verify gradients; training runs in {@code F32} or {@code BF16}. */
public enum DataType {
    F32(4),
    BF16(2),
    F64(8),
    I32(4),
    U8(1);

    private final int bytes;

    DataType(int bytes) {
        this.bytes = bytes;
    }

    /** Bytes of one element. */
    public int bytes() {
        return bytes;
    }

    /** The type in which parameters, statistics and losses are kept beside activations of this type. */
    public DataType parameterType() {
        return this == F64 ? F64 : F32;
    }
}

package org.effconv.io;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Shape;

/**
 * A tensor's values on the host, as a file holds them.
 *
 * @param type  F32, F64 or I32
 * @param data  little-endian, {@code shape.count() * type.bytes()} bytes from position 0 to the limit
 */
public record TensorData(DataType type, Shape shape, ByteBuffer data) {
    /**
     * @throws IllegalArgumentException if the bytes do not fit type and shape
     */
    public TensorData {
        if (type != DataType.F32 && type != DataType.F64 && type != DataType.I32) {
            throw new IllegalArgumentException("a file holds F32, F64 or I32, not " + type);
        }
        if (data.limit() != shape.count() * type.bytes()) {
            throw new IllegalArgumentException(data.limit() + " bytes for " + type + " " + shape);
        }
        data = data.duplicate().order(ByteOrder.LITTLE_ENDIAN).rewind();
    }

    public static TensorData of(Shape shape, float... values) {
        ByteBuffer data = allocate(values.length, DataType.F32);
        data.asFloatBuffer().put(values);
        return new TensorData(DataType.F32, shape, data);
    }

    public static TensorData of(Shape shape, double... values) {
        ByteBuffer data = allocate(values.length, DataType.F64);
        data.asDoubleBuffer().put(values);
        return new TensorData(DataType.F64, shape, data);
    }

    public static TensorData of(Shape shape, int... values) {
        ByteBuffer data = allocate(values.length, DataType.I32);
        data.asIntBuffer().put(values);
        return new TensorData(DataType.I32, shape, data);
    }

    /** The values of an F32 tensor. */
    public float[] floats() {
        expect(DataType.F32);
        float[] values = new float[(int) shape.count()];
        bytes().asFloatBuffer().get(values);
        return values;
    }

    /** The values of an F64 tensor. */
    public double[] doubles() {
        expect(DataType.F64);
        double[] values = new double[(int) shape.count()];
        bytes().asDoubleBuffer().get(values);
        return values;
    }

    /** The values of an I32 tensor. */
    public int[] ints() {
        expect(DataType.I32);
        int[] values = new int[(int) shape.count()];
        bytes().asIntBuffer().get(values);
        return values;
    }

    /** A fresh little-endian view from position 0. */
    public ByteBuffer bytes() {
        return data.duplicate().order(ByteOrder.LITTLE_ENDIAN).rewind();
    }

    private void expect(DataType wanted) {
        if (type != wanted) {
            throw new IllegalStateException(wanted + " values asked of " + type + " " + shape);
        }
    }

    private static ByteBuffer allocate(int count, DataType type) {
        return ByteBuffer.allocate(Math.multiplyExact(count, type.bytes())).order(ByteOrder.LITTLE_ENDIAN);
    }
}

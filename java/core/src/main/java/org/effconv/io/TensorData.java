package org.effconv.io;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.effconv.tensor.Shape;

/**
 * A tensor's values on the host, as a file holds them.
 *
 * @param data little-endian, the bytes of {@code shape.count()} elements from position 0 to the limit
 */
public record TensorData(ElementType type, Shape shape, ByteBuffer data) {
    /** @throws IllegalArgumentException if the bytes do not fit type and shape */
    public TensorData {
        if (data.limit() * 8L != type.bits(shape.count())) {
            throw new IllegalArgumentException(data.limit() + " bytes for " + type + " " + shape);
        }
        data = data.duplicate().order(ByteOrder.LITTLE_ENDIAN).rewind();
    }

    public static TensorData of(Shape shape, float... values) {
        ByteBuffer data = allocate(values.length, ElementType.F32);
        data.asFloatBuffer().put(values);
        return new TensorData(ElementType.F32, shape, data);
    }

    public static TensorData of(Shape shape, double... values) {
        ByteBuffer data = allocate(values.length, ElementType.F64);
        data.asDoubleBuffer().put(values);
        return new TensorData(ElementType.F64, shape, data);
    }

    public static TensorData of(Shape shape, int... values) {
        ByteBuffer data = allocate(values.length, ElementType.I32);
        data.asIntBuffer().put(values);
        return new TensorData(ElementType.I32, shape, data);
    }

    /** The values of an F32 tensor. */
    public float[] floats() {
        expect(ElementType.F32);
        float[] values = new float[(int) shape.count()];
        bytes().asFloatBuffer().get(values);
        return values;
    }

    /** The values of an F64 tensor. */
    public double[] doubles() {
        expect(ElementType.F64);
        double[] values = new double[(int) shape.count()];
        bytes().asDoubleBuffer().get(values);
        return values;
    }

    /** The values of an I32 tensor. */
    public int[] ints() {
        expect(ElementType.I32);
        int[] values = new int[(int) shape.count()];
        bytes().asIntBuffer().get(values);
        return values;
    }

    /**
     * The values with the last two of (outer, rows, columns) exchanged: (outer, columns, rows).
     *
     * @param to the shape of the result
     * @throws IllegalArgumentException if the elements are no multiple of rows * columns, or of {@code to}, or of no
     *     whole bytes
     */
    public TensorData transposed(int rows, int columns, Shape to) {
        if (type.bits() % 8 != 0 || rows < 1 || columns < 1) {
            throw new IllegalArgumentException(type + " " + shape + " as matrices of " + rows + " x " + columns
                    + ": expected elements of whole bytes, " + "a row and a column");
        }
        int width = type.bits() / 8;
        byte[] values = new byte[data.limit()];
        bytes().get(values);
        long matrix = (long) rows * columns * width;
        if (values.length % matrix != 0) {
            throw new IllegalArgumentException(
                    type + " " + shape + " is no list of matrices of " + rows + " x " + columns);
        }
        byte[] turned = new byte[values.length];
        int target = 0;
        for (int start = 0; start < values.length; start += (int) matrix) {
            for (int c = 0; c < columns; c++) {
                for (int r = 0; r < rows; r++) {
                    System.arraycopy(values, start + (r * columns + c) * width, turned, target, width);
                    target += width;
                }
            }
        }
        return new TensorData(type, to, ByteBuffer.wrap(turned));
    }

    /** A fresh little-endian view from position 0. */
    public ByteBuffer bytes() {
        return data.duplicate().order(ByteOrder.LITTLE_ENDIAN).rewind();
    }

    private void expect(ElementType wanted) {
        if (type != wanted) {
            throw new IllegalStateException(wanted + " values asked of " + type + " " + shape);
        }
    }

    private static ByteBuffer allocate(int count, ElementType type) {
        return ByteBuffer.allocate(Math.multiplyExact(count, type.bits() / 8)).order(ByteOrder.LITTLE_ENDIAN);
    }
}

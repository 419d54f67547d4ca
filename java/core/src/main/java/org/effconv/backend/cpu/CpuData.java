package org.effconv.backend.cpu;

import static org.effconv.backend.bridge.NativeLibrary.*;
import static org.effconv.backend.bridge.NativeStatus.check;
import static org.effconv.backend.cpu.CpuBackend.at;
import static org.effconv.backend.cpu.CpuBackend.type;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.function.Supplier;
import org.bytedeco.javacpp.BytePointer;
import org.effconv.backend.DataOperations;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;

/** Values into tensors and out of them. */
final class CpuData implements DataOperations {
    @Override
    public void write(Tensor t, float[] values) {
        check(ec_write_floats(type(t), values, values.length, at(t)));
    }

    @Override
    public void write(Tensor t, double[] values) {
        check(ec_write_doubles(type(t), values, values.length, at(t)));
    }

    @Override
    public void write(Tensor t, int[] values) {
        check(ec_write_ints(type(t), values, values.length, at(t)));
    }

    @Override
    public void write(Tensor t, ByteBuffer values) {
        ByteBuffer source = values.duplicate();
        source.limit(source.position() + (int) t.count());
        new BytePointer(at(t)).capacity(t.count()).asByteBuffer().put(source);
    }

    @Override
    public float[] readFloats(Tensor t) {
        float[] values = new float[Math.toIntExact(t.count())];
        check(ec_read_floats(type(t), at(t), values.length, values));
        return values;
    }

    @Override
    public double[] readDoubles(Tensor t) {
        double[] values = new double[Math.toIntExact(t.count())];
        check(ec_read_doubles(type(t), at(t), values.length, values));
        return values;
    }

    @Override
    public int[] readInts(Tensor t) {
        int[] values = new int[Math.toIntExact(t.count())];
        check(ec_read_ints(type(t), at(t), values.length, values));
        return values;
    }

    @Override
    public Supplier<double[]> readLater(Tensor t) {
        double[] values = t.type() == DataType.I32
                ? Arrays.stream(readInts(t)).asDoubleStream().toArray()
                : readDoubles(t);
        return values::clone;
    }

    @Override
    public void fill(Tensor t, double value) {
        check(ec_fill(type(t), value, t.count(), at(t)));
    }

    @Override
    public void copy(Tensor from, Tensor to) {
        check(ec_copy(type(from), at(from), type(to), at(to), from.count()));
    }

    @Override
    public void accumulate(Tensor from, double factor, Tensor to) {
        check(ec_accumulate(type(from), at(from), factor, type(to), at(to), from.count()));
    }

    @Override
    public void augment(Tensor images, Tensor draws, float[] mean, float[] std, Tensor y) {
        Shape s = images.shape();
        check(ec_augment(type(y), s.dim(0), s.dim(1), s.dim(2), s.dim(3), at(images), at(draws), mean, std, at(y)));
    }
}

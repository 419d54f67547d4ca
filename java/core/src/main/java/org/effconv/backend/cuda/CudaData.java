package org.effconv.backend.cuda;

import static org.effconv.backend.bridge.NativeLibrary.*;
import static org.effconv.backend.bridge.NativeStatus.check;
import static org.effconv.backend.cuda.CudaBackend.at;

import java.nio.ByteBuffer;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.Pointer;
import org.effconv.backend.DataOperations;
import org.effconv.backend.Operands;
import org.effconv.backend.bridge.HostPointer;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;

/** Values between host and card; conversion of types happens on the host, by the same code as on the CPU backend. */
final class CudaData implements DataOperations {
    private final Driver driver;
    private final Transfers transfers;
    private final Launcher launcher;
    private final long stream;

    CudaData(Driver driver, Transfers transfers, Launcher launcher, long stream) {
        this.driver = driver;
        this.transfers = transfers;
        this.launcher = launcher;
        this.stream = stream;
    }

    @Override
    public void write(Tensor t, float[] values) {
        send(t, host -> check(ec_write_floats(t.type().ordinal(), values, values.length, host)));
    }

    @Override
    public void write(Tensor t, double[] values) {
        send(t, host -> check(ec_write_doubles(t.type().ordinal(), values, values.length, host)));
    }

    @Override
    public void write(Tensor t, int[] values) {
        send(t, host -> check(ec_write_ints(t.type().ordinal(), values, values.length, host)));
    }

    @Override
    public void write(Tensor t, ByteBuffer values) {
        send(t, host -> {
            ByteBuffer source = values.duplicate();
            source.limit(source.position() + (int) t.count());
            new BytePointer(host).capacity(t.count()).asByteBuffer().put(source);
        });
    }

    private void send(Tensor t, Consumer<Pointer> fill) {
        if (launcher.served(t).count() > 0) {
            transfers.upload(t.address(), t.bytes(), fill);
        }
    }

    @Override
    public float[] readFloats(Tensor t) {
        float[] values = new float[Math.toIntExact(t.count())];
        fetch(t, host -> check(ec_read_floats(t.type().ordinal(), host, values.length, values)));
        return values;
    }

    @Override
    public double[] readDoubles(Tensor t) {
        double[] values = new double[Math.toIntExact(t.count())];
        fetch(t, host -> check(ec_read_doubles(t.type().ordinal(), host, values.length, values)));
        return values;
    }

    @Override
    public int[] readInts(Tensor t) {
        int[] values = new int[Math.toIntExact(t.count())];
        fetch(t, host -> check(ec_read_ints(t.type().ordinal(), host, values.length, values)));
        return values;
    }

    private void fetch(Tensor t, Consumer<Pointer> reader) {
        if (launcher.served(t).count() > 0) {
            transfers.download(t.address(), t.bytes(), reader);
        }
    }

    @Override
    public Supplier<double[]> readLater(Tensor t) {
        Operands.require(
                t.bytes() <= Transfers.SLOT,
                t + " has more than " + Transfers.SLOT + " bytes; read later are a loss, a count, sizes");
        return later(launcher.served(t).address(), t.type(), (int) t.count());
    }

    /** Starts a copy of a few values to the host; asking for them waits for them alone. */
    Supplier<double[]> later(long address, DataType type, int count) {
        double[] values = new double[count];
        Transfers.Slot slot = transfers.begin(address, (long) count * type.bytes());
        return new Supplier<>() {
            private boolean there;

            @Override
            public double[] get() {
                if (!there) {
                    slot.collect(host -> {
                        if (type == DataType.I32) {
                            IntPointer ints = new IntPointer(host);
                            for (int i = 0; i < values.length; i++) {
                                values[i] = ints.get(i);
                            }
                        } else {
                            check(ec_read_doubles(type.ordinal(), host, values.length, values));
                        }
                    });
                    there = true;
                }
                return values.clone();
            }
        };
    }

    @Override
    public void fill(Tensor t, double value) {
        int width = launcher.served(t).type().bytes();
        try (LongPointer pattern = new LongPointer(1)) {
            check(ec_fill(t.type().ordinal(), value, 1, HostPointer.at(pattern.address(), width)));
            int bits = (int) (width == 4 ? pattern.get() : pattern.get() & (width == 2 ? 0xffff : 0xff));
            if (t.count() > 0) {
                driver.set(t.address(), width, bits, t.count(), stream);
            }
        }
    }

    @Override
    public void copy(Tensor from, Tensor to) {
        if (launcher.served(from).count() == 0) {
            return;
        }
        if (from.type() == to.type()) {
            driver.copyOnDevice(to.address(), from.address(), from.bytes(), stream);
        } else {
            launcher.run(() -> ec_plan_copy(
                    launcher.plan(), launcher.type(from), at(from), launcher.type(to), at(to), from.count()));
        }
    }

    @Override
    public void accumulate(Tensor from, double factor, Tensor to) {
        if (from.count() > 0) {
            launcher.run(() -> ec_plan_accumulate(
                    launcher.plan(), launcher.type(from), at(from), factor, launcher.type(to), at(to), from.count()));
        }
    }

    @Override
    public void augment(Tensor images, Tensor draws, float[] mean, float[] std, Tensor y) {
        augment(images, null, draws, mean, std, y);
    }

    /** @param indices of the images to take; null: all */
    void augment(Tensor images, Tensor indices, Tensor draws, float[] mean, float[] std, Tensor y) {
        Shape s = images.shape();
        launcher.run(() -> ec_plan_augment(
                launcher.plan(),
                launcher.type(y),
                s.dim(0),
                y.shape().dim(0),
                s.dim(1),
                s.dim(2),
                s.dim(3),
                at(images),
                at(indices),
                at(draws),
                mean,
                std,
                at(y)));
    }
}

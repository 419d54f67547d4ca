package org.effconv.backend.cuda;

import static org.effconv.backend.bridge.NativeLibrary.*;
import static org.effconv.backend.bridge.NativeStatus.check;

import java.nio.ByteBuffer;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.Pointer;
import org.effconv.backend.Operands;
import org.effconv.backend.bridge.HostPointer;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Tensor;

/** Values between host and card; conversion of types happens on the host, by the same code as on the CPU backend. */
final class CudaData {
    private final Driver driver;
    private final DeviceMemory memory;
    private final Transfers transfers;
    private final long stream;

    CudaData(Driver driver, DeviceMemory memory, Transfers transfers, long stream) {
        this.driver = driver;
        this.memory = memory;
        this.transfers = transfers;
        this.stream = stream;
    }

    void write(Tensor t, float[] values) {
        send(t, host -> check(ec_write_floats(t.type().ordinal(), values, values.length, host)));
    }

    void write(Tensor t, double[] values) {
        send(t, host -> check(ec_write_doubles(t.type().ordinal(), values, values.length, host)));
    }

    void write(Tensor t, int[] values) {
        send(t, host -> check(ec_write_ints(t.type().ordinal(), values, values.length, host)));
    }

    void write(Tensor t, ByteBuffer values) {
        send(t, host -> {
            ByteBuffer source = values.duplicate();
            source.limit(source.position() + (int) t.count());
            new BytePointer(host).capacity(t.count()).asByteBuffer().put(source);
        });
    }

    private void send(Tensor t, Consumer<Pointer> fill) {
        if (t.count() > 0) {
            transfers.upload(t.address(), t.bytes(), fill);
        }
    }

    float[] readFloats(Tensor t) {
        float[] values = new float[Math.toIntExact(t.count())];
        fetch(t, host -> check(ec_read_floats(t.type().ordinal(), host, values.length, values)));
        return values;
    }

    double[] readDoubles(Tensor t) {
        double[] values = new double[Math.toIntExact(t.count())];
        fetch(t, host -> check(ec_read_doubles(t.type().ordinal(), host, values.length, values)));
        return values;
    }

    int[] readInts(Tensor t) {
        int[] values = new int[Math.toIntExact(t.count())];
        fetch(t, host -> check(ec_read_ints(t.type().ordinal(), host, values.length, values)));
        return values;
    }

    private void fetch(Tensor t, Consumer<Pointer> reader) {
        if (t.count() > 0) {
            transfers.download(t.address(), t.bytes(), reader);
        }
    }

    /** Starts a copy of a few values to the host; asking for them waits for them alone. */
    Supplier<double[]> readLater(Tensor t) {
        Operands.require(
                t.bytes() <= Transfers.SLOT,
                t + " has more than " + Transfers.SLOT + " bytes; read later are a loss, a count, sizes");
        return later(t.address(), t.type(), (int) t.count());
    }

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

    void fill(Tensor t, double value) {
        int width = t.type().bytes();
        try (LongPointer pattern = new LongPointer(1)) {
            check(ec_fill(t.type().ordinal(), value, 1, HostPointer.at(pattern.address(), width)));
            int bits = (int) (width == 4 ? pattern.get() : pattern.get() & (width == 2 ? 0xffff : 0xff));
            if (t.count() > 0) {
                driver.set(t.address(), width, bits, t.count(), stream);
            }
        }
    }

    void copySame(Tensor from, Tensor to) {
        if (from.count() > 0) {
            driver.copyOnDevice(to.address(), from.address(), from.bytes(), stream);
        }
    }
}

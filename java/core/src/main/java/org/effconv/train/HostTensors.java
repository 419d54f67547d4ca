package org.effconv.train;

import java.util.LinkedHashMap;
import java.util.Map;
import org.effconv.backend.Backend;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.io.ElementType;
import org.effconv.io.TensorData;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;

/** Moves named device tensors to and from what files hold, bit by bit. */
public final class HostTensors {
    private HostTensors() {}

    /** Copies of the values, by the same names. */
    public static Map<String, TensorData> read(Backend backend, Map<String, Tensor> tensors) {
        Map<String, TensorData> host = new LinkedHashMap<>();
        tensors.forEach((name, t) -> host.put(name, read(backend, t)));
        return host;
    }

    private static TensorData read(Backend backend, Tensor t) {
        return switch (t.type()) {
            case F32 -> TensorData.of(t.shape(), backend.readFloats(t));
            case F64 -> TensorData.of(t.shape(), backend.readDoubles(t));
            case I32 -> TensorData.of(t.shape(), backend.readInts(t));
            default -> throw new IllegalArgumentException("a file holds F32, F64 or I32, not " + t);
        };
    }

    /**
     * Checks that {@code stored} has every tensor of {@code wanted} in its type and shape, and nothing else.
     *
     * @param source names the file in errors
     */
    public static void check(Map<String, TensorData> stored, Map<String, Tensor> wanted, String source) {
        wanted.forEach((name, t) -> require(stored, name, ElementType.of(t.type()), t.shape(), source));
        for (String name : stored.keySet()) {
            if (!wanted.containsKey(name)) {
                throw new InvalidInput(source + ": tensor '" + name + "' belongs to no part of this network");
            }
        }
    }

    /**
     * The one of that name.
     *
     * @param source names the file in errors
     * @throws InvalidInput if it is missing, or of another type or shape
     */
    public static TensorData require(
            Map<String, TensorData> stored, String name, ElementType type, Shape shape, String source) {
        TensorData data = stored.get(name);
        if (data == null) {
            throw new InvalidInput(source + ": tensor '" + name + "' is missing");
        }
        if (!data.shape().equals(shape) || data.type() != type) {
            throw new InvalidInput(source + ": tensor '" + name + "' is " + data.type() + " " + data.shape()
                    + ", expected " + type + " " + shape);
        }
        return data;
    }

    /** Writes checked values to the device. */
    public static void write(Backend backend, Map<String, TensorData> stored, Map<String, Tensor> targets) {
        targets.forEach((name, t) -> {
            TensorData data = stored.get(name);
            switch (data.type()) {
                case F32 -> backend.write(t, data.floats());
                case F64 -> backend.write(t, data.doubles());
                default -> backend.write(t, data.ints());
            }
        });
    }
}

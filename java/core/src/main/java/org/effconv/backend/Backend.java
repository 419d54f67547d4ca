package org.effconv.backend;

import java.util.Optional;
import java.util.function.Supplier;
import org.effconv.tensor.Allocator;
import org.effconv.tensor.DataType;

/**
 * The tensor operations of one device. Activations are (N, H, W, C) in the activation type (F32, BF16; F64 to verify
 * gradients); parameters, statistics and losses are in its {@link DataType#parameterType()}, "P" below. Operations
 * overwrite their outputs and never allocate tensors; shapes and types are checked and refused with
 * {@link IllegalArgumentException}. An output may not overlap an input unless its comment says so. A backend belongs to
 * one thread at a time.
 */
public interface Backend
        extends DataOperations,
                ConvolutionOperations,
                LinearOperations,
                NetworkOperations,
                OptimizerOperations,
                MethodOperations,
                MaskArithmetic,
                AutoCloseable {
    /** For people and assertions: "cpu", "cuda:0". */
    String name();

    Allocator memory();

    /** Bytes that tensors and workspaces of this backend hold now. */
    long liveBytes();

    /**
     * Gives memory that was freed here and kept for reuse back to the system, which others may need now; jobs do so
     * when they end. Changes no result, costs the next operations some time, and may wait for the device. What cannot
     * be given back is kept, which is no failure.
     */
    default void trim() {}

    @Override
    void close();

    /**
     * Seconds that {@code work} takes on this device, by the device's own clock where it has one; returns when the work
     * is done, also where operations otherwise only begin.
     */
    default double seconds(Runnable work) {
        long start = System.nanoTime();
        work.run();
        return (System.nanoTime() - start) / 1e9;
    }

    /**
     * Whether reading a value makes work that is under way wait, so that a loop had better use it a step late, by
     * {@link #readLater}.
     */
    default boolean readsLate() {
        return false;
    }

    /** Empty for a device that reads the host's memory as it is. */
    default Optional<DatasetMemory> datasetMemory() {
        return Optional.empty();
    }

    /**
     * Runs one step of a loop. A device may record what {@code body} asks of it and, when an equal key comes again,
     * repeat the recording in place of calling {@code body}. So a body under an equal key has to ask for the same
     * operations, with the same numbers, on memory that lives as long as the loop; it must neither write to the device
     * nor read from it. What changes from step to step stands in tensors that are written before, or comes from a
     * supplier ({@link #dropout}, {@link #update}, {@link #accumulateNormalised}).
     *
     * @param key equal keys, equal steps; null for a step that is never repeated
     * @return what {@code body} returned when it was called last under an equal key
     */
    default <T> T step(Object key, Supplier<T> body) {
        return body.get();
    }
}

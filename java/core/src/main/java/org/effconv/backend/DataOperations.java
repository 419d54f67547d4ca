package org.effconv.backend;

import java.nio.ByteBuffer;
import java.util.function.Supplier;
import org.effconv.tensor.Tensor;

/**
 * Moving data; values are converted to and from the tensor's type. See {@link Backend} for what holds of all
 * operations.
 */
public interface DataOperations {
    void write(Tensor t, float[] values);

    void write(Tensor t, double[] values);

    void write(Tensor t, int[] values);

    /** Raw bytes into a U8 tensor, from the buffer's position on, which is not moved. */
    void write(Tensor t, ByteBuffer values);

    float[] readFloats(Tensor t);

    double[] readDoubles(Tensor t);

    int[] readInts(Tensor t);

    /**
     * The values of a few elements (at most 4096 bytes) as they are now, for later: a device hands them over while it
     * works on, and asking for them waits for them alone. Each has to be asked for.
     */
    Supplier<double[]> readLater(Tensor t);

    void fill(Tensor t, double value);

    /** Copies with conversion of the type; equal counts. */
    void copy(Tensor from, Tensor to);

    /** to += factor * from; equal counts, types may differ. */
    void accumulate(Tensor from, double factor, Tensor to);

    /**
     * Crops, flips and normalises a batch.
     *
     * @param images U8 (N, H, W, C)
     * @param draws I32 (N, 3): dy, dx (the crop's offset in pixels, outside is the channel's mean, i.e. 0 after
     *     normalising), flip (0 or 1)
     * @param mean per channel, of values in 0..1
     * @param std per channel
     * @param y (N, H, W, C): y[n,h,w,c] = (u(h + dy, w' + dx) / 255 - mean) / std, w' = W - 1 - w if flipped
     */
    void augment(Tensor images, Tensor draws, float[] mean, float[] std, Tensor y);
}

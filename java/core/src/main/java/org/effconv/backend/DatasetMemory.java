package org.effconv.backend;

import org.effconv.tensor.Tensor;

/**
 * What a device with memory of its own can do beside: keep a dataset, so that a batch is no more than the indices of
 * its images.
 */
public interface DatasetMemory {
    /** Whether a dataset of that many bytes leaves room enough for the work on it. */
    boolean hasRoomFor(long bytes);

    /**
     * {@link Backend#augment} of chosen images of a dataset.
     *
     * @param dataset U8 (count, H, W, C)
     * @param indices I32 (N, 2): the number of each image and 0, which make one number of 64 bits; a number outside the
     *     dataset makes an image of NaN
     * @param draws I32 (N, 3)
     * @param y (N, H, W, C)
     */
    void augment(Tensor dataset, Tensor indices, Tensor draws, float[] mean, float[] std, Tensor y);
}

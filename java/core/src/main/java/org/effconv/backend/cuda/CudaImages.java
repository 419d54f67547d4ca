package org.effconv.backend.cuda;

import java.util.function.LongSupplier;
import org.effconv.backend.DatasetMemory;
import org.effconv.backend.Operands;
import org.effconv.tensor.Tensor;

/**
 * A dataset on the card.
 *
 * @param room bytes that could still be allocated
 */
record CudaImages(CudaBackend backend, LongSupplier room) implements DatasetMemory {
    // Half of what is left: networks and batches need the rest.
    @Override
    public boolean hasRoomFor(long bytes) {
        return bytes <= room.getAsLong() / 2;
    }

    @Override
    public void augment(Tensor dataset, Tensor numbers, Tensor draws, float[] mean, float[] std, Tensor y) {
        Operands.augmentChosen(dataset, numbers, draws, mean, std, y);
        backend.images(dataset, numbers, draws, mean, std, y);
    }
}

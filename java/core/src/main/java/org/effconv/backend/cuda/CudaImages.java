package org.effconv.backend.cuda;

import org.effconv.backend.DatasetMemory;
import org.effconv.backend.Operands;
import org.effconv.tensor.Tensor;

/** A dataset on the card. */
record CudaImages(CudaSession session) implements DatasetMemory {
    // Half of what is left: networks and batches need the rest.
    @Override
    public boolean hasRoomFor(long bytes) {
        return bytes <= session.get(session.memory()::room) / 2;
    }

    @Override
    public void augment(Tensor dataset, Tensor indices, Tensor draws, float[] mean, float[] std, Tensor y) {
        Operands.augmentChosen(dataset, indices, draws, mean, std, y);
        session.use(() -> session.data().augment(dataset, indices, draws, mean, std, y));
    }
}

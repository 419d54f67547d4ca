package org.effconv.train;

import org.effconv.backend.Backend;
import org.effconv.data.Batch;
import org.effconv.data.Images;
import org.effconv.tensor.Arena;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;

/** The device side of a batch: raw images, draws and labels of up to a fixed number of images, kept from step to step. */
final class BatchTensors implements AutoCloseable {
    private final Backend backend;
    private final Images images;
    private final float[] mean;
    private final float[] std;
    private final Tensor pixels;
    private final Tensor draws;
    private final Tensor labels;

    /** One batch on the device: x (N, H, W, C) normalised, labels I32 (N). */
    record OnDevice(Tensor x, Tensor labels) {}

    BatchTensors(Backend backend, Images images, Normalisation normalisation, int batch) {
        this.backend = backend;
        this.images = images;
        this.mean = normalisation.mean();
        this.std = normalisation.std();
        pixels = Tensor.allocate(backend.memory(), DataType.U8, shape(batch));
        draws = Tensor.allocate(backend.memory(), DataType.I32, Shape.of(batch, 3));
        labels = Tensor.allocate(backend.memory(), DataType.I32, Shape.of(batch));
    }

    private Shape shape(int batch) {
        return Shape.of(batch, images.height(), images.width(), images.channels());
    }

    /** Copies a batch over; it is there until the next one. */
    void load(Batch batch) {
        int n = batch.size();
        backend.write(pixels.slice(0, shape(n)), batch.pixels());
        backend.write(draws.slice(0, Shape.of(n, 3)), batch.draws());
        backend.write(labels.slice(0, Shape.of(n)), batch.labels());
    }

    /** Augments the first {@code n} images of the batch that was loaded last. */
    OnDevice augmented(int n, Arena arena, DataType type) {
        Tensor x = arena.allocate(type, shape(n));
        backend.augment(pixels.slice(0, shape(n)), draws.slice(0, Shape.of(n, 3)), mean, std, x);
        return new OnDevice(x, labels.slice(0, Shape.of(n)));
    }

    @Override
    public void close() {
        pixels.close();
        draws.close();
        labels.close();
    }
}

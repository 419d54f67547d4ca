package org.effconv.train;

import java.nio.ByteBuffer;
import java.util.stream.IntStream;
import org.effconv.backend.Backend;
import org.effconv.backend.DatasetMemory;
import org.effconv.data.Batch;
import org.effconv.data.DataLoader;
import org.effconv.data.Images;
import org.effconv.tensor.Arena;
import org.effconv.tensor.Construction;
import org.effconv.tensor.DataType;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The device side of a batch: raw images or their indices, draws and labels of up to a fixed number of images, kept
 * from step to step. Where a device has memory of its own with room for them, the images go there once and batches are
 * indices.
 */
final class BatchTensors implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(BatchTensors.class);
    private static final int UPLOAD = 4 << 20; // bytes at a time

    private final Backend backend;
    private final Images images;
    private final float[] mean;
    private final float[] std;
    private final DatasetMemory memory; // null: pixels come with each batch
    private final Tensor pixels; // of a batch, or of all images
    private final Tensor indices; // null: see memory
    private final Tensor draws;
    private final Tensor labels;

    /** One batch on the device: x (N, H, W, C) normalised, labels I32 (N). */
    record OnDevice(Tensor x, Tensor labels) {}

    private BatchTensors(Backend backend, Images images, Normalisation normalisation, int batch, DatasetMemory memory) {
        this.backend = backend;
        this.images = images;
        this.memory = memory;
        this.mean = normalisation.mean();
        this.std = normalisation.std();
        try (Construction construction = new Construction()) {
            pixels = construction.own(
                    Tensor.allocate(backend.memory(), DataType.U8, shape(memory == null ? batch : images.count())));
            indices = memory == null
                    ? null
                    : construction.own(Tensor.allocate(backend.memory(), DataType.I32, Shape.of(batch, 2)));
            draws = construction.own(Tensor.allocate(backend.memory(), DataType.I32, Shape.of(batch, 3)));
            labels = construction.own(Tensor.allocate(backend.memory(), DataType.I32, Shape.of(batch)));
            construction.done();
        }
    }

    /** For images that are read once: they come with each batch. */
    static BatchTensors passing(Backend backend, Images images, Normalisation normalisation, int batch) {
        return new BatchTensors(backend, images, normalisation, batch, null);
    }

    /**
     * For images that are read again and again; {@code loader}, which reads them, leaves out pixels that the device
     * keeps.
     */
    static BatchTensors repeated(Backend backend, Images images, Normalisation normalisation, DataLoader loader) {
        long bytes = (long) images.count() * images.imageBytes();
        DatasetMemory memory =
                backend.datasetMemory().filter(m -> m.hasRoomFor(bytes)).orElse(null);
        BatchTensors tensors = new BatchTensors(backend, images, normalisation, loader.batchSize(), memory);
        try (Construction construction = new Construction()) {
            construction.own(tensors);
            if (memory != null) {
                LOG.info("{} keeps the {} training images, {} bytes", backend.name(), images.count(), bytes);
                tensors.upload();
                loader.leaveOutPixels();
            }
            construction.done();
        }
        return tensors;
    }

    private void upload() {
        int each = images.imageBytes();
        int most = Math.max(1, UPLOAD / each);
        ByteBuffer part = ByteBuffer.allocateDirect(Math.min(most, images.count()) * each);
        try (Images.Reader reader = images.open()) {
            for (int first = 0; first < images.count(); first += most) {
                int n = Math.min(most, images.count() - first);
                reader.read(IntStream.range(first, first + n).toArray(), part);
                backend.write(pixels.slice((long) first * each, shape(n)), part);
            }
        }
    }

    private Shape shape(int batch) {
        return Shape.of(batch, images.height(), images.width(), images.channels());
    }

    /** Copies a batch over; it is there until the next one. */
    void load(Batch batch) {
        int n = batch.size();
        if (memory == null) {
            backend.write(pixels.slice(0, shape(n)), batch.pixels());
        } else {
            int[] wide = new int[2 * n];
            for (int i = 0; i < n; i++) {
                wide[2 * i] = batch.indices()[i];
            }
            backend.write(indices.slice(0, Shape.of(n, 2)), wide);
        }
        backend.write(draws.slice(0, Shape.of(n, 3)), batch.draws());
        backend.write(labels.slice(0, Shape.of(n)), batch.labels());
    }

    /** Augments the first {@code n} images of the batch that was loaded last. */
    OnDevice augmented(int n, Arena arena, DataType type) {
        Tensor x = arena.allocate(type, shape(n));
        Tensor d = draws.slice(0, Shape.of(n, 3));
        if (memory == null) {
            backend.augment(pixels.slice(0, shape(n)), d, mean, std, x);
        } else {
            memory.augment(pixels, indices.slice(0, Shape.of(n, 2)), d, mean, std, x);
        }
        return new OnDevice(x, labels.slice(0, Shape.of(n)));
    }

    @Override
    public void close() {
        pixels.close();
        if (indices != null) {
            indices.close();
        }
        draws.close();
        labels.close();
    }
}

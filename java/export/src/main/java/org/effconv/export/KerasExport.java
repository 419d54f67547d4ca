package org.effconv.export;

import java.nio.file.Path;
import org.effconv.TrainedModel;
import org.effconv.error.EffconvException.InvalidInput;

/**
 * Writes a trained network as a program for Keras 3, {@code model_keras.py}, and its weights beside it,
 * {@code model.safetensors} (see {@link SafetensorsExport}). {@code load()} in there gives a {@code keras.Model} that
 * takes pixel values from 0 to 255 of shape (N, C, H, W) and gives logits (N, classes); normalisation is part of it.
 */
public final class KerasExport {
    private KerasExport() {}

    /**
     * Makes the folder, whose own folder must exist, or replaces both files in there.
     *
     * @throws InvalidInput if the folder holds a model.safetensors that no export wrote; if the weights are in fp64
     * @throws IllegalStateException if another thread uses the model's device
     * @throws java.io.UncheckedIOException if a file cannot be written; the old one is then still whole
     */
    public static void write(TrainedModel model, Path folder) {
        PortableModel portable = PortableModel.of(model);
        ExportFolder.write(portable, folder, ExportFolder.KERAS, KerasSource.of(portable));
    }
}

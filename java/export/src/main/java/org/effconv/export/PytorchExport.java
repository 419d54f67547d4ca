package org.effconv.export;

import java.nio.file.Path;
import org.effconv.TrainedModel;
import org.effconv.error.EffconvException.InvalidInput;

/**
 * Writes a trained network as a program for PyTorch, {@code model.py}, and its weights beside it,
 * {@code model.safetensors} (see {@link SafetensorsExport}). {@code load()} in there gives an {@code nn.Module} that
 * takes pixel values from 0 to 255 of shape (N, C, H, W) and gives logits (N, classes); normalisation is part of it. It
 * needs nothing beyond PyTorch 1.13 or newer.
 */
public final class PytorchExport {
    private PytorchExport() {}

    /**
     * Makes the folder, whose own folder must exist, or replaces both files in there.
     *
     * @throws InvalidInput if the folder holds a model.safetensors that no export wrote; if the weights are in fp64; if
     *     a layer has a name that a module of PyTorch cannot have, which the message names
     * @throws IllegalStateException if another thread uses the model's device
     * @throws java.io.UncheckedIOException if a file cannot be written; the old one is then still whole
     */
    public static void write(TrainedModel model, Path folder) {
        PortableModel portable = PortableModel.of(model);
        ExportFolder.write(portable, folder, ExportFolder.PYTORCH, PytorchSource.of(portable));
    }
}

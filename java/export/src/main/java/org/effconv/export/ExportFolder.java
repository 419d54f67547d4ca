package org.effconv.export;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.io.AtomicFile;

/** A folder with a program and the weights that it reads. */
final class ExportFolder {
    static final String WEIGHTS = "model.safetensors";
    static final String PYTORCH = "model.py";
    static final String KERAS = "model_keras.py";

    private ExportFolder() {}

    /**
     * Writes the weights, then the program; makes the folder where it is missing.
     *
     * @throws InvalidInput if it cannot be such a folder, or holds a {@value #WEIGHTS} of another kind
     */
    static void write(PortableModel model, Path folder, String name, String program) {
        requireOwn(folder);
        try {
            Files.createDirectories(folder);
        } catch (IOException e) {
            throw new UncheckedIOException("cannot make " + folder + ": " + e, e);
        }
        SafetensorsExport.write(model, folder.resolve(WEIGHTS));
        AtomicFile.write(folder.resolve(name), program);
    }

    // A run's model has the same name; it must not be lost to an export.
    private static void requireOwn(Path folder) {
        Path parent = folder.toAbsolutePath().normalize().getParent();
        boolean inTheWay = Files.exists(folder) && !Files.isDirectory(folder);
        if (inTheWay || parent == null || !Files.isDirectory(parent)) {
            throw new InvalidInput(folder + ": expected the name of a folder, in a folder that is there");
        }
        Path weights = folder.resolve(WEIGHTS);
        if (Files.exists(weights) && !SafetensorsExport.wrote(weights)) {
            throw new InvalidInput(weights + ": is a model, or no export's; expected another folder");
        }
    }
}

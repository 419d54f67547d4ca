package org.effconv.cli;

import java.nio.file.Path;
import java.util.Locale;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.effconv.TrainedModel;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.export.KerasExport;
import org.effconv.export.PytorchExport;
import org.effconv.export.SafetensorsExport;
import org.effconv.onnx.OnnxExport;

/** What {@code effconv export} can write. */
enum ExportFormat {
    ONNX("model.onnx", false, OnnxExport::write),
    SAFETENSORS("weights.safetensors", false, SafetensorsExport::write),
    PYTORCH("pytorch", true, PytorchExport::write),
    KERAS("keras", true, KerasExport::write);

    /** Writes a model. */
    @FunctionalInterface
    interface Export {
        void write(TrainedModel model, Path target);
    }

    /** Its name beside the model, where none is asked for. */
    final String name;

    /** Whether it is a folder. */
    final boolean folder;

    final Export export;

    ExportFormat(String name, boolean folder, Export export) {
        this.name = name;
        this.folder = folder;
        this.export = export;
    }

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** @throws InvalidInput if there is none of this name */
    static ExportFormat of(String name) {
        return Stream.of(values())
                .filter(f -> f.toString().equals(name))
                .findFirst()
                .orElseThrow(() -> new InvalidInput("--format '" + name + "': expected one of "
                        + Stream.of(values()).map(ExportFormat::toString).collect(Collectors.joining(", "))));
    }
}

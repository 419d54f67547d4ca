package org.effconv.cli;

import java.nio.file.Files;
import java.nio.file.Path;
import org.effconv.error.EffconvException.InvalidInput;

/** What a user gives as the name of a file to write. */
final class OutputFile {
    private OutputFile() {}

    /** @throws InvalidInput unless {@code file} could be written: it is no folder, and stands in one that is there */
    static void requireName(Path file) {
        if (Files.isDirectory(file) || !Files.isDirectory(file.toAbsolutePath().getParent())) {
            throw new InvalidInput(file + ": expected the name of a file in a folder that is there");
        }
    }
}

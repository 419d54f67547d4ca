package org.effconv.data;

import java.net.URISyntaxException;
import java.nio.file.FileSystemNotFoundException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.CodeSource;
import java.util.LinkedHashSet;
import java.util.Set;
import org.effconv.error.EffconvException;

/** Where the sample that comes with the project lies: data/fashion-mnist-sample in the project's home. */
final class Sample {
    static final String NAME = "fashion-mnist";
    static final String HOME = "effconv.home";
    private static final String FOLDER = "data/fashion-mnist-sample";

    private Sample() {}

    /**
     * The folder below the system property effconv.home if that is set; otherwise below the working directory, the
     * place of this library's jar, or the nearest parent of either that has it.
     */
    static Path folder() {
        String home = System.getProperty(HOME);
        if (home != null) {
            Path folder = Path.of(home).resolve(FOLDER);
            if (Files.isDirectory(folder)) {
                return folder;
            }
            throw new EffconvException.InvalidInput(folder + ": folder is missing, expected the sample there because -D"
                    + HOME + "=" + home + " is set");
        }
        Set<Path> starts = new LinkedHashSet<>();
        starts.add(Path.of("").toAbsolutePath());
        Path library = library();
        if (library != null) {
            starts.add(library);
        }
        for (Path start : starts) {
            for (Path at = start; at != null; at = at.getParent()) {
                if (Files.isDirectory(at.resolve(FOLDER))) {
                    return at.resolve(FOLDER);
                }
            }
        }
        throw new EffconvException.InvalidInput(
                "data '" + NAME + "': folder " + FOLDER + " was not found in any parent of " + starts
                        + ", expected it in the project's home (-D" + HOME + "=<folder> says where that is)");
    }

    private static Path library() {
        CodeSource source = Sample.class.getProtectionDomain().getCodeSource();
        try {
            return source == null ? null : Path.of(source.getLocation().toURI());
        } catch (URISyntaxException | IllegalArgumentException | FileSystemNotFoundException e) {
            return null; // a class loader without files, such as one of a nested jar: the other places are still
            // searched
        }
    }
}

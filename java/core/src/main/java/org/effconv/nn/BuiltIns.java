package org.effconv.nn;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.JarURLConnection;
import java.net.URI;
import java.net.URL;
import java.net.URLConnection;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.jar.JarFile;
import java.util.stream.Stream;

/**
 * Finds the built-in architectures: every JSON file beside {@link Architecture}, in a jar or in a folder of classes.
 */
final class BuiltIns {
    /** Always there: the architecture of whoever names none. */
    private static final String STANDARD = "cnn6.json";

    private static final String SUFFIX = ".json";

    private BuiltIns() {}

    /** Their names, in alphabetical order. */
    static List<String> names() {
        URL standard = Architecture.class.getResource(STANDARD);
        if (standard == null) {
            throw new IllegalStateException("the library's jar lacks " + STANDARD);
        }
        return beside(standard);
    }

    /**
     * Names of the JSON files in the folder of one of them, without their suffix.
     *
     * @param one where a class loader found it
     */
    static List<String> beside(URL one) {
        try {
            URLConnection connection = one.openConnection();
            return connection instanceof JarURLConnection jar
                    ? inJar(jar)
                    : inFolder(Path.of(URI.create(one.toString())));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static List<String> inJar(JarURLConnection one) throws IOException {
        one.setUseCaches(false); // else closing the jar would close it for the class loader, too
        String entry = one.getEntryName();
        String folder = entry.substring(0, entry.lastIndexOf('/') + 1);
        try (JarFile jar = one.getJarFile()) {
            return names(jar.stream()
                    .map(e -> e.getName())
                    .filter(name -> name.startsWith(folder))
                    .map(name -> name.substring(folder.length())));
        }
    }

    private static List<String> inFolder(Path one) throws IOException {
        try (Stream<Path> files = Files.list(one.getParent())) {
            return names(files.map(f -> f.getFileName().toString()));
        }
    }

    private static List<String> names(Stream<String> files) {
        return files.filter(f -> f.endsWith(SUFFIX) && f.indexOf('/') < 0)
                .map(f -> f.substring(0, f.length() - SUFFIX.length()))
                .sorted()
                .toList();
    }
}

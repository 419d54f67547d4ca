package org.effconv.nn;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.jar.JarOutputStream;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A file is all that a built-in architecture needs to be found. */
class BuiltInsTest {
    private static final List<String> RESOURCES = List.of(
            "org/effconv/nn/small.json",
            "org/effconv/nn/large.json",
            "org/effconv/nn/Network.class",
            "org/effconv/nn/deeper/other.json",
            "org/effconv/elsewhere.json");

    @Test
    void everyFileOfTheSourcesIsFound() throws IOException {
        try (Stream<Path> files = Files.list(Path.of("src/main/resources/org/effconv/nn"))) {
            assertEquals(
                    files.map(f -> f.getFileName().toString().replace(".json", ""))
                            .sorted()
                            .toList(),
                    Architecture.builtIns());
        }
    }

    @Test
    void aFolderOfClassesIsSearched(@TempDir Path dir) throws IOException {
        Path classes = dir.resolve("the classes + more"); // characters that addresses write in their own way
        for (String resource : RESOURCES) {
            Files.createDirectories(classes.resolve(resource).getParent());
            Files.createFile(classes.resolve(resource));
        }
        assertEquals(
                List.of("large", "small"),
                BuiltIns.beside(classes.resolve(RESOURCES.get(0)).toUri().toURL()));
    }

    @Test
    void aJarIsSearchedWithoutEntriesForItsFolders(@TempDir Path dir) throws IOException {
        Path file = dir.resolve("the library.jar");
        try (JarOutputStream jar = new JarOutputStream(Files.newOutputStream(file))) {
            for (String resource : RESOURCES) {
                jar.putNextEntry(new ZipEntry(resource));
                jar.closeEntry();
            }
        }
        assertEquals(
                List.of("large", "small"),
                BuiltIns.beside(URI.create("jar:" + file.toUri() + "!/" + RESOURCES.get(0))
                        .toURL()));
    }
}

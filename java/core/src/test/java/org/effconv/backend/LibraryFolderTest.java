package org.effconv.backend;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LibraryFolderTest {
    private static final String ROOT = "21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw";

    @TempDir
    Path given;

    private Path folder;

    @BeforeEach
    void withoutLinks() throws IOException {
        folder = given.toRealPath();
    }

    private String problem(Path at, long bytes, String... mounts) throws IOException {
        return LibraryFolder.problem(at, bytes, List.of(mounts)).orElse("");
    }

    private String mount(Path point, String options, String ofSystem) {
        return "36 21 0:35 / " + point.toString().replace(" ", "\\040") + " " + options + " shared:9 - tmpfs none "
                + ofSystem;
    }

    @Test
    void aFolderThatCanBeUsedHasNone() throws IOException {
        assertEquals("", problem(folder.resolve("new/one"), 1, ROOT, mount(folder, "rw,nosuid", "rw,size=4k")));
        assertEquals("", problem(folder, 0));
        assertEquals(Optional.empty(), LibraryFolder.problem(folder, 0).filter(p -> !p.contains("noexec")));
    }

    @Test
    void noexecAndReadOnlyAreToldWithTheirMount() throws IOException {
        Path point = Files.createDirectory(folder.resolve("a b"));
        String noexec = mount(point, "rw,noexec", "rw");
        assertEquals(
                point.resolve("c") + ", on the file system at " + point
                        + " (tmpfs), which is mounted noexec, so that no library can be loaded from it",
                problem(point.resolve("c"), 0, ROOT, noexec));
        assertTrue(problem(point, 0, ROOT, mount(point, "rw", "ro")).endsWith("mounted read only (ro)"));
        assertTrue(problem(point, 0, ROOT, mount(point, "ro", "rw")).endsWith("mounted read only (ro)"));
        assertEquals("", problem(folder, 0, ROOT, noexec), "another mount");
        assertEquals("", problem(point, 0, ROOT, noexec, mount(point, "rw", "rw")), "covered by a later mount");
        assertEquals("", problem(point, 0, noexec.replace("\\040b", "\\040bc")), "a name that begins alike");
    }

    @Test
    void aFileAndAFullDiskAndMissingPermissionAreTold() throws IOException {
        Path file = Files.createFile(folder.resolve("file"));
        assertEquals(file + " is no folder", problem(file, 0));
        assertEquals(
                file.resolve("x") + " cannot be created: " + file + " is no folder", problem(file.resolve("x"), 0));
        assertTrue(
                problem(folder, Long.MAX_VALUE, ROOT).contains("on the file system at /, which has no space: "),
                "no disk holds that");
        assumeFalse(System.getProperty("user.name").equals("root"), "root may write everywhere");
        assertTrue(problem(Path.of("/"), 0).contains("has no permission to write in /"));
    }

    @Test
    void whoElseMayWriteIsTold() throws IOException {
        Path own = Files.createDirectory(folder.resolve("own"));
        Path parent = Files.createDirectory(folder.resolve("parent"));
        Path child = Files.createDirectory(parent.resolve("child"));
        assertEquals(Optional.empty(), LibraryFolder.othersMayWrite(own));
        assertEquals(Optional.empty(), LibraryFolder.othersMayWrite(own.resolve("not/yet")));
        for (Path open : List.of(own, parent)) {
            Files.setPosixFilePermissions(open, PosixFilePermissions.fromString("rwxrwxrwx"));
        }
        for (Path asked : List.of(own, child, own.resolve("new"))) {
            String problem = LibraryFolder.othersMayWrite(asked).orElse("");
            assertTrue(problem.contains("may be written by every user"), asked + ": " + problem);
        }
        Files.setAttribute(parent, "unix:mode", 01777); // as the common temporary folder is
        assertEquals(Optional.empty(), LibraryFolder.othersMayWrite(child));
        assertTrue(LibraryFolder.othersMayWrite(parent).isPresent());
        assumeTrue(System.getProperty("user.name").equals("root"), "only root gives files away");
        Files.setAttribute(child, "unix:uid", 12345);
        String problem = LibraryFolder.othersMayWrite(child).orElse("");
        assertTrue(problem.startsWith(child + " belongs to another user, 12345"), problem);
    }
}

package org.effconv.backend.bridge;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.stream.Stream;
import org.bytedeco.javacpp.Loader;
import org.effconv.error.EffconvException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Libraries in a jar are unpacked where no other user can have written, once for each content. */
class NativeFolderTest {
    @TempDir
    Path folder;

    @Test
    void aFileIsWrittenOnceForThisUserAlone() throws IOException {
        Path own = folder.resolve("effconv/1.0-hash");
        byte[] content = {1, 2, 3};
        Path file = NativeFolder.unpack(own, "libx.so", content);
        assertArrayEquals(content, Files.readAllBytes(file));
        for (Path made : List.of(own, own.getParent())) {
            assertEquals("rwx------", PosixFilePermissions.toString(Files.getPosixFilePermissions(made)));
        }
        Object first = Files.readAttributes(file, "unix:ino").get("ino");
        NativeFolder.unpack(own, "libx.so", content);
        assertEquals(first, Files.readAttributes(file, "unix:ino").get("ino"), "written twice");
        Files.write(file, new byte[] {1, 2, 4}); // a file that was damaged in its place
        assertArrayEquals(content, Files.readAllBytes(NativeFolder.unpack(own, "libx.so", content)));
        try (Stream<Path> left = Files.list(own)) {
            assertEquals(List.of(file), left.toList());
        }
    }

    @Test
    void aFolderThatAnybodyMayWriteToIsRefused() throws IOException {
        Path shared = Files.createDirectory(folder.resolve("shared"));
        Files.setPosixFilePermissions(shared, PosixFilePermissions.fromString("rwxrwxrwx"));
        String message = assertThrows(IOException.class, () -> NativeFolder.unpack(shared, "libx.so", new byte[1]))
                .getMessage();
        assertTrue(message.contains(shared + " may be written by every user"), message);
        assertEquals(0, shared.toFile().list().length);
    }

    @Test
    void processesThatUnpackAtOnceAllLoad() throws Exception {
        Path jar = jar(folder.resolve("natives.jar"), (byte) 0);
        List<Process> processes = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            processes.add(child(jar, "-Dorg.bytedeco.javacpp.cachedir=" + folder.resolve("cache")));
        }
        for (Process process : processes) {
            assertEquals("loaded", output(process));
        }
        try (Stream<Path> versions = Files.list(folder.resolve("cache/effconv"))) {
            Path only = versions.reduce((a, b) -> fail(a + " and " + b)).orElseThrow();
            assertTrue(only.getFileName().toString().startsWith(NativeLoader.jarVersion() + "-"), only.toString());
            assertEquals(2, only.toFile().list().length);
        }
    }

    @Test
    void anotherContentOfTheSameSizeAndTimeGoesIntoAnotherFolder() throws Exception {
        for (byte last : new byte[] {0, 1}) {
            Path jar = jar(folder.resolve("natives.jar"), last);
            assertEquals("loaded", output(child(jar, "-Dorg.bytedeco.javacpp.cachedir=" + folder.resolve("cache"))));
        }
        assertEquals(2, folder.resolve("cache/effconv").toFile().list().length);
    }

    @Test
    void aCommonTemporaryFolderOfSomebodyElseIsNotUsed() throws Exception {
        Path temporary = Files.createDirectory(folder.resolve("tmp"));
        Path planted =
                Files.createDirectories(temporary.resolve(".javacpp-" + System.getProperty("user.name") + "/cache"));
        Files.setPosixFilePermissions(planted, PosixFilePermissions.fromString("rwxrwxrwx"));
        Path file = Files.createFile(folder.resolve("file"));
        String output = output(child(
                jar(folder.resolve("natives.jar"), (byte) 0), "-Duser.home=" + file, "-Djava.io.tmpdir=" + temporary));
        assertTrue(output.contains(file + "/.javacpp/cache cannot be created"), output);
        assertTrue(output.contains(planted + " may be written by every user"), output);
        assertTrue(output.contains("-Dorg.bytedeco.javacpp.cachedir=DIR"), output);
        assertEquals(0, planted.toFile().list().length);
    }

    @Test
    void anotherSystemIsNamedInOneSentence() {
        String message = assertThrows(
                        EffconvException.MissingNative.class, () -> NativeLoader.requireLinux("Mac OS X", "aarch64"))
                .getMessage();
        assertEquals(
                "EffConv's native libraries are built for Linux on x86-64 only, and this is Mac OS X on aarch64: "
                        + "run it in a Linux container or virtual machine",
                message);
        NativeLoader.requireLinux("Linux", "amd64");
    }

    // The libraries with a byte more at the end, which the system's loader does not look at.
    private static Path jar(Path jar, byte last) throws IOException {
        try (JarOutputStream out = new JarOutputStream(Files.newOutputStream(jar))) {
            for (String library : List.of("effconv", NativeFolder.BRIDGE)) {
                String name = NativeFolder.resource(Loader.getPlatform(), library);
                JarEntry entry = new JarEntry(name);
                entry.setTime(1_000_000_000_000L);
                out.putNextEntry(entry);
                try (InputStream in = NativeFolderTest.class.getClassLoader().getResourceAsStream(name)) {
                    in.transferTo(out);
                }
                out.write(last);
            }
        }
        return jar;
    }

    private static Process child(Path jar, String... options) throws IOException {
        List<String> command = new ArrayList<>(
                List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString()));
        command.addAll(List.of(options));
        command.addAll(
                List.of("-cp", jar + ":" + System.getProperty("java.class.path"), NativeFolderTest.class.getName()));
        return new ProcessBuilder(command).redirectErrorStream(true).start();
    }

    private static String output(Process process) throws IOException, InterruptedException {
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(0, process.waitFor(), output);
        return output.strip();
    }

    /** The child. */
    public static void main(String[] arguments) {
        try {
            NativeLoader.load();
            System.out.println("loaded");
        } catch (EffconvException.MissingNative e) {
            System.out.println(e.getMessage());
        }
    }
}

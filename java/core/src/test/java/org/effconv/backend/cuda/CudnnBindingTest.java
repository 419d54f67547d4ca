package org.effconv.backend.cuda;

import static org.junit.jupiter.api.Assertions.*;

import java.io.File;
import java.io.IOException;
import java.lang.reflect.Method;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.jar.JarFile;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** cuDNN's Java half, of which this build has the classes and not the natives. */
class CudnnBindingTest {
    private static final Path CLASSES = Path.of("target/classes");

    /** The project's classes and its libraries, without one jar. */
    private static URLClassLoader without(String part) throws IOException {
        List<URL> urls = new ArrayList<>();
        for (String entry : System.getProperty("java.class.path").split(File.pathSeparator)) {
            if (!entry.contains(part)) {
                urls.add(Path.of(entry).toUri().toURL());
            }
        }
        return new URLClassLoader(urls.toArray(URL[]::new), ClassLoader.getPlatformClassLoader());
    }

    private static String presetJar() throws ReflectiveOperationException {
        return Path.of(Class.forName("org.bytedeco.cuda.presets.cudnn")
                        .getProtectionDomain()
                        .getCodeSource()
                        .getLocation()
                        .getPath())
                .getFileName()
                .toString();
    }

    @Test
    void withoutTheJarItIsSaidAndNothingElseFails() throws IOException, ReflectiveOperationException {
        try (URLClassLoader loader = without(presetJar());
                Stream<Path> files = Files.walk(CLASSES.resolve("org/effconv/backend/cuda"))) {
            for (Path file : files.filter(f -> f.toString().endsWith(".class")).toList()) {
                String name = CLASSES.relativize(file)
                        .toString()
                        .replace(".class", "")
                        .replace('/', '.');
                if (!name.matches("org\\.effconv\\.backend\\.cuda\\.(Cudnn|Cublas)Library.*")) {
                    Class<?> loaded = Class.forName(name, true, loader); // verified and initialised
                    assertSame(loader, loaded.getClassLoader());
                    Method[] resolved = loaded.getDeclaredMethods();
                    assertNotNull(resolved);
                }
            }
            var failure = Class.forName("org.effconv.backend.cuda.CudnnBinding", true, loader)
                    .getDeclaredMethod("failure");
            failure.setAccessible(true);
            for (int i = 0; i < 2; i++) {
                String said = ((Optional<?>) failure.invoke(null)).orElseThrow().toString();
                assertTrue(
                        said.matches("no class org\\.bytedeco\\.cuda\\.[a-z]+\\.[A-Za-z_]+ on the class path"), said);
            }
        }
    }

    @Test
    void withoutTheNativesTheFirstReasonIsKept() {
        String first = CudnnBinding.failure().orElseThrow();
        assertFalse(first.contains("initialize"), first);
        assertTrue(first.contains("jnicudart") || first.contains("jnicublas") || first.contains("jnicudnn"), first);
        assertEquals(first, CudnnBinding.failure().orElseThrow());
    }

    @Test
    void anotherMajorVersionIsRefusedWithBoth() {
        assertEquals(Optional.empty(), CudnnBinding.wrongMajor(91900));
        assertEquals(Optional.empty(), CudnnBinding.wrongMajor(90000));
        assertEquals(
                "the cuDNN that was loaded is 8.9.7, and org.bytedeco:cuda:13.1-9.19-1.5.13 needs cuDNN 9",
                CudnnBinding.wrongMajor(8907).orElseThrow());
        assertTrue(CudnnBinding.wrongMajor(100203).orElseThrow().contains("is 10.2.3,"));
        assertEquals("9.19.1", CudnnBinding.text(91901));
    }

    @Test
    void thePresetNamedInMessagesIsTheOneCompiledWith() throws IOException {
        URL location = org.bytedeco
                .cuda
                .presets
                .cudnn
                .class
                .getProtectionDomain()
                .getCodeSource()
                .getLocation();
        try (JarFile jar = new JarFile(location.getPath())) {
            assertEquals(
                    CudnnBinding.PRESET, jar.getManifest().getMainAttributes().getValue("Implementation-Version"));
        }
    }
}

package org.effconv.endtoend;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the launcher gives to java, which is a script here that tells it, and what it says where that cannot work. */
class LauncherTest {
    @TempDir
    Path folder;

    private Path tree;
    private Path jdk;

    @BeforeEach
    void aTreeThatWasBuiltElsewhere() throws IOException {
        tree = folder.toRealPath().resolve("a tree");
        jdk = jdk("17.0.15");
        for (String jar : List.of("cli/target/effconv-cli.jar", "core/target/effconv-core-1.jar")) {
            Path file = tree.resolve("java").resolve(jar);
            Files.createDirectories(file.getParent());
            Files.createFile(file);
        }
        Files.createFile(folder.resolve("library.jar"));
        classPath(folder.resolve("library.jar"));
        Path launcher = tree.resolve("effconv");
        Files.copy(Path.of(System.getProperty("effconv.home"), "effconv"), launcher);
        assertTrue(launcher.toFile().setExecutable(true));
        Path shared = tree.resolve("java/cli/src/main/launcher/launch.sh");
        Files.createDirectories(shared.getParent());
        Files.copy(Path.of(System.getProperty("effconv.home"), "java/cli/src/main/launcher/launch.sh"), shared);
    }

    private void classPath(Path library) throws IOException {
        Files.writeString(
                tree.resolve("java/cli/target/classpath.txt"),
                "/elsewhere/java/core/target/effconv-core-1.jar:" + library);
    }

    private Path jdk(String version) throws IOException {
        Path java = folder.resolve("jdk-" + version + "/bin/java");
        Files.createDirectories(java.getParent());
        Files.writeString(java, "#!/bin/sh\necho LC_ALL=$LC_ALL\nprintf '%s\\n' \"$@\"\n");
        Files.writeString(java.resolveSibling("../release"), "JAVA_VERSION=\"" + version + "\"\n");
        assertTrue(java.toFile().setExecutable(true));
        return java.getParent().getParent();
    }

    private record Run(int code, String out, String err) {}

    private Run run(Map<String, String> more, String... arguments) throws IOException, InterruptedException {
        ProcessBuilder builder = new ProcessBuilder(tree.resolve("effconv").toString());
        builder.command().addAll(arguments.length > 0 ? List.of(arguments) : List.of("learn", "two words"));
        builder.environment().remove("LC_ALL");
        Map<String, String> environment =
                new HashMap<>(Map.of("EFFCONV_NO_BUILD", "1", "JAVA_HOME", jdk.toString(), "LANG", "C.UTF-8"));
        environment.putAll(more);
        builder.environment().putAll(environment);
        Path err = folder.resolve("err.txt");
        Process process = builder.redirectError(err.toFile()).start();
        String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        return new Run(process.waitFor(), out, Files.readString(err));
    }

    private void isRefused(Map<String, String> environment, String... parts) throws IOException, InterruptedException {
        Run run = run(environment);
        assertEquals(1, run.code(), run.out());
        assertTrue(run.err().startsWith("effconv: ") && run.err().lines().count() == 1, run.err());
        for (String part : parts) {
            assertTrue(run.err().contains(part), "'" + part + "' is not in: " + run.err());
        }
    }

    @Test
    void aCopyRunsItsOwnJarsAndJavaIsThatOfJavaHome() throws IOException, InterruptedException {
        Run run = run(Map.of("EFFCONV_JAVA_OPTS", "-Xmx1g -Da=b"));
        assertEquals(0, run.code(), run.err());
        List<String> given = run.out().lines().toList();
        assertTrue(
                given.contains(tree + "/java/cli/target/effconv-cli.jar:" + tree
                        + "/java/core/target/effconv-core-1.jar:" + folder + "/library.jar"),
                run.out());
        assertTrue(given.containsAll(List.of("LC_ALL=", "-Deffconv.home=" + tree, "-Xmx1g", "-Da=b")), run.out());
        assertEquals(
                List.of("org.effconv.cli.Effconv", "learn", "two words"),
                given.subList(given.size() - 3, given.size()));
    }

    @Test
    void anAsciiLocaleIsReplacedForJavaWouldLoseLetters() throws IOException, InterruptedException {
        for (Map<String, String> locale :
                List.of(Map.of("LC_ALL", "C"), Map.of("LC_ALL", "POSIX"), Map.of("LANG", "C"))) {
            assertTrue(run(locale).out().contains("LC_ALL=C.UTF-8\n"), locale.toString());
        }
    }

    @Test
    void aJavaThatCannotServeIsRefused() throws IOException, InterruptedException {
        isRefused(Map.of("JAVA_HOME", folder.toString()), "JAVA_HOME is '" + folder + "'", "no bin/java", "unset it");
        isRefused(Map.of("JAVA_HOME", jdk("11.0.2").toString()), "/bin/java is Java 11.0.2", "expected 17 or newer");
        isRefused(Map.of("JAVA_HOME", jdk("1.8.0_292").toString()), "/bin/java is Java 1.8.0_292");
        assertEquals(0, run(Map.of("JAVA_HOME", jdk("25").toString())).code());
    }

    @Test
    void whatIsMissingOrCannotBeWrittenIsNamed() throws IOException, InterruptedException {
        classPath(folder.resolve("gone.jar"));
        isRefused(Map.of(), "EFFCONV_NO_BUILD", folder + "/gone.jar is missing");
        Files.createFile(tree.resolve("build")); // no folder can be made there, not even by root
        isRefused(
                Map.of("EFFCONV_NO_BUILD", ""),
                "it was not built yet",
                "cannot write " + tree + "/build/launcher",
                " as ");
    }

    @Test
    void aNameThatAClassPathCannotHoldIsRefused() throws IOException, InterruptedException {
        tree = Files.move(tree, tree.resolveSibling("a:tree"));
        isRefused(Map.of(), "a:tree", "rename");
        assertFalse(Files.exists(tree.resolve("build")));
    }

    @Test
    void aTextAloneIsNotWorthTheSecondCompiler() throws IOException, InterruptedException {
        String one = "-XX:TieredStopAtLevel=1\n";
        for (List<String> quick :
                List.of(List.of("--help"), List.of("info"), List.of("learn", "--help"), List.of("help", "learn"))) {
            assertTrue(run(Map.of(), quick.toArray(String[]::new)).out().contains(one), quick.toString());
        }
        assertFalse(run(Map.of(), "learn", "--arch", "info").out().contains(one));
    }

    @Test
    void anotherSystemIsNamedInOneSentence() throws IOException, InterruptedException {
        Path uname = folder.resolve("bin/uname");
        Files.createDirectory(uname.getParent());
        Files.writeString(uname, "#!/bin/sh\n[ $1 = -s ] && echo Darwin || echo Darwin arm64\n");
        assertTrue(uname.toFile().setExecutable(true));
        isRefused(
                Map.of("PATH", uname.getParent() + ":" + System.getenv("PATH")),
                "native libraries are built for Linux on x86-64 only, and this is Darwin arm64");
    }
}

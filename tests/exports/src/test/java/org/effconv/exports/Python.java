package org.effconv.exports;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.effconv.data.Images;

/**
 * An interpreter that has the library that a test needs: python3 of the path, else the system's, which may have
 * packages that another lacks.
 */
final class Python {
    private static final List<String> INTERPRETERS = List.of("python3", "/usr/bin/python3");
    private static final Map<String, Optional<Python>> FOUND = new HashMap<>();

    private final String interpreter;
    private final Map<String, String> environment;

    private Python(String interpreter, Map<String, String> environment) {
        this.interpreter = interpreter;
        this.environment = environment;
    }

    /** The standard library alone. */
    static Python plain() {
        return with("json", List.of(Map.of()), "python3 is missing");
    }

    static Python withTorch() {
        return with(
                "torch", List.of(Map.of()), "no python3 with PyTorch: on Debian, .ci/debian-packages.sh python3-torch");
    }

    /** With what Keras is told to compute with, or what there is. */
    static Python withKeras() {
        List<Map<String, String>> backends = new ArrayList<>(List.of(Map.of()));
        if (System.getenv("KERAS_BACKEND") == null) {
            List.of("jax", "torch").forEach(b -> backends.add(Map.of("KERAS_BACKEND", b)));
        }
        return with("keras", backends, "no python3 with Keras 3: python3 -m venv, pip install keras jax");
    }

    private static Python with(String module, List<Map<String, String>> environments, String reason) {
        Optional<Python> found = FOUND.computeIfAbsent(module, m -> find(m, environments));
        assumeTrue(found.isPresent(), reason);
        return found.orElseThrow();
    }

    private static Optional<Python> find(String module, List<Map<String, String>> environments) {
        return INTERPRETERS.stream()
                .flatMap(i -> environments.stream().map(e -> new Python(i, e)))
                .filter(p -> p.runs(List.of("-c", "import " + module)))
                .findFirst();
    }

    private boolean runs(List<String> arguments) {
        try {
            Process process = start(arguments);
            process.getInputStream().readAllBytes();
            return process.waitFor() == 0;
        } catch (IOException e) {
            return false; // there is no such interpreter
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    private Process start(List<String> arguments) throws IOException {
        List<String> command = new ArrayList<>(List.of(interpreter));
        command.addAll(arguments);
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment().putAll(environment);
        builder.environment().put("PYTHONDONTWRITEBYTECODE", "1");
        return builder.start();
    }

    /** Runs a script of the tests' resources; what it printed. */
    String run(String script, List<String> arguments) {
        try {
            Path file = Path.of(Python.class.getResource(script).toURI());
            List<String> all = new ArrayList<>(List.of(file.toString()));
            all.addAll(arguments);
            Process process = start(all);
            String printed = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            assertEquals(0, process.waitFor(), printed);
            return printed;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException | java.net.URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }

    /**
     * What the programs of all folders say of the same images.
     *
     * @param program name of the file in each folder
     * @return one image after the other, by folder
     */
    Map<Path, float[]> logits(String program, List<Path> folders, Images images) {
        try {
            Map<Path, float[]> logits = new HashMap<>();
            List<String> arguments = new ArrayList<>(List.of(
                    program,
                    Integer.toString(images.channels()),
                    Integer.toString(images.height()),
                    Integer.toString(images.width())));
            for (Path folder : folders) {
                Files.write(folder.resolve("pixels"), Pixels.bytes(Pixels.of(images)));
                arguments.add(folder.toString());
            }
            run("logits.py", arguments);
            for (Path folder : folders) {
                logits.put(folder, Pixels.floats(Files.readAllBytes(folder.resolve("logits"))));
            }
            return logits;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}

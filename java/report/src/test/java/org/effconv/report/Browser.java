package org.effconv.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.awt.image.BufferedImage;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import javax.imageio.ImageIO;

/** A Chromium without a window, if the machine has one. */
final class Browser {
    private static final List<String> NAMES = List.of("chromium", "chromium-browser", "google-chrome");

    private final String program;
    private final Path folder;

    private Browser(String program, Path folder) {
        this.program = program;
        this.folder = folder;
    }

    /** @param folder for what it writes; without a browser on PATH the test is skipped */
    static Browser find(Path folder) {
        Optional<String> found = NAMES.stream()
                .flatMap(name -> Stream.of(
                                System.getenv().getOrDefault("PATH", "").split(File.pathSeparator))
                        .map(place -> Path.of(place, name)))
                .filter(Files::isExecutable)
                .map(Path::toString)
                .findFirst();
        assumeTrue(found.isPresent(), "no browser on PATH: expected one of " + NAMES);
        return new Browser(found.get(), folder);
    }

    /** The document once it is loaded and its scripts have run. */
    String dom(Path page) throws IOException, InterruptedException {
        Path out = folder.resolve("dom.html");
        run(out, List.of("--window-size=1280,900", "--virtual-time-budget=3000", "--dump-dom"), page);
        return Files.readString(out);
    }

    /** @param height of the picture, in pixels */
    BufferedImage screenshot(Path page, int width, int height, boolean dark) throws IOException, InterruptedException {
        Path png = folder.resolve("shot.png");
        List<String> options = new ArrayList<>(
                List.of("--window-size=" + width + "," + height, "--virtual-time-budget=3000", "--screenshot=" + png));
        if (dark) {
            options.add("--blink-settings=preferredColorScheme=0");
        }
        run(folder.resolve("shot.txt"), options, page);
        return ImageIO.read(png.toFile());
    }

    private void run(Path out, List<String> options, Path page) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of(
                program,
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--hide-scrollbars",
                "--user-data-dir=" + folder.resolve("profile")));
        command.addAll(options);
        command.add(page.toUri().toString());
        Process process = new ProcessBuilder(command)
                .redirectOutput(out.toFile())
                .redirectError(folder.resolve("browser.txt").toFile())
                .start();
        try {
            assertTrue(process.waitFor(3, TimeUnit.MINUTES), "still running: " + command);
        } finally {
            process.descendants().forEach(ProcessHandle::destroyForcibly);
            process.destroyForcibly();
        }
        assertEquals(0, process.exitValue(), Files.readString(folder.resolve("browser.txt")));
    }
}

package org.effconv.report;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import javax.imageio.ImageIO;
import org.effconv.Device;
import org.effconv.Learning;
import org.effconv.LearningResult;
import org.effconv.Settings;
import org.effconv.SystemInfo;
import org.effconv.data.Dataset;
import org.effconv.data.Datasets;
import org.effconv.io.Json;

/** A small run on images in folders, whose names are what a page must not take for its own. */
final class RunFixture {
    static final String HOSTILE = "<script>alert('x')<script>";
    static final List<String> CLASSES =
            List.of(HOSTILE, "\"><img src=x onerror=alert(1)>", "a&b", "plain", "{{x}} ${y} @if", "zebra");
    private static final int SIDE = 12;

    private RunFixture() {}

    /** @return the run's folder; its data stand beside it, in a folder of a hostile name */
    static Path learn(Path folder) throws IOException {
        Path data = folder.resolve("data " + HOSTILE);
        images(data.resolve("train"), 12, 1);
        images(data.resolve("test"), 6, 2);
        Path run = folder.resolve("run");
        Dataset images = Datasets.open(data.toString());
        try (Device device = Device.open(Settings.standard()
                        .with(Settings.DEVICE, "cpu")
                        .with(Settings.THREADS, 1)
                        .with(Settings.PRECISION, "fp32"));
                LearningResult result = Learning.of("planted3")
                        .set(Settings.DATA, data.toString())
                        .set(Settings.DEVICE, "cpu")
                        .set(Settings.THREADS, 1)
                        .set(Settings.PRECISION, "fp32")
                        .set(Settings.SEARCH_EPOCHS, 8)
                        .budget("as-good-as:k5")
                        .epochs(3)
                        .batch(8)
                        .out(run)
                        .run(device, images)) {
            ObjectNode summary = result.toJson();
            summary.set("environment", SystemInfo.environment(device));
            Files.writeString(run.resolve("summary.json"), Json.pretty(summary));
        }
        return run;
    }

    private static void images(Path part, int each, long seed) throws IOException {
        Random random = new Random(seed);
        for (int c = 0; c < CLASSES.size(); c++) {
            Path folder = Files.createDirectories(part.resolve(CLASSES.get(c)));
            for (int i = 0; i < each; i++) {
                BufferedImage image = new BufferedImage(SIDE, SIDE, BufferedImage.TYPE_INT_RGB);
                for (int p = 0; p < SIDE * SIDE; p++) {
                    image.setRGB(p % SIDE, p / SIDE, random.nextInt(1 << 24) & 0x7f7f7f | 0x800000 >> 4 * c);
                }
                ImageIO.write(image, "png", folder.resolve(i + ".png").toFile());
            }
        }
    }
}

package org.effconv.data;

import static org.effconv.data.TestFiles.idxFolder;
import static org.effconv.data.TestFiles.image;
import static org.effconv.data.TestFiles.write;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.awt.image.BufferedImage;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DatasetReportTest {
    @TempDir
    Path folder;

    private Path grey(String file, int height, int width, int value) {
        write(folder.resolve(file), image("png", BufferedImage.TYPE_BYTE_GRAY, height, width, value));
        return folder.resolve(file);
    }

    @Test
    void damagedImagesAreNamedAndTheOthersCounted() {
        grey("train/cat/1.png", 2, 3, 100);
        grey("train/cat/2.png", 2, 3, 200);
        Path cut = folder.resolve("train/cat/3.png");
        byte[] whole = image("png", BufferedImage.TYPE_BYTE_GRAY, 2, 3, 5);
        write(cut, Arrays.copyOf(whole, whole.length - 5));
        Path text = folder.resolve("train/dog/1.jpg");
        write(text, new byte[] {'h', 'i'});
        grey("train/dog/2.png", 4, 4, 0);
        grey("test/cat/1.png", 2, 3, 0);
        grey("test/dog/1.png", 2, 3, 0);
        DatasetReport report = Datasets.inspect(folder.toString(), ReadOptions.standard());
        assertEquals("class folders of images", report.format());
        assertEquals(List.of("cat", "dog"), report.classNames());
        assertEquals(
                List.of("train", "test"),
                report.parts().stream().map(DatasetReport.Part::name).toList());
        DatasetReport.Part train = report.parts().get(0);
        assertEquals(List.of(2, 1), train.counts());
        assertEquals(
                List.of(Map.entry("2x3", 2), Map.entry("4x4", 1)),
                List.copyOf(train.sizes().entrySet()));
        assertEquals(2, train.damaged().size());
        assertTrue(
                train.damaged().get(0).startsWith(cut + ": is truncated"),
                train.damaged().toString());
        assertTrue(
                train.damaged().get(1).startsWith(text + ": is neither a PNG nor a JPEG"),
                train.damaged().toString());
        assertEquals(2, report.damaged());
        double mean = (6 * 100 + 6 * 200) / 28.0;
        double squares = (6 * 100 * 100 + 6 * 200 * 200) / 28.0;
        assertArrayEquals(new double[] {mean / 255}, report.statistics().mean(), 1e-12);
        assertArrayEquals(
                new double[] {Math.sqrt(squares - mean * mean) / 255},
                report.statistics().deviation(),
                1e-12);
    }

    @Test
    void formsOfOneFileAreToldAlike() {
        DatasetReport report = Datasets.inspect(idxFolder(folder).toString(), ReadOptions.standard());
        assertEquals("IDX files", report.format());
        assertEquals(List.of(2, 2), report.parts().get(0).counts());
        assertEquals(Map.of("2x3", 2), report.parts().get(1).sizes());
        assertEquals(
                Datasets.open(folder.toString()).mean()[0], report.statistics().mean()[0], 1e-7);
        assertEquals(0, report.damaged());
    }
}

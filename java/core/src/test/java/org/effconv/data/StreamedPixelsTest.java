package org.effconv.data;

import static org.effconv.data.TestFiles.image;
import static org.effconv.data.TestFiles.write;
import static org.effconv.data.TestFiles.zip;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.effconv.error.EffconvException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Images that memory has no room for are the same ones. */
class StreamedPixelsTest {
    private static final int COUNT = 30;
    private static final int EACH = 3 * 6 * 7;

    @TempDir
    Path folder;

    private Map<String, byte[]> entries(int colour) {
        Map<String, byte[]> entries = new LinkedHashMap<>();
        for (int i = 0; i < COUNT; i++) {
            int type = i == colour ? BufferedImage.TYPE_INT_RGB : BufferedImage.TYPE_BYTE_GRAY;
            entries.put(
                    (i % 2 == 0 ? "a/" : "b/") + (10 + i) + ".png",
                    image("png", type, 6, 7, i == colour ? 0xff010203 : 3 * i));
        }
        return entries;
    }

    private Dataset zips(int colour, long memory) {
        write(folder.resolve("train.zip"), zip(entries(colour)));
        write(folder.resolve("test.zip"), zip(entries(-1)));
        return open(memory);
    }

    private Dataset open(long memory) {
        return Datasets.open(folder.toString(), ReadOptions.standard().memory(memory));
    }

    private static List<byte[]> epoch(Images images) {
        List<byte[]> batches = new ArrayList<>();
        try (DataLoader loader = DataLoader.training(images, 6, Augmentation.none(), 3)) {
            for (Batch batch : loader.epoch(2)) {
                byte[] bytes = new byte[batch.size() * images.imageBytes()];
                batch.pixels().get(0, bytes);
                batches.add(bytes);
            }
        }
        return batches;
    }

    @ParameterizedTest
    @ValueSource(longs = {0, EACH, 5 * EACH + 1, (COUNT + 3) * EACH, 2 * COUNT * EACH - 1})
    void holdsTheSamePixels(long memory) {
        for (int colour : new int[] {-1, 0, COUNT - 1}) {
            Dataset whole = zips(colour, Long.MAX_VALUE);
            Dataset streamed = open(memory);
            assertEquals(whole.channels(), streamed.channels());
            assertArrayEquals(whole.mean(), streamed.mean());
            assertArrayEquals(whole.std(), streamed.std());
            assertTrue(streamed.train().heapBytes() + streamed.test().heapBytes() <= memory);
            for (int i = 0; i < COUNT; i++) {
                assertEquals(whole.train().checksum(i), streamed.train().checksum(i));
                assertEquals(
                        whole.test().colour().checksum(i),
                        streamed.test().colour().checksum(i));
                assertEquals(whole.test().pixel(i, 3, 4, 0), streamed.test().pixel(i, 3, 4, 0));
            }
            List<byte[]> expected = epoch(whole.withValidation(0.2, 1).train());
            List<byte[]> found = epoch(streamed.withValidation(0.2, 1).train());
            assertEquals(expected.size(), found.size());
            for (int b = 0; b < expected.size(); b++) {
                assertArrayEquals(expected.get(b), found.get(b));
            }
        }
    }

    @Test
    void aChangedFileIsNoticed() {
        entries(-1).forEach((name, bytes) -> {
            write(folder.resolve("train").resolve(name), bytes);
            write(folder.resolve("test").resolve(name), bytes);
        });
        Dataset data = open(0);
        Path changed = folder.resolve("train/a/12.png");
        write(changed, image("png", BufferedImage.TYPE_BYTE_GRAY, 6, 7, 200));
        EffconvException failure = assertThrows(EffconvException.class, () -> epoch(data.train()));
        assertTrue(
                failure.getMessage().contains(changed + ": has changed since the dataset was opened"),
                failure.getMessage());
        TestFiles.delete(changed);
        failure = assertThrows(EffconvException.class, () -> epoch(data.train()));
        assertTrue(failure.getMessage().contains(changed + ": cannot be read"), failure.getMessage());
    }

    @Test
    void aChangedZipIsNoticed() {
        Dataset data = zips(-1, 0);
        Map<String, byte[]> others = entries(-1);
        others.remove("a/10.png");
        write(folder.resolve("train.zip"), zip(others));
        EffconvException failure = assertThrows(EffconvException.class, () -> epoch(data.train()));
        assertTrue(
                failure.getMessage().contains(folder.resolve("train.zip") + ": has changed since"),
                failure.getMessage());
    }

    @Test
    void nothingStaysOpen() throws IOException {
        Dataset data = zips(-1, 2 * EACH);
        try (DataLoader loader = DataLoader.training(data.train(), 7, Augmentation.none(), 3)) {
            loader.epoch(0).iterator().next(); // and the rest of the epoch is left
            try (Images.Reader reader = data.train().open()) {
                reader.read(
                        new int[] {20, 3}, ByteBuffer.allocate(2 * data.train().imageBytes()));
            }
        }
        try (Stream<Path> open = Files.list(Path.of("/proc/self/fd"))) {
            assertEquals(0, open.filter(fd -> leadsTo(fd, folder)).count());
        }
    }

    private static boolean leadsTo(Path link, Path folder) {
        try {
            return Files.readSymbolicLink(link).startsWith(folder);
        } catch (IOException e) {
            return false; // closed since it was listed
        }
    }
}

package org.effconv.data;

import static org.effconv.data.TestFiles.image;
import static org.effconv.data.TestFiles.rejection;
import static org.effconv.data.TestFiles.write;
import static org.effconv.data.TestFiles.zip;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.awt.image.BufferedImage;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Where the parts of a dataset lie, in the layouts that people have. */
class ImageLayoutsTest {
    @TempDir
    Path folder;

    /** {@code count} images of each of two classes, whose grey values count up from {@code first}. */
    private static void part(Path part, int count, int first) {
        for (int c = 0; c < 2; c++) {
            for (int i = 0; i < count; i++) {
                write(
                        part.resolve(c == 0 ? "cat" : "dog").resolve(i + ".png"),
                        image("png", BufferedImage.TYPE_BYTE_GRAY, 3, 3, first + c * count + i));
            }
        }
    }

    private static Set<Integer> values(Images images) {
        return IntStream.range(0, images.count())
                .mapToObj(i -> images.pixel(i, 0, 0, 0))
                .collect(Collectors.toSet());
    }

    private static Set<Integer> range(int first, int count) {
        return IntStream.range(first, first + count).boxed().collect(Collectors.toSet());
    }

    @Test
    void threeParts() {
        part(folder.resolve("train"), 4, 0);
        part(folder.resolve("valid"), 2, 20);
        part(folder.resolve("test"), 3, 40);
        Dataset data = Datasets.open(folder.toString());
        assertEquals(range(0, 8), values(data.train()));
        assertEquals(range(20, 4), values(data.validation().orElseThrow()));
        assertEquals(range(40, 6), values(data.test()));
        assertEquals(
                2,
                Datasets.open(folder.toString(), ReadOptions.standard().images(2, 2))
                        .train()
                        .count());
    }

    @Test
    void withoutATestPartTheValidationPartIsIt() {
        part(folder.resolve("train"), 4, 0);
        part(folder.resolve("val"), 2, 20);
        Dataset data = Datasets.open(folder.toString());
        assertEquals(range(0, 8), values(data.train()));
        assertTrue(data.validation().isEmpty());
        assertEquals(range(20, 4), values(data.test()));
    }

    @Test
    void ofOnePartSomeOfEachClassAreSetAside() {
        part(folder.resolve("training"), 20, 0);
        Dataset data = Datasets.open(folder.toString(), ReadOptions.standard().heldOut(0.25));
        assertEquals(10, data.test().count());
        assertEquals(5, Arrays.stream(data.test().labels()).filter(c -> c == 0).count());
        Set<Integer> both = values(data.train());
        both.addAll(values(data.test()));
        assertEquals(range(0, 40), both, "and none is in both");
        assertNotEquals( // which would be 0, 1, 10, 11 and 12, in the order of names
                Set.of(0, 1, 10, 11, 12),
                values(data.test()).stream().filter(v -> v < 20).collect(Collectors.toSet()),
                "drawn");
        assertEquals(
                values(data.test()),
                values(Datasets.open(folder.toString(), ReadOptions.standard().heldOut(0.25))
                        .test()));
    }

    @Test
    void classesDirectlyInTheFolder() {
        part(folder, 20, 0);
        write(folder.resolve("README.md"), new byte[3]);
        Dataset data = Datasets.open(folder.toString());
        assertEquals(List.of("cat", "dog"), data.classNames());
        assertEquals(List.of(36, 4), List.of(data.train().count(), data.test().count()));
    }

    @Test
    void aMissingTrainingPartIsTold() {
        part(folder.resolve("val"), 2, 0);
        part(folder.resolve("test"), 2, 0);
        assertTrue(rejection(folder).startsWith(folder.resolve("train") + ": folder is missing"), rejection(folder));
    }

    @Test
    void everyPartHasTheSameClasses() {
        part(folder.resolve("train"), 2, 0);
        part(folder.resolve("test"), 2, 0);
        part(folder.resolve("val"), 2, 0);
        write(folder.resolve("val/fish/1.png"), image("png", BufferedImage.TYPE_BYTE_GRAY, 3, 3, 1));
        assertTrue(
                rejection(folder).startsWith(folder.resolve("val") + ": has a class 'fish' unknown to "),
                rejection(folder));
    }

    @Test
    void imagesOfManySizesAreScaled() {
        Map<String, byte[]> entries = new LinkedHashMap<>();
        for (int i = 1; i <= 12; i++) {
            entries.put(
                    (i % 2 == 0 ? "a/" : "b/") + i + ".png",
                    image("png", BufferedImage.TYPE_INT_RGB, i, 13 - i, 0xff102030));
        }
        write(folder.resolve("train.zip"), zip(entries));
        write(folder.resolve("test.zip"), zip(entries));
        Dataset data = Datasets.open(folder.toString(), ReadOptions.standard().imageSize(5));
        assertEquals(List.of(5, 5, 3), List.of(data.height(), data.width(), data.channels()));
        for (int i = 0; i < 12; i++) {
            assertArrayEquals(new int[] {16, 32, 48}, new int[] {
                data.train().pixel(i, 4, 4, 0),
                data.train().pixel(i, 4, 4, 1),
                data.train().pixel(i, 4, 4, 2)
            });
        }
    }
}

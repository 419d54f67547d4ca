package org.effconv.data;

import static org.effconv.data.TestFiles.rejection;
import static org.effconv.data.TestFiles.write;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CifarBinaryTest {
    @TempDir
    Path folder;

    @BeforeEach
    void writeGoodFolder() {
        for (int batch = 1; batch <= 5; batch++) {
            write(folder.resolve("data_batch_" + batch + ".bin"), records(batch, batch + 1));
        }
        write(folder.resolve("test_batch.bin"), records(9));
    }

    /** One record per label; every red byte is 10, green 20, blue 30, but for pixel (1, 2): 11, 22, 33. */
    private static byte[] records(int... labels) {
        byte[] file = new byte[3073 * labels.length];
        for (int i = 0; i < labels.length; i++) {
            file[3073 * i] = (byte) labels[i];
            for (int c = 0; c < 3; c++) {
                int plane = 3073 * i + 1 + 1024 * c;
                Arrays.fill(file, plane, plane + 1024, (byte) (10 + 10 * c));
                file[plane + 32 + 2] = (byte) (11 * (c + 1));
            }
        }
        return file;
    }

    @Test
    void interleavesPlanes() {
        Dataset data = Datasets.open(folder.toString());
        assertArrayEquals(new int[] {1, 2, 2, 3, 3, 4, 4, 5, 5, 6}, data.train().labels());
        assertArrayEquals(new int[] {9}, data.test().labels());
        assertEquals("truck", data.classNames().get(9));
        for (int c = 0; c < 3; c++) {
            assertEquals(10 + 10 * c, data.train().pixel(9, 31, 31, c));
            assertEquals(11 * (c + 1), data.train().pixel(9, 1, 2, c));
        }
    }

    @Test
    void missingBatch() {
        Path file = folder.resolve("data_batch_4.bin");
        TestFiles.delete(file);
        assertEquals(
                file + ": file is missing, expected data_batch_1.bin to data_batch_5.bin and test_batch.bin",
                rejection(folder));
    }

    @Test
    void truncatedBatch() {
        Path file = folder.resolve("test_batch.bin");
        write(file, Arrays.copyOf(records(1), 3000));
        assertEquals(
                file + ": holds 3000 bytes, expected a multiple of 3073 (one label byte and 3x32x32 bytes an image)",
                rejection(folder));
        write(file, new byte[0]);
        assertEquals(
                file + ": holds 0 bytes, expected a multiple of 3073 (one label byte and 3x32x32 bytes an image)",
                rejection(folder));
    }

    @Test
    void labelOutOfRange() {
        Path file = folder.resolve("data_batch_2.bin");
        write(file, records(0, 10));
        assertEquals(file + ": label 10 at index 1 is out of range, expected 0 to 9", rejection(folder));
    }

    @Test
    void readsFineLabelsOfCifar100() {
        Path hundred = folder.resolve("hundred");
        TestArrays.cifar100(hundred);
        Dataset data = Datasets.open(hundred.toString());
        assertArrayEquals(new int[] {99, 4}, data.train().labels());
        assertArrayEquals(new int[] {7}, data.test().labels());
        assertEquals("99", data.classNames().get(99));
        assertEquals(33, data.train().pixel(1, 1, 2, 2));
        assertEquals(20, data.train().pixel(1, 2, 1, 1));
        String names = IntStream.range(0, 100).mapToObj(i -> "name" + i).collect(Collectors.joining("\n"));
        write(hundred.resolve("fine_label_names.txt"), names.getBytes(StandardCharsets.UTF_8));
        assertEquals("name99", Datasets.open(hundred.toString()).classNames().get(99));
    }

    /** Anybody's file may be called train.bin. */
    @Test
    void aFileOfAnotherSizeIsNotCifar100() {
        Path other = folder.resolve("other");
        write(other.resolve("train.bin"), new byte[3073]);
        assertTrue(rejection(other).startsWith(other + ": holds no dataset, expected "), rejection(other));
    }
}

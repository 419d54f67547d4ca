package org.effconv.data;

import static org.effconv.data.TestFiles.gzip;
import static org.effconv.data.TestFiles.idx;
import static org.effconv.data.TestFiles.idxFolder;
import static org.effconv.data.TestFiles.idxImages;
import static org.effconv.data.TestFiles.idxLabels;
import static org.effconv.data.TestFiles.rejection;
import static org.effconv.data.TestFiles.write;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class IdxFolderTest {
    @TempDir
    Path folder;

    private Path trainImages;
    private Path trainLabels;
    private Path testLabels;

    @BeforeEach
    void writeGoodFolder() {
        idxFolder(folder);
        trainImages = folder.resolve("train-images-idx3-ubyte");
        trainLabels = folder.resolve("train-labels-idx1-ubyte");
        testLabels = folder.resolve("t10k-labels-idx1-ubyte");
    }

    @Test
    void readsPixelsAndLabels() {
        Dataset data = Datasets.open(folder.toString());
        assertArrayEquals(new int[] {1, 0, 1, 0}, data.train().labels());
        assertArrayEquals(new int[] {0, 1}, data.test().labels());
        assertEquals(List.of("0", "1"), data.classNames());
        assertEquals(List.of(2, 3, 1), List.of(data.height(), data.width(), data.channels()));
        assertEquals(2 * 6 + 1 * 3 + 2, data.train().pixel(2, 1, 2, 0));
        assertEquals(100 + 6, data.test().pixel(1, 0, 0, 0));
    }

    @Test
    void readsGzippedFiles() {
        TestFiles.delete(trainImages);
        write(folder.resolve("train-images-idx3-ubyte.gz"), gzip(idxImages(4, 50)));
        assertEquals(50 + 23, Datasets.open(folder.toString()).train().pixel(3, 1, 2, 0));
    }

    @Test
    void damagedGzipDataAreRefused() {
        Path file = folder.resolve("train-images-idx3-ubyte.gz");
        TestFiles.delete(trainImages);
        byte[] checksum = gzip(idxImages(4, 50));
        checksum[checksum.length - 8] ^= 1; // of the content: the last bytes are its CRC-32 and its size
        write(file, checksum);
        assertTrue(rejection(folder).startsWith(file + ": holds damaged gzip data ("), rejection(folder));
        byte[] whole = gzip(idxImages(4, 50));
        write(file, Arrays.copyOf(whole, whole.length - 3));
        assertTrue(rejection(folder).startsWith(file + ": is truncated: the gzip data ends early"), rejection(folder));
    }

    @Test
    void saysWhichOfTwoFilesIsUsed() {
        Path second = folder.resolve("train-images-idx3-ubyte.gz");
        write(second, gzip(idxImages(4, 50)));
        assertEquals(
                List.of(second + ": is not used, since " + trainImages + " stands beside it"),
                TestFiles.warnings(
                        IdxFolder.class,
                        () -> assertEquals(
                                0, Datasets.open(folder.toString()).train().pixel(0, 0, 0, 0))));
        write(folder.resolve("train/a/1.png"), new byte[1]);
        assertEquals(
                List.of(folder + ": holds IDX files and class folders of images; only the IDX files are used"),
                TestFiles.warnings(Datasets.class, () -> Datasets.open(folder.toString())));
    }

    @Test
    void namesClassesByTheirFile() {
        write(folder.resolve("classes.txt"), "shoe\nbag\nhat\n".getBytes(StandardCharsets.UTF_8));
        assertEquals(
                List.of("shoe", "bag", "hat"), Datasets.open(folder.toString()).classNames());
        write(folder.resolve("classes.txt"), "shoe\n".getBytes(StandardCharsets.UTF_8));
        assertEquals(
                folder.resolve("classes.txt") + ": names 1 classes, expected at least 2, one a line",
                rejection(folder));
    }

    @Test
    void missingFile() {
        TestFiles.delete(testLabels);
        assertEquals(
                folder + ": file t10k-labels-idx1-ubyte is missing, expected it (or t10k-labels-idx1-ubyte.gz) beside "
                        + "the other three IDX files",
                rejection(folder));
    }

    @Test
    void wrongMagic() {
        write(trainImages, idx(0x801, new int[] {4, 2, 3}, new byte[24]));
        assertEquals(
                trainImages + ": magic number 0x00000801, expected 0x00000803 (images as unsigned bytes)",
                rejection(folder));
        write(trainLabels, idx(0x0d01, new int[] {4}, new byte[16]));
        assertEquals(
                trainLabels + ": magic number 0x00000d01, expected 0x00000801 (labels as unsigned bytes)",
                rejection(folder));
    }

    @Test
    void truncatedOrTooLong() {
        byte[] whole = idxImages(4, 0);
        write(trainImages, Arrays.copyOf(whole, 39));
        assertEquals(trainImages + ": is truncated: holds 39 bytes, expected 40 by its header", rejection(folder));
        write(trainImages, Arrays.copyOf(whole, 43));
        assertEquals(trainImages + ": holds 43 bytes, expected 40 by its header", rejection(folder));
        write(trainImages, Arrays.copyOf(whole, 11));
        assertEquals(trainImages + ": is truncated within its header, expected 16 bytes of header", rejection(folder));
    }

    @Test
    void damagedGzip() {
        TestFiles.delete(trainImages);
        Path file = folder.resolve("train-images-idx3-ubyte.gz");
        byte[] whole = gzip(idxImages(4, 0));
        write(file, Arrays.copyOf(whole, whole.length - 20));
        assertEquals(
                file + ": is truncated: the gzip data ends early, expected 40 bytes by its header", rejection(folder));
        write(file, idxImages(4, 0));
        assertEquals(file + ": is not a gzip file (Not in GZIP format), expected one by its name", rejection(folder));
        byte[] flipped = whole.clone();
        flipped[whole.length - 6] ^= 1; // in the checksum
        write(file, flipped);
        assertEquals(file + ": holds damaged gzip data (Corrupt GZIP trailer)", rejection(folder));
    }

    @Test
    void absurdHeadersAllocateNothing() {
        write(trainImages, idx(0x803, new int[] {4, 5000, 28}, new byte[0]));
        assertEquals(
                trainImages + ": image size 5000x28 is out of range, expected 1 to 4096 pixels a side",
                rejection(folder));
        write(trainImages, idx(0x803, new int[] {-1, 28, 28}, new byte[0]));
        assertEquals(
                trainImages + ": 4294967295 images of 784 bytes exceed what one part of a dataset may hold (2147483639 "
                        + "bytes)",
                rejection(folder));
        write(trainLabels, idx(0x801, new int[] {2_000_000_000}, new byte[3]));
        var threads = (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
        long before = threads.getCurrentThreadAllocatedBytes();
        assertEquals(
                trainLabels + ": is truncated: holds 11 bytes, expected 2000000008 by its header", rejection(folder));
        long allocated = threads.getCurrentThreadAllocatedBytes() - before;
        assertTrue(allocated < 10_000_000, "allocated " + allocated + " bytes for a file of 11");
    }

    @Test
    void countsDiffer() {
        write(trainLabels, idxLabels(1, 0, 1, 0, 1));
        assertEquals(
                trainImages + ": holds 4 images, expected 5 as " + trainLabels + " holds labels", rejection(folder));
    }

    @Test
    void labelsOutOfRange() {
        write(testLabels, idxLabels(0, 2));
        assertEquals(testLabels + ": label 2 at index 1 is out of range, expected 0 to 1", rejection(folder));
        write(trainLabels, idxLabels(1, 0, 200, 0));
        assertEquals(trainLabels + ": label 200 at index 2 is out of range, expected 0 to 1", rejection(folder));
        write(trainLabels, idxLabels(1, 2, 1, 2));
        assertEquals(
                trainLabels + ": labels do not count classes from 0: class 0 has no image, expected at least 2 classes",
                rejection(folder));
    }

    @Test
    void zeroImages() {
        write(trainLabels, idxLabels());
        assertEquals(trainLabels + ": holds 0 images, expected at least 1", rejection(folder));
    }

    @Test
    void sizesOfPartsDiffer() {
        write(folder.resolve("t10k-images-idx3-ubyte"), idx(0x803, new int[] {2, 3, 2}, new byte[12]));
        assertEquals(
                folder + ": test images are 3x2x1, expected the size of the training images, 2x3x1", rejection(folder));
    }
}

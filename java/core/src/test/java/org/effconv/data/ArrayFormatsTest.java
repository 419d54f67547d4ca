package org.effconv.data;

import static org.effconv.data.TestArrays.bytes;
import static org.effconv.data.TestArrays.npy;
import static org.effconv.data.TestFiles.counting;
import static org.effconv.data.TestFiles.rejection;
import static org.effconv.data.TestFiles.write;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.effconv.error.EffconvException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** What the readers of arrays in files read; {@link DamagedArraysTest} has what they refuse. */
class ArrayFormatsTest {
    @TempDir
    Path folder;

    private Dataset open() {
        return Datasets.open(folder.toString());
    }

    @Test
    void stl10() {
        TestArrays.stl(folder);
        Dataset data = open();
        assertEquals(List.of(96, 96, 3), List.of(data.height(), data.width(), data.channels()));
        assertArrayEquals(new int[] {0, 9}, data.train().labels());
        assertArrayEquals(new int[] {1}, data.test().labels());
        assertEquals("monkey", data.classNames().get(7));
        assertMarked(data.train(), 1);
        assertEquals(
                1,
                Datasets.open(folder.toString(), ReadOptions.standard().images(1, 1))
                        .train()
                        .count());
        write(folder.resolve("class_names.txt"), "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n".getBytes(StandardCharsets.UTF_8));
        assertEquals("h", open().classNames().get(7));
    }

    @Test
    void svhn() {
        TestArrays.svhn(folder);
        Dataset data = open();
        assertArrayEquals(new int[] {1, 0}, data.train().labels());
        assertEquals("0", data.classNames().get(0));
        assertMarked(data.train(), 1);
    }

    @Test
    void svhnAsScipyCompressesIt() {
        byte[] file = Base64.getDecoder().decode(lines("svhn-scipy.txt").get(0));
        write(folder.resolve("train_32x32.mat"), file);
        write(folder.resolve("test_32x32.mat"), file);
        Dataset data = open();
        assertArrayEquals(new int[] {1, 0}, data.test().labels());
        assertEquals(List.of(11, 22, 33), pixel(data.train(), 0, 1, 2));
        assertEquals(List.of(14, 25, 36), pixel(data.train(), 1, 1, 2));
        assertEquals(List.of(0, 0, 0), pixel(data.train(), 1, 2, 1));
    }

    /** Row 1, column 2 of {@link TestArrays#planes}. */
    private static void assertMarked(Images images, int i) {
        assertEquals(List.of(11, 22, 33), pixel(images, i, 1, 2));
        assertEquals(List.of(10, 20, 30), pixel(images, i, 2, 1));
    }

    private static List<Integer> pixel(Images images, int i, int y, int x) {
        return List.of(images.pixel(i, y, x, 0), images.pixel(i, y, x, 1), images.pixel(i, y, x, 2));
    }

    @ParameterizedTest
    @EnumSource
    void pickledCifar10(TestArrays.Python python) {
        TestArrays.cifarPickled(folder);
        byte[] pixels = TestArrays.repeated(TestArrays.planes(32, false), 2);
        for (String core : List.of("numpy.core", "numpy._core")) {
            write(
                    folder.resolve("data_batch_3"),
                    TestArrays.batch(new TestArrays.Pickle(python, core), pixels, 2, "labels", 0, 5));
            Dataset data = open();
            assertArrayEquals(
                    new int[] {3, 9, 3, 9, 0, 5, 3, 9, 3, 9}, data.train().labels());
            assertMarked(data.train(), 5);
            assertEquals((6 * 32 + 7 + 1024) % 256, data.train().pixel(0, 6, 7, 1));
            assertEquals("truck", data.classNames().get(9));
        }
    }

    @ParameterizedTest
    @EnumSource
    void namesOfPickledCifar100(TestArrays.Python python) {
        byte[] batch = TestArrays.batch(new TestArrays.Pickle(python), counting(3072, 0), 1, "fine_labels", 42);
        write(folder.resolve("train"), batch);
        write(folder.resolve("test"), batch);
        assertEquals("42", open().classNames().get(42));
        TestArrays.Pickle meta = new TestArrays.Pickle(python);
        meta.raw('}').text("fine_label_names").raw(']', '(');
        for (int i = 0; i < 100; i++) {
            meta.text("name" + i);
        }
        write(
                folder.resolve("meta"),
                meta.raw('e', 's').text("num_vis").raw("Ns").end());
        assertEquals("name42", open().classNames().get(open().test().label(0)));
    }

    static List<String> pickles() {
        return lines("numpy-pickles.txt");
    }

    /** What NumPy itself wrote. */
    @ParameterizedTest
    @MethodSource("pickles")
    void picklesOfNumPy(String line) {
        TestArrays.imageNet(folder, Base64.getDecoder().decode(line.split(" ")[2]), "");
        assertCounting(open());
    }

    @Test
    void imageNetInZips() {
        TestArrays.imageNetZips(folder);
        assertCounting(open());
    }

    private static void assertCounting(Dataset data) {
        assertEquals(
                List.of(20, 2, 8), List.of(data.train().count(), data.test().count(), data.width()));
        int[] labels = data.test().labels();
        assertTrue(labels[1] == 999 && (labels[0] == 2 || labels[0] == 0), labels[0] + " " + labels[1]);
        assertEquals("1000", data.classNames().get(999));
        for (int c = 0; c < 3; c++) {
            assertEquals((192 + 64 * c + 5 * 8 + 6) % 256, data.train().pixel(19, 5, 6, c));
        }
    }

    @Test
    void npzByKerasNames() {
        Path file = folder.resolve("mnist.npz");
        write(file, TestFiles.zip(TestArrays.keras()));
        for (Path place : List.of(file, folder)) {
            assertKeras(Datasets.open(place.toString()));
        }
        write(folder.resolve("classes.txt"), "bag\nshoe\nhat".getBytes(StandardCharsets.UTF_8));
        assertEquals(
                List.of("bag", "shoe", "hat"), Datasets.open(file.toString()).classNames());
    }

    @Test
    void npyFilesOfAFolder() {
        TestArrays.npyFolder(folder);
        assertKeras(open());
        assertArrayEquals(
                new int[] {1, 0},
                Datasets.open(folder.toString(), ReadOptions.standard().images(2, 1))
                        .train()
                        .labels());
    }

    private static void assertKeras(Dataset data) {
        assertArrayEquals(new int[] {1, 0, 1, 0}, data.train().labels());
        assertArrayEquals(new int[] {0, 1}, data.test().labels());
        assertEquals(List.of(2, 3, 1), List.of(data.height(), data.width(), data.channels()));
        assertEquals(3 * 6 + 1 * 3 + 2, data.train().pixel(3, 1, 2, 0));
        assertEquals(106, data.test().pixel(1, 0, 0, 0));
    }

    @Test
    void validationImagesOfMedMnistAreTheTestPartWhereThereIsNoOther() {
        Map<String, byte[]> arrays = new LinkedHashMap<>();
        arrays.put("train_images.npy", npy("|u1", "(2, 2, 2)", counting(8, 0)));
        arrays.put("train_labels.npy", npy("|u1", "(2, 1)", bytes(0, 1)));
        arrays.put("val_images.npy", npy("|u1", "(1, 2, 2)", counting(4, 50)));
        arrays.put("val_labels.npy", npy("|u1", "(1, 1)", bytes(1)));
        Path file = folder.resolve("x.npz");
        write(file, TestFiles.zip(arrays));
        assertEquals(50, Datasets.open(file.toString()).test().pixel(0, 0, 0, 0));
        assertTrue(Datasets.open(file.toString()).validation().isEmpty());
        arrays.put("test_images.npy", npy("|u1", "(1, 2, 2)", counting(4, 90)));
        arrays.put("test_labels.npy", npy("|u1", "(1, 1)", bytes(0)));
        write(file, TestFiles.zip(arrays));
        assertEquals(90, Datasets.open(file.toString()).test().pixel(0, 0, 0, 0));
        assertEquals(
                50, Datasets.open(file.toString()).validation().orElseThrow().pixel(0, 0, 0, 0));
    }

    @Test
    void colourByPixelsOrByPlanes() {
        TestArrays.npyFolder(folder);
        write(folder.resolve("x_train.npy"), npy("|u1", "(4, 2, 4, 3)", counting(96, 0)));
        write(folder.resolve("x_test.npy"), npy("|u1", "(2, 3, 2, 4)", counting(48, 0)));
        Dataset data = open();
        assertEquals(3 * (1 * 4 + 2) + 1, data.train().pixel(0, 1, 2, 1)); // (y * 4 + x) * 3 + c
        assertEquals(24 + 1 * 8 + 1 * 4 + 2, data.test().pixel(1, 1, 2, 1)); // c * 8 + y * 4 + x
    }

    @ParameterizedTest
    @CsvSource({
        "|i1, 1 0 1 0",
        "<i2, 1 0 0 0 1 0 0 0",
        ">i2, 0 1 0 0 0 1 0 0",
        "<u4, 1 0 0 0 0 0 0 0 1 0 0 0 0 0 0 0",
        ">i8, 0 0 0 0 0 0 0 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 1 0 0 0 0 0 0 0 0",
        "<u8, 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0",
    })
    void labelsOfAnyIntegerType(String descr, String content) {
        TestArrays.npyFolder(folder);
        byte[] values = bytes(
                List.of(content.split(" ")).stream().mapToInt(Integer::parseInt).toArray());
        write(folder.resolve("y_train.npy"), npy(descr, "(4,)", values));
        assertKeras(open());
    }

    @ParameterizedTest
    @CsvSource({"1", "2", "3"})
    void headersOfEachVersion(int version) {
        TestArrays.npyFolder(folder);
        write(
                folder.resolve("x_test.npy"),
                npy(version, "{'descr': '|u1', 'fortran_order': False, 'shape': (2L, 2L, 3L)}", counting(12, 100)));
        assertKeras(open());
    }

    @Test
    void aPartMayHaveSeveralChunks() {
        int images = Pixels.InMemory.perChunk(4096 * 4096) + 1;
        PixelSink sink = new PixelSink("x", images, 4096, 4096, 1, PixelSink.Layout.PIXELS, LoadListener.silent());
        byte[] image = new byte[4096 * 4096];
        int[] labels = new int[images];
        for (int i = 0; i < images; i++) {
            image[5] = (byte) i;
            sink.add(image, 0);
        }
        Images all = sink.images(labels);
        for (int i = 0; i < images; i++) {
            assertEquals(i, all.pixel(i, 0, 5, 0));
        }
        assertEquals((long) images * image.length, all.heapBytes());
    }

    @Test
    void whatNoHeapCanHoldIsSaidBeforeItIsRead() {
        String message = assertThrows(
                        EffconvException.class,
                        () -> new PixelSink(
                                "x", 1 << 24, 1024, 1024, 3, PixelSink.Layout.PLANES, LoadListener.silent()))
                .getMessage();
        assertTrue(message.startsWith("x: takes 50,331,648 MiB of Java heap"), message);
    }

    @Test
    void aFileThatIsNoDataset() {
        Path file = folder.resolve("x.txt");
        write(file, bytes(1));
        assertTrue(rejection(file).startsWith(file + ": holds no dataset, expected "), rejection(file));
    }

    static List<String> lines(String resource) {
        try (InputStream in = ArrayFormatsTest.class.getResourceAsStream(resource)) {
            return new String(in.readAllBytes(), StandardCharsets.US_ASCII)
                    .lines()
                    .filter(line -> !line.startsWith("#"))
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}

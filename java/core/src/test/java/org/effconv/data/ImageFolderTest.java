package org.effconv.data;

import static org.effconv.data.TestFiles.encode;
import static org.effconv.data.TestFiles.image;
import static org.effconv.data.TestFiles.rejection;
import static org.effconv.data.TestFiles.write;
import static org.effconv.data.TestFiles.zip;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.awt.Transparency;
import java.awt.color.ColorSpace;
import java.awt.image.BufferedImage;
import java.awt.image.ComponentColorModel;
import java.awt.image.DataBuffer;
import java.awt.image.WritableRaster;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ImageFolderTest {
    private static final int RGB = BufferedImage.TYPE_INT_RGB;
    private static final int ARGB = BufferedImage.TYPE_INT_ARGB;
    private static final int GREY = BufferedImage.TYPE_BYTE_GRAY;

    @TempDir
    Path folder;

    @BeforeEach
    void writeGoodFolder() {
        write(folder.resolve("train/dog/b.png"), image("png", RGB, 4, 5, 0xff0a141e));
        write(folder.resolve("train/dog/a.JPG"), image("jpg", RGB, 4, 5, 0xff808080));
        write(folder.resolve("train/cat/x.jpeg"), image("png", ARGB, 4, 5, 0xff010203)); // by content, not by name
        write(folder.resolve("test/cat/1.png"), image("png", GREY, 4, 5, 77));
        write(folder.resolve("test/dog/2.png"), image("png", BufferedImage.TYPE_3BYTE_BGR, 4, 5, 0xff0102fe));
        write(folder.resolve("train/dog/.DS_Store"), new byte[3]);
    }

    private static int[] firstPixel(Images part, int i) {
        int[] pixel = new int[part.channels()];
        Arrays.setAll(pixel, c -> part.pixel(i, 0, 0, c));
        return pixel;
    }

    @Test
    void readsFoldersInOrderOfNames() {
        Dataset data = Datasets.open(folder.toString());
        assertEquals(List.of("cat", "dog"), data.classNames());
        assertArrayEquals(new int[] {0, 1, 1}, data.train().labels());
        assertEquals(List.of(4, 5, 3), List.of(data.height(), data.width(), data.channels()));
        assertArrayEquals(new int[] {1, 2, 3}, firstPixel(data.train(), 0));
        assertArrayEquals(new int[] {128, 128, 128}, firstPixel(data.train(), 1));
        assertArrayEquals(new int[] {10, 20, 30}, firstPixel(data.train(), 2));
        assertArrayEquals(new int[] {77, 77, 77}, firstPixel(data.test(), 0));
        assertArrayEquals(new int[] {1, 2, 254}, firstPixel(data.test(), 1));
    }

    @Test
    void pixelsKeepTheirPlaces() {
        BufferedImage drawn = new BufferedImage(5, 4, RGB);
        for (int y = 0; y < 4; y++) {
            for (int x = 0; x < 5; x++) {
                drawn.setRGB(x, y, 0xff000000 | (10 * y) << 16 | (20 * x) << 8 | (y + x));
            }
        }
        write(folder.resolve("train/dog/b.png"), encode("png", drawn));
        Images train = Datasets.open(folder.toString()).train();
        for (int y = 0; y < 4; y++) {
            for (int x = 0; x < 5; x++) {
                assertEquals(
                        List.of(10 * y, 20 * x, y + x),
                        List.of(train.pixel(2, y, x, 0), train.pixel(2, y, x, 1), train.pixel(2, y, x, 2)));
            }
        }
    }

    @Test
    void allGreyImagesHaveOneChannel() {
        Path grey = folder.resolve("grey");
        for (String name : List.of("train/a/1.png", "train/b/1.png", "test/a/1.png", "test/b/1.png")) {
            write(grey.resolve(name), image("png", GREY, 3, 3, 200));
        }
        write(grey.resolve("train/a/2.jpg"), image("jpg", GREY, 3, 3, 200));
        write(grey.resolve("train/a/3.png"), image("png", BufferedImage.TYPE_BYTE_BINARY, 3, 3, 0xffffffff));
        Dataset data = Datasets.open(grey.toString());
        assertEquals(1, data.channels(), "a palette of greys is grey, too");
        assertEquals(255, data.train().pixel(2, 0, 0, 0));
        assertEquals(200, data.train().pixel(1, 2, 2, 0));
        assertEquals(200, data.test().pixel(1, 2, 2, 0));
        write(grey.resolve("test/b/1.png"), image("png", RGB, 3, 3, 0xffc8c8c9));
        assertEquals(3, Datasets.open(grey.toString()).channels(), "one image of colour makes all so");
    }

    private static List<Object> content(Images part) {
        return List.of(
                Arrays.stream(part.labels()).boxed().toList(),
                IntStream.range(0, part.count())
                        .mapToObj(
                                i -> Arrays.stream(firstPixel(part, i)).boxed().toList())
                        .toList());
    }

    @Test
    void imagesThatAreNotTakenAreNotRead() {
        Dataset taken = Datasets.open(folder.toString()).take(2, 1);
        write(folder.resolve("train/dog/b.png"), new byte[7]);
        write(folder.resolve("test/dog/2.png"), new byte[7]);
        Dataset data = Datasets.open(folder.toString(), ReadOptions.standard().images(2, 1));
        assertEquals(List.of("cat", "dog"), data.classNames());
        assertEquals(content(taken.train()), content(data.train()));
        assertEquals(content(taken.test()), content(data.test()));
        assertArrayEquals(taken.mean(), data.mean());
        assertTrue(rejection(() ->
                        Datasets.open(folder.toString(), ReadOptions.standard().images(3, 1)))
                .contains("b.png"));
        assertTrue(rejection(() ->
                        Datasets.open(folder.toString(), ReadOptions.standard().images(2, 0)))
                .contains("0 test images"));
    }

    private Map<String, byte[]> entries(String prefix, String part) {
        Map<String, byte[]> entries = new LinkedHashMap<>();
        entries.put(prefix + "dog/1.png", image("png", RGB, 4, 5, part.equals("train") ? 0xff010109 : 0xff020209));
        entries.put(prefix + "cat/1.png", image("png", RGB, 4, 5, 0xff030309));
        entries.put("__MACOSX/cat/._1.png", new byte[5]);
        return entries;
    }

    @Test
    void readsZipsWithAndWithoutACommonFolder() {
        for (String prefix : List.of("", "top/")) {
            write(folder.resolve("train.zip"), zip(entries(prefix, "train")));
            write(folder.resolve("test.zip"), zip(entries(prefix, "test")));
            Dataset data = Datasets.open(folder.toString());
            assertEquals(List.of("cat", "dog"), data.classNames());
            assertArrayEquals(new int[] {3, 3, 9}, firstPixel(data.train(), 0));
            assertArrayEquals(new int[] {1, 1, 9}, firstPixel(data.train(), 1));
            assertArrayEquals(new int[] {2, 2, 9}, firstPixel(data.test(), 1));
        }
    }

    @Test
    void badZips() {
        Path train = folder.resolve("train.zip");
        Path test = folder.resolve("test.zip");
        byte[] whole = zip(entries("", "train"));
        write(train, whole);
        write(test, Arrays.copyOf(whole, whole.length - 30));
        assertTrue(
                rejection(folder).startsWith(test + ": is not a whole zip file that can be read ("), rejection(folder));
        write(test, zip(Map.of("1.png", new byte[1])));
        assertEquals(
                test + ": holds 0 images in 0 class folders, expected at least 2 folders with images",
                rejection(folder));
        write(test, zip(Map.of()));
        assertEquals(
                test + ": holds 0 images in 0 class folders, expected at least 2 folders with images",
                rejection(folder));
    }

    /**
     * What a locale without UTF-8 makes of names that are not ASCII: classes would become one, or change their order.
     */
    @Test
    void namesThatTheLocaleCannotReadAreRefused() {
        write(folder.resolve("train.zip"), zip(Map.of("\uFFFD\uFFFD/1.png", new byte[1], "dog/1.png", new byte[1])));
        write(folder.resolve("test.zip"), zip(entries("", "test")));
        assertTrue(rejection(folder).contains("LC_ALL=C.UTF-8"), rejection(folder));
    }

    @Test
    void foldersAboveTheClassesMustBeOne() {
        Map<String, byte[]> both = new HashMap<>(entries("train/", "train"));
        both.putAll(entries("test/", "test"));
        write(folder.resolve("train.zip"), zip(both));
        write(folder.resolve("test.zip"), zip(entries("", "test")));
        assertTrue(rejection(folder).contains("with one folder common to all"), rejection(folder));
    }

    private static byte[] greyWithAlpha(int grey, int alpha) {
        ComponentColorModel model = new ComponentColorModel(
                ColorSpace.getInstance(ColorSpace.CS_GRAY),
                true,
                false,
                Transparency.TRANSLUCENT,
                DataBuffer.TYPE_BYTE);
        WritableRaster raster = model.createCompatibleWritableRaster(5, 4);
        for (int y = 0; y < 4; y++) {
            for (int x = 0; x < 5; x++) {
                raster.setPixel(x, y, new int[] {grey, alpha});
            }
        }
        return encode("png", new BufferedImage(model, raster, false, null));
    }

    @Test
    void greyWithAnAlphaChannelKeepsItsBrightness() {
        write(folder.resolve("test/cat/1.png"), greyWithAlpha(128, 255));
        assertArrayEquals(
                new int[] {128, 128, 128},
                firstPixel(Datasets.open(folder.toString()).test(), 0));
        write(folder.resolve("test/cat/1.png"), greyWithAlpha(128, 254));
        assertTrue(rejection(folder).contains("transparent"), rejection(folder));
    }

    @Test
    void missingPart() {
        Path only = folder.resolve("only");
        write(only.resolve("test/dog/b.png"), new byte[1]);
        assertEquals(
                only.resolve("train") + ": folder is missing, expected it with one folder per class, or train.zip",
                rejection(only));
    }

    @Test
    void classesDiffer() {
        write(folder.resolve("test/fox/1.png"), image("png", RGB, 4, 5, 0));
        assertEquals(
                folder.resolve("test") + ": has a class 'fox' unknown to " + folder.resolve("train")
                        + ", expected [cat, dog]",
                rejection(folder));
        TestFiles.delete(folder.resolve("test/dog/2.png"));
        TestFiles.delete(folder.resolve("test/dog"));
        assertEquals(
                folder.resolve("test") + ": has no class 'dog', expected the classes of " + folder.resolve("train")
                        + ", [cat, dog]",
                rejection(folder));
    }

    @Test
    void emptyClassFolder() {
        TestFiles.delete(folder.resolve("test/dog/2.png"));
        assertEquals(
                List.of(
                        folder.resolve("train") + ": skipped 1 entry that is no image of a class: dog/.DS_Store",
                        folder.resolve("test") + ": skipped 1 entry that is no image of a class: dog/"),
                TestFiles.warnings(
                        ClassFolders.class,
                        () -> assertEquals(
                                folder.resolve("test")
                                        + ": holds 1 images in 1 class folders, expected at least 2 folders with images",
                                rejection(folder))));
    }

    @Test
    void sizesDiffer() {
        Path file = folder.resolve("train/dog/c.png");
        write(file, image("png", RGB, 6, 5, 0));
        assertEquals(
                file + ": image size 6x5, expected 4x5 as " + folder.resolve("train/cat/x.jpeg")
                        + ", or --image-size to scale all images to one size",
                rejection(folder));
        Dataset scaled = Datasets.open(folder.toString(), ReadOptions.standard().imageSize(7));
        assertEquals(List.of(7, 7), List.of(scaled.height(), scaled.width()));
        assertArrayEquals(new int[] {1, 2, 3}, firstPixel(scaled.train(), 0));
    }

    @Test
    void unreadableImages() {
        Path file = folder.resolve("train/dog/b.png");
        byte[] whole = image("png", RGB, 4, 5, 0xff0a141e);
        write(file, Arrays.copyOf(whole, whole.length / 2));
        assertEquals(
                file + ": is truncated: holds " + whole.length / 2 + " bytes without the PNG end chunk",
                rejection(folder));
        write(file, "GIF89a".getBytes(StandardCharsets.US_ASCII));
        assertEquals(file + ": is neither a PNG nor a JPEG image by its first bytes", rejection(folder));
        write(file, image("png", ARGB, 4, 5, 0x80ffffff));
        assertEquals(file + ": has transparent pixels, expected an opaque image", rejection(folder));
        Path other = folder.resolve("train/dog/moving.gif");
        write(other, new byte[1]);
        assertEquals(
                other + ": is an image of another format by its name, expected .png, .jpg or .jpeg", rejection(folder));
    }

    @Test
    void aTruncatedJpegIsNotGuessedAt() {
        Path file = folder.resolve("train/dog/a.JPG");
        byte[] whole = image("jpg", RGB, 4, 5, 0xff808080);
        write(file, Arrays.copyOf(whole, whole.length - 2));
        assertEquals(
                file + ": is truncated: holds " + (whole.length - 2) + " bytes without the JPEG end marker",
                rejection(folder));
        write(file, Arrays.copyOf(whole, 200)); // within the tables, before any scan
        assertEquals(file + ": is truncated: holds 200 bytes without the JPEG end marker", rejection(folder));
    }

    @Test
    void theFirstBadImageIsReportedWhateverTheTiming() {
        for (int i = 0; i < 40; i++) {
            write(folder.resolve(String.format("train/dog/c%02d.png", i)), image("png", RGB, i < 20 ? 4 : 3, 5, 0));
        }
        for (int repeat = 0; repeat < 10; repeat++) {
            assertTrue(
                    rejection(folder).startsWith(folder.resolve("train/dog/c20.png") + ": image size 3x5"),
                    rejection(folder));
        }
    }

    @Test
    void progressEndsWithTheTotal() {
        List<String> heard = new ArrayList<>();
        Datasets.open(
                folder.toString(),
                ReadOptions.standard().listener((what, done, total) -> heard.add(what + " " + done + "/" + total)));
        assertEquals(
                List.of(
                        folder.resolve("train") + " 0/3",
                        folder.resolve("train") + " 3/3",
                        folder.resolve("test") + " 0/2",
                        folder.resolve("test") + " 2/2"),
                heard);
    }
}

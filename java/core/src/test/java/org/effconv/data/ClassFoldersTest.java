package org.effconv.data;

import static org.effconv.data.TestFiles.image;
import static org.effconv.data.TestFiles.rejection;
import static org.effconv.data.TestFiles.warnings;
import static org.effconv.data.TestFiles.write;
import static org.effconv.data.TestFiles.zip;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.text.Normalizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The rule of which files are the images of a part: the same for folders and for zips. */
class ClassFoldersTest {
    private static final byte[] IMAGE = image("png", BufferedImage.TYPE_INT_RGB, 3, 3, 0xff010203);

    @TempDir
    Path folder;

    /** The same names as files in a folder and as entries of a zip: one dataset each, or one refusal. */
    private List<Path> both(Map<String, byte[]> train, Map<String, byte[]> test) {
        Path files = folder.resolve("files");
        Path zips = folder.resolve("zips");
        train.forEach((name, content) -> write(files.resolve("train").resolve(name), content));
        test.forEach((name, content) -> write(files.resolve("test").resolve(name), content));
        write(zips.resolve("train.zip"), zip(train));
        write(zips.resolve("test.zip"), zip(test));
        return List.of(files, zips);
    }

    private static Map<String, byte[]> images(String... names) {
        Map<String, byte[]> images = new TreeMap<>();
        for (String name : names) {
            images.put(name, IMAGE);
        }
        return images;
    }

    private static List<String> told(Path at, Class<?> by) {
        return warnings(by, () -> Datasets.open(at.toString())).stream()
                .map(s -> s.replace(at + "/", "").replace(".zip", ""))
                .toList();
    }

    @Test
    void whatIsNoImageOfAClassIsSkippedAndTold() {
        Map<String, byte[]> train = images(
                "a/1.png",
                "a/2.JPEG",
                "b/1.jfif",
                "stray.png",
                "a/deep/er/1.png",
                ".hidden/1.png",
                "__MACOSX/a/._1.png",
                "a/.1.png",
                "notes/read.me");
        for (String other :
                List.of("desktop.ini", "a/desktop.ini", "a/Thumbs.db", "readme.txt", "LICENSE", "a/noname")) {
            train.put(other, new byte[1]);
        }
        Map<String, byte[]> test = images("a/1.png", "b/1.png");
        test.put("b/desktop.ini", new byte[1]);
        for (Path at : both(train, test)) {
            Dataset data = Datasets.open(at.toString());
            assertEquals(List.of("a", "b"), data.classNames());
            assertArrayEquals(new int[] {0, 0, 1}, data.train().labels());
            List<String> told = told(at, ClassFolders.class);
            String folders = at.endsWith("files") ? "13" : "12"; // a zip names no folder that holds only a text
            assertEquals(
                    List.of(
                            "train: skipped " + folders
                                    + " entries that are no image of a class: .hidden/, LICENSE, __MACOSX/, ...",
                            "test: skipped 1 entry that is no image of a class: b/desktop.ini"),
                    told);
        }
    }

    @Test
    void aFolderAboveAllClassesIsNone() {
        Map<String, byte[]> train = images("top/a/1.png", "top/b/1.png", "stray.png");
        train.put("readme.txt", new byte[1]);
        for (Path at : both(train, images("other/a/1.png", "other/b/1.png"))) {
            assertEquals(List.of("a", "b"), Datasets.open(at.toString()).classNames());
        }
    }

    @Test
    void straysInAndBesideTheFolderAboveAreNoClasses() {
        Map<String, byte[]> test = images("top/a/1.png", "top/b/1.png", "top/1.png");
        for (Path at : both(images("top/a/1.png", "top/b/1.png", "top/preview.png", "other/y.png"), test)) {
            assertEquals(List.of("a", "b"), Datasets.open(at.toString()).classNames());
            assertEquals(
                    List.of(
                            "train: skipped 2 entries that are no image of a class: other/y.png, top/preview.png",
                            "test: skipped 1 entry that is no image of a class: top/1.png"),
                    told(at, ClassFolders.class).stream()
                            .map(s -> s.replace("other/, ", "").replace("3 entries", "2 entries"))
                            .toList());
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"a/x/1.png a/x/2.png a/x/3.png", "a/x/1.png a/y/1.png", "a/x/1.png b/x/1.png a/y/1.png b/y/1.png"
            })
    void foldersInClassFoldersAreNoClasses(String deeper) {
        Map<String, byte[]> train = images(deeper.split(" "));
        train.putAll(images("a/1.png", "b/1.png", "b/2.png"));
        for (Path at : both(train, images("a/1.png", "b/1.png"))) {
            assertEquals(List.of("a", "b"), Datasets.open(at.toString()).classNames());
        }
    }

    @Test
    void anImageThatStandsTooDeepIsNamed() {
        for (Path at : both(images("x/top/b/1.png", "x/top/a/1.png"), images("a/1.png", "b/1.png"))) {
            String message = rejection(at);
            assertTrue(
                    message.endsWith(
                            "x/top/a/1.png: stands too deep, and no image stands where it should; expected <class>/<image>, "
                                    + "or <folder>/<class>/<image> with one folder common to all"),
                    message);
        }
    }

    @Test
    void aNameWithoutADotHasNoEnding() {
        for (Path at : both(images("a/1.png", "a/png", "b/1.png", "b/jpg"), images("a/1.png", "b/1.png"))) {
            assertEquals(2, Datasets.open(at.toString()).train().count());
        }
    }

    @Test
    void anImageOfAnotherFormatIsSkippedWhereNoImageOfAClassStands() {
        Map<String, byte[]> train = images("a/1.png", "b/1.png", "logo.gif", "a/deep/x.tif");
        for (Path at : both(train, images("a/1.png", "b/1.png"))) {
            assertEquals(List.of("a", "b"), Datasets.open(at.toString()).classNames());
        }
        train.putAll(images("b/4.gif", "a/3.gif", "a/2.tif"));
        for (Path at : both(train, images("a/1.png", "b/1.png"))) {
            assertTrue(rejection(at).contains("a/2.tif: is an image of another format"), rejection(at));
        }
    }

    @Test
    void linksBackAreSkipped() throws IOException {
        Path at = both(images("a/1.png", "b/1.png"), images("a/1.png", "b/1.png", "lost+found/1.png"))
                .get(0);
        Files.createSymbolicLink(at.resolve("train/.self"), Path.of("."));
        Files.createSymbolicLink(at.resolve("train/a/notes"), Path.of(".."));
        assertEquals(List.of("a", "b"), Datasets.open(at.toString()).classNames());
        assertEquals(2, Datasets.open(at.toString()).train().count());
    }

    @Test
    void foldersThatAreSkippedNeedNotBeReadable() {
        for (String skipped : List.of(".Trash-0", "lost+found", "a/.cache", "a/b/c")) {
            assertTrue(ClassFolders.holdsNoImage(List.of(skipped.split("/"))), skipped);
        }
        for (String needed : List.of("a", "top/a")) {
            assertFalse(ClassFolders.holdsNoImage(List.of(needed.split("/"))), needed);
        }
    }

    @Test
    void anImageThatIsDamagedOrOfAnotherFormatIsNoBystander() {
        Map<String, byte[]> train = images("a/1.png", "b/1.png");
        train.put("a/2.png", new byte[9]);
        for (Path at : both(train, images("a/1.png", "b/1.png"))) {
            assertTrue(rejection(at).contains("a/2.png: is neither a PNG nor a JPEG image"), rejection(at));
        }
        train.put("a/2.webp", train.remove("a/2.png"));
        for (Path at : both(train, images("a/1.png", "b/1.png"))) {
            write(folder.resolve("files/train/a/2.png"), IMAGE);
            assertTrue(
                    rejection(at)
                            .endsWith(
                                    "a/2.webp: is an image of another format by its name, expected .png, .jpg or .jpeg"),
                    rejection(at));
        }
    }

    @Test
    void whatStandsThereTwiceIsTold() {
        List<Path> both = both(images("a/1.png", "a/1.jpg", "b/1.png"), images("a/1.png", "b/1.png"));
        for (Path at : both) {
            assertEquals(
                    List.of(
                            "train: 1 of 3 images have the name of another but for its ending, and all are used: a/1.png"),
                    told(at, ClassFolders.class));
        }
        Path zips = both.get(1);
        write(zips.resolve("test/a/1.png"), new byte[1]);
        assertEquals(List.of("test: is not used, since test stands beside it"), told(zips, ImagePart.class));
    }

    @Test
    void aFolderAndAZipMakeOneDataset() {
        write(folder.resolve("train/a/1.png"), IMAGE);
        write(folder.resolve("train/b/1.png"), IMAGE);
        write(folder.resolve("test.zip"), zip(images("a/1.png", "b/1.png")));
        assertEquals(2, Datasets.open(folder.toString()).test().count());
    }

    private static final String COMPOSED = "caf\u00e9";
    private static final String APART = Normalizer.normalize(COMPOSED, Normalizer.Form.NFD);

    @Test
    void oneNameInTwoFormsIsOneClass() {
        for (Path at : both(images(COMPOSED + "/1.png", "b/1.png"), images(APART + "/1.png", "b/1.png"))) {
            assertEquals(List.of("b", COMPOSED), Datasets.open(at.toString()).classNames());
        }
    }

    @Test
    void twoFoldersOfOneNameAreNot() {
        for (Path at : both(images(COMPOSED + "/1.png", APART + "/1.png", "b/1.png"), images("b/1.png"))) {
            String message = rejection(at);
            assertTrue(message.contains("U+0066 U+00E9") && message.contains("U+0065 U+0301"), message);
        }
    }

    @Test
    void classesThatDifferInLettersOnlyAreNamed() {
        for (Path at : both(images("Cat/1.png", "dog/1.png"), images("cat/1.png", "dog/1.png"))) {
            assertTrue(
                    rejection(at).contains("has a class 'cat' where ")
                            && rejection(at).contains(" has 'Cat': they differ only in"),
                    rejection(at));
        }
    }

    private static byte[] stored(Charset names, Map<String, byte[]> entries) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (ZipOutputStream out = new ZipOutputStream(bytes, names)) {
            for (Map.Entry<String, byte[]> e : entries.entrySet()) {
                ZipEntry entry = new ZipEntry(e.getKey());
                CRC32 crc = new CRC32();
                crc.update(e.getValue());
                entry.setMethod(ZipEntry.STORED);
                entry.setSize(e.getValue().length);
                entry.setCrc(crc.getValue());
                out.putNextEntry(entry);
                out.write(e.getValue());
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return bytes.toByteArray();
    }

    private Path zips(byte[] train) {
        write(folder.resolve("train.zip"), train);
        write(folder.resolve("test.zip"), zip(images("a/1.png", "b/1.png")));
        return folder;
    }

    /** A zip of which one name was changed after it was written, to one that the writer would refuse. */
    private static byte[] renamed(byte[] zip, String from, String to) {
        return new String(zip, StandardCharsets.ISO_8859_1).replace(from, to).getBytes(StandardCharsets.ISO_8859_1);
    }

    @Test
    void zipNamesOfOtherPrograms() {
        Dataset plain = Datasets.open(zips(zip(images("a/1.png", "b/1.png"))).toString());
        for (Map<String, byte[]> train : List.of(
                images("./a/1.png", "./b/1.png"), images("a\\1.png", "b\\1.png"), images("/a/1.png", "/b/1.png"))) {
            Dataset data = Datasets.open(zips(zip(train)).toString());
            assertEquals(plain.classNames(), data.classNames());
            assertArrayEquals(plain.train().labels(), data.train().labels());
        }
        Map<String, byte[]> japanese = images("\u65e5/1.png", "b/1.png");
        Path file = folder.resolve("train.zip");
        assertEquals(
                file
                        + ": holds names that are not UTF-8, the first '\\x93\\xfa/1.png'; write the zip again with names in UTF-8",
                rejection(zips(stored(Charset.forName("windows-31j"), japanese))));
    }

    @Test
    void anEntryThatIsThereTwiceIsRefused() {
        byte[] twice =
                renamed(stored(StandardCharsets.UTF_8, images("a/1.png", "a/2.png", "b/1.png")), "a/2.png", "a/1.png");
        assertEquals(
                folder.resolve("train.zip")
                        + "!a/1.png: stands there twice, expected each name once; write the zip again",
                rejection(zips(twice)));
        assertTrue(
                rejection(zips(zip(images("a/1.png", "./a/1.png", "b/1.png")))).contains("stands there twice"));
    }

    @Test
    void aWrongChecksumOfAnEntryIsFound() {
        byte[] jpeg = image("jpg", BufferedImage.TYPE_INT_RGB, 3, 3, 0xff010203); // which has no checksum of its own
        Map<String, byte[]> entries = images("a/1.png", "b/1.png");
        entries.put("a/2.jpg", Arrays.copyOf(jpeg, jpeg.length + 1)); // a byte after the end, which no decoder looks at
        byte[] zip = stored(StandardCharsets.UTF_8, entries);
        List<Integer> ends = new ArrayList<>();
        for (int i = 0; i + 4 < zip.length; i++) {
            if ((zip[i] & 0xff) == 0xff
                    && (zip[i + 1] & 0xff) == 0xd9
                    && zip[i + 2] == 0
                    && zip[i + 3] == 'P'
                    && zip[i + 4] == 'K') {
                ends.add(i);
            }
        }
        assertEquals(1, ends.size());
        Datasets.open(zips(zip).toString());
        zip[ends.get(0) + 2] = 1;
        String message = rejection(zips(zip));
        assertTrue(
                message.startsWith(folder.resolve("train.zip") + "!a/2.jpg: ") && message.contains("checksum is wrong"),
                message);
    }
}

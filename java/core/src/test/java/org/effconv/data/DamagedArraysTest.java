package org.effconv.data;

import static org.effconv.data.TestArrays.batch;
import static org.effconv.data.TestArrays.bytes;
import static org.effconv.data.TestArrays.npy;
import static org.effconv.data.TestFiles.counting;
import static org.effconv.data.TestFiles.rejection;
import static org.effconv.data.TestFiles.write;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every damage is an error that names the file, what was found and what was expected. */
class DamagedArraysTest {
    private static final long MOST_ALLOCATED = 16_000_000;

    @TempDir
    Path folder;

    /**
     * @param good writes a dataset that opens
     * @param file the one that is then damaged
     * @param message what the error says behind the file's name
     */
    record Damage(Consumer<Path> good, String file, UnaryOperator<byte[]> damage, String message) {
        @Override
        public String toString() {
            return file + message;
        }
    }

    private static UnaryOperator<byte[]> with(byte[] other) {
        return bytes -> other;
    }

    private static UnaryOperator<byte[]> first(int length) {
        return bytes -> Arrays.copyOf(bytes, length);
    }

    private static UnaryOperator<byte[]> more(int length) {
        return bytes -> Arrays.copyOf(bytes, bytes.length + length);
    }

    private static UnaryOperator<byte[]> flipped(int fromEnd) {
        return bytes -> {
            bytes[bytes.length - fromEnd] ^= 0x55;
            return bytes;
        };
    }

    private static UnaryOperator<byte[]> set(int at, int value) {
        return bytes -> {
            bytes[at] = (byte) value;
            return bytes;
        };
    }

    private static byte[] dictionary(String text) {
        return npy(1, text, new byte[24]);
    }

    private static byte[] pickled(int rows, byte[] data, int... labels) {
        return batch(new TestArrays.Pickle(TestArrays.Python.THREE_AS_4), data, rows, "labels", labels);
    }

    private static byte[] zip(String array, byte[] replacement) {
        Map<String, byte[]> arrays = TestArrays.keras();
        if (replacement == null) {
            arrays.remove(array);
        } else {
            arrays.put(array, replacement);
        }
        return TestFiles.zip(arrays);
    }

    static List<Damage> damages() {
        Consumer<Path> stl = TestArrays::stl;
        Consumer<Path> hundred = TestArrays::cifar100;
        Consumer<Path> npys = TestArrays::npyFolder;
        Consumer<Path> npz = place -> write(place.resolve("a.npz"), TestFiles.zip(TestArrays.keras()));
        Consumer<Path> cifar = TestArrays::cifarPickled;
        Consumer<Path> imageNet = TestArrays::imageNet;
        Consumer<Path> zips = TestArrays::imageNetZips;
        Consumer<Path> svhn = TestArrays::svhn;
        byte[] x = TestArrays.planes(32, true);
        return List.of(
                new Damage(stl, "train_X.bin", first(50000), ": holds 50000 bytes, expected 55296: 3x96x96"),
                new Damage(stl, "test_X.bin", more(1), ": holds 27649 bytes, expected 27648: 3x96x96"),
                new Damage(stl, "train_y.bin", with(bytes(1)), "train_X.bin: holds 55296 bytes, expected 27648"),
                new Damage(
                        stl, "test_y.bin", with(bytes(11)), ": label 11 at index 0 is out of range, expected 1 to 10"),
                new Damage(stl, "train_y.bin", with(bytes(1, 0)), ": label 0 at index 1 is out of range, expected 1"),
                new Damage(stl, "test_y.bin", with(bytes()), ": holds 0 images, expected at least 1"),
                new Damage(stl, "test_y.bin", null, ": file is missing, expected train_X.bin, train_y.bin, test_X.bin"),
                new Damage(hundred, "train.bin", first(6000), ": holds 6000 bytes, expected a multiple of 3074 (two"),
                new Damage(
                        hundred, "train.bin", set(1, 100), ": label 100 at index 0 is out of range, expected 0 to 99"),
                new Damage(hundred, "test.bin", null, ": file is missing, expected train.bin and test.bin"),
                new Damage(
                        npys,
                        "x_train.npy",
                        first(140),
                        ": is truncated: holds 12 bytes behind its header, expected 24"),
                new Damage(
                        npys, "x_train.npy", first(50), ": is truncated within its header, expected 118 bytes there"),
                new Damage(npys, "x_train.npy", first(7), ": is truncated within its header, expected 8 bytes there"),
                new Damage(
                        npys, "x_train.npy", more(3), ": holds 27 bytes behind its header, expected 24 by its shape"),
                new Damage(npys, "x_train.npy", set(0, 'P'), ": begins with 50 4e 55 4d 50 59, expected a .npy file"),
                new Damage(npys, "x_train.npy", set(6, 9), ": version 9 of the .npy form, expected 1 to 3"),
                new Damage(npys, "x_train.npy", set(11, 'X'), ": header '{Xdescr': '|u1', 'fortran_order': False"),
                new Damage(
                        npys,
                        "x_train.npy",
                        with(dictionary("{'descr': '|O', 'fortran_order': False, 'shape': (4, 2, 3), }")),
                        ": holds pickled objects, expected an array of numbers"),
                new Damage(
                        npys,
                        "x_train.npy",
                        with(dictionary("{'descr': [('a', '<i4')], 'fortran_order': False, 'shape': (4,), }")),
                        ": holds fields with names, expected an array of numbers"),
                new Damage(
                        npys,
                        "x_train.npy",
                        with(dictionary("{'descr': '|u1', 'fortran_order': True, 'shape': (4, 2, 3), }")),
                        ": stands in Fortran order, expected C order"),
                new Damage(
                        npys,
                        "x_train.npy",
                        with(dictionary(
                                "{'descr': '|u1', 'fortran_order': False, 'shape': (4, 2, 99999999999999999999), }")),
                        ": shape (4, 2, 99999999999999999999), expected whole numbers"),
                new Damage(
                        npys,
                        "x_train.npy",
                        with(npy("|u1", "(4000000000, 2000000000, 3)", new byte[24])),
                        ": is truncated: holds 24 bytes behind its header, expected 9223372036854775807"),
                new Damage(
                        npys,
                        "x_train.npy",
                        with(npy("<f4", "(4, 2, 3)", new byte[96])),
                        ": holds elements of type f4, expected u1"),
                new Damage(
                        npys,
                        "x_train.npy",
                        with(npy("|u1", "(4, 2, 3, 5)", new byte[120])),
                        ": images of shape (4, 2, 3, 5), expected (N, H, W)"),
                new Damage(
                        npys,
                        "x_train.npy",
                        with(npy("|u1", "(3, 2, 3)", new byte[18])),
                        ": holds 3 images, expected 4 as "),
                new Damage(
                        npys,
                        "x_train.npy",
                        with(npy("|u1", "(4, 5000, 3)", new byte[60000])),
                        ": image size 5000x3 is out of range, expected 1 to 4096"),
                new Damage(
                        npys,
                        "y_train.npy",
                        with(npy("<f8", "(4,)", new byte[32])),
                        ": holds elements of type f8, expected integers"),
                new Damage(
                        npys,
                        "y_train.npy",
                        with(npy("|u1", "(4, 14)", new byte[56])),
                        ": labels of shape (4, 14), expected (N) or (N, 1): one class an image"),
                new Damage(
                        npys,
                        "y_train.npy",
                        with(npy("|u1", "(0,)", new byte[0])),
                        ": holds 0 images, expected at least"),
                new Damage(
                        npys,
                        "y_test.npy",
                        with(npy("|i1", "(2,)", bytes(0, -1))),
                        ": label -1 at index 1 is out of range, expected 0 to 1"),
                new Damage(npys, "y_test.npy", null, ": is missing, expected it beside x_test"),
                new Damage(
                        npz,
                        "a.npz",
                        with(zip("x_test.npy", null)),
                        ": x_test.npy: is missing, expected it beside y_test"),
                new Damage(
                        npz,
                        "a.npz",
                        with(zip("y_test.npy", npy("|u1", "(2,)", bytes(0, 7)))),
                        ": y_test.npy: label 7 at index 1 is out of range"),
                new Damage(
                        npz,
                        "a.npz",
                        with(TestFiles.zip(Map.of("a.npy", npy("|u1", "(1,)", bytes(0))))),
                        ": holds no training images (only a), expected x_train, y_train"),
                new Damage(npz, "a.npz", with("text".getBytes(StandardCharsets.US_ASCII)), ": is no zip file ("),
                new Damage(npz, "a.npz", set(60, 0), ": x_train.npy: "),
                new Damage(
                        cifar,
                        "data_batch_4",
                        null,
                        ": file is missing, expected data_batch_1 to data_batch_5 and test"),
                new Damage(
                        cifar,
                        "data_batch_2",
                        with(pickled(1, new byte[3072], 10)),
                        ": label 10 at index 0 is out of range, expected 0 to 9"),
                new Damage(
                        cifar,
                        "data_batch_2",
                        with(pickled(2, new byte[6144], 1)),
                        ": data: holds 2 images, expected 1, one a label"),
                new Damage(
                        cifar,
                        "data_batch_2",
                        with(pickled(1, new byte[3000], 1)),
                        ": data has rows of 3000 bytes, expected 3072 as in "),
                new Damage(
                        cifar,
                        "data_batch_1",
                        with(pickled(1, new byte[3000], 1)),
                        ": data has rows of 3000 bytes, expected 3072 (3x32x32), or"),
                new Damage(cifar, "test_batch", more(5), ": holds 5 bytes behind its pickle, expected its end there"),
                new Damage(cifar, "test_batch", first(4000), ": is truncated: "),
                new Damage(cifar, "test_batch", with(bytes()), ": is no pickle of protocol 2 to 5, expected Python's"),
                new Damage(cifar, "test_batch", set(1, 6), ": pickle of protocol 6, expected 2 to 5"),
                new Damage(
                        cifar,
                        "test_batch",
                        with(new TestArrays.Pickle(TestArrays.Python.TWO)
                                .raw('}')
                                .end()),
                        ": has no 'data', expected it beside []"),
                new Damage(
                        cifar,
                        "batches.meta",
                        with(new TestArrays.Pickle(TestArrays.Python.TWO)
                                .raw('}')
                                .end()),
                        ": has no list 'label_names' of 10 names, expected one"),
                new Damage(
                        imageNet,
                        "val_data",
                        with(pickled(1, new byte[192], 0)),
                        ": label 0 at index 0 is out of range, expected 1 to 1000"),
                new Damage(
                        imageNet,
                        "train_data_batch_10",
                        with(pickled(1, new byte[192], 1001)),
                        ": label 1001 at index 0 is out of range, expected 1 to 1000"),
                new Damage(
                        zips,
                        "train_data_batch_7.npz",
                        with(TestFiles.zip(Map.of("data.npy", new byte[3]))),
                        ": has no array 'labels', expected data and labels beside [data]"),
                new Damage(zips, "val_data.npz", flipped(1), ": is no zip file ("),
                new Damage(svhn, "train_32x32.mat", first(3000), ": is truncated ("),
                new Damage(svhn, "train_32x32.mat", first(100), ": is truncated ("),
                new Damage(svhn, "train_32x32.mat", set(0, 'X'), ": is damaged or no MATLAB 5 file ("),
                new Damage(svhn, "train_32x32.mat", set(135, 0x7f), ": is damaged or no MATLAB 5 file (a size of 2130"),
                new Damage(
                        svhn,
                        "test_32x32.mat",
                        with(TestArrays.mat(x, new int[] {32, 32, 3}, bytes(11))),
                        ": label 11 at index 0 is out of range, expected 1 to 10"),
                new Damage(
                        svhn,
                        "test_32x32.mat",
                        with(TestArrays.mat(x, new int[] {32, 16, 6, 1}, bytes(1))),
                        ": X is uint8 of [32, 16, 6, 1], expected uint8 of [32, 32, 3, N]"),
                new Damage(
                        svhn,
                        "test_32x32.mat",
                        with(TestArrays.mat(x, new int[] {32, 32, 3, 2}, bytes(1, 2))),
                        ": is damaged or no MATLAB 5 file (Incorrect number of elements"),
                new Damage(
                        svhn,
                        "test_32x32.mat",
                        with(TestArrays.mat(x, new int[] {32, 32, 3}, bytes(1, 2))),
                        ": holds 1 images, expected 2 as there are labels"),
                new Damage(
                        svhn,
                        "test_32x32.mat",
                        with(TestArrays.joined(
                                TestArrays.matHeader(), TestArrays.matrix("X", new int[] {32, 32, 3}, x))),
                        ": has no numeric array y, expected X and y"));
    }

    @ParameterizedTest
    @MethodSource("damages")
    void isRefused(Damage damage) throws IOException {
        damage.good().accept(folder);
        Path file = folder.resolve(damage.file());
        if (damage.damage() == null) {
            Files.delete(file);
        } else {
            byte[] before = Files.exists(file) ? Files.readAllBytes(file) : new byte[0];
            write(file, damage.damage().apply(before));
        }
        boolean namesFile = damage.message().startsWith(":");
        long before = allocated();
        String message = rejection(folder);
        long allocated = allocated() - before;
        assertTrue(message.startsWith((namesFile ? file : folder + "/") + damage.message()), message);
        assertTrue(allocated < MOST_ALLOCATED, "allocated " + allocated + " bytes");
    }

    @ParameterizedTest
    @MethodSource("damages")
    void opensWithoutTheDamage(Damage damage) {
        damage.good().accept(folder);
        assertTrue(Datasets.open(folder.toString()).train().count() > 0);
    }

    /** A checksum is all that tells a changed pixel. */
    @Test
    void changedBytesInAZip() {
        Path file = folder.resolve("a.npz");
        write(file, stored(TestArrays.keras()));
        assertTrue(Datasets.open(file.toString()).train().count() == 4);
        byte[] content = read(file);
        int at = indexOf(content, counting(24, 0));
        content[at + 3] ^= 1;
        write(file, content);
        String message = rejection(file);
        assertTrue(message.equals(file + ": x_train.npy: is damaged: its checksum is wrong"), message);
    }

    private static byte[] stored(Map<String, byte[]> entries) {
        var bytes = new java.io.ByteArrayOutputStream();
        try (var out = new java.util.zip.ZipOutputStream(bytes)) {
            out.setLevel(0);
            for (Map.Entry<String, byte[]> entry : entries.entrySet()) {
                out.putNextEntry(new java.util.zip.ZipEntry(entry.getKey()));
                out.write(entry.getValue());
                out.closeEntry();
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return bytes.toByteArray();
    }

    /** scipy's compressed file, each byte behind the header changed in turn: it opens as it was, or is refused. */
    @Test
    void anyByteOfACompressedMatlabFile() {
        byte[] good = java.util.Base64.getDecoder()
                .decode(ArrayFormatsTest.lines("svhn-scipy.txt").get(0));
        for (int at = 128; at < good.length; at++) {
            byte[] bad = good.clone();
            bad[at] ^= 0x10;
            write(folder.resolve("train_32x32.mat"), good);
            write(folder.resolve("test_32x32.mat"), bad);
            try {
                Images test = Datasets.open(folder.toString()).test();
                assertTrue(test.count() == 2 && test.pixel(1, 1, 2, 2) == 36, "byte " + at);
            } catch (org.effconv.error.EffconvException.InvalidInput e) {
                assertTrue(e.getMessage().startsWith(folder.resolve("test_32x32.mat") + ": "), e.getMessage());
            }
        }
    }

    private static long allocated() {
        return ((com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean()).getCurrentThreadAllocatedBytes();
    }

    private static byte[] read(Path file) {
        try {
            return Files.readAllBytes(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static int indexOf(byte[] all, byte[] part) {
        for (int i = 0; i + part.length <= all.length; i++) {
            if (Arrays.equals(all, i, i + part.length, part, 0, part.length)) {
                return i;
            }
        }
        throw new AssertionError("not there");
    }
}

package org.effconv.data;

import static org.effconv.data.TestFiles.write;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;

/** Small files of arrays, written by hand in the published forms. */
final class TestArrays {
    private TestArrays() {}

    /** An .npy file of version 1, padded as NumPy pads it. */
    static byte[] npy(String descr, String shape, byte[] content) {
        return npy(1, "{'descr': '" + descr + "', 'fortran_order': False, 'shape': " + shape + ", }", content);
    }

    static byte[] npy(int version, String dictionary, byte[] content) {
        int before = version == 1 ? 10 : 12;
        int padded = (before + dictionary.length() + 1 + 63) / 64 * 64;
        byte[] text =
                String.format("%-" + (padded - before - 1) + "s\n", dictionary).getBytes(StandardCharsets.ISO_8859_1);
        ByteBuffer file = ByteBuffer.allocate(padded + content.length).order(ByteOrder.LITTLE_ENDIAN);
        file.put((byte) 0x93).put("NUMPY".getBytes(StandardCharsets.US_ASCII));
        file.put((byte) version).put((byte) 0);
        if (version == 1) {
            file.putShort((short) text.length);
        } else {
            file.putInt(text.length);
        }
        return file.put(text).put(content).array();
    }

    static byte[] bytes(int... values) {
        byte[] bytes = new byte[values.length];
        for (int i = 0; i < values.length; i++) {
            bytes[i] = (byte) values[i];
        }
        return bytes;
    }

    /** Four training images of 2 x 3 pixels, classes 1 0 1 0, and two test images, classes 0 1, by Keras' names. */
    static Map<String, byte[]> keras() {
        Map<String, byte[]> arrays = new LinkedHashMap<>();
        arrays.put("x_train.npy", npy("|u1", "(4, 2, 3)", TestFiles.counting(24, 0)));
        arrays.put("y_train.npy", npy("|u1", "(4,)", bytes(1, 0, 1, 0)));
        arrays.put("x_test.npy", npy("|u1", "(2, 2, 3)", TestFiles.counting(12, 100)));
        arrays.put("y_test.npy", npy("|u1", "(2,)", bytes(0, 1)));
        return arrays;
    }

    /** Those of {@link #keras} as files of a folder. */
    static void npyFolder(Path folder) {
        keras().forEach((name, content) -> write(folder.resolve(name), content));
    }

    /** Which Python wrote a pickle, by which protocol. */
    enum Python {
        TWO(2),
        THREE_AS_2(2),
        THREE_AS_3(3),
        THREE_AS_4(4),
        THREE_AS_5(5);

        final int protocol;

        Python(int protocol) {
            this.protocol = protocol;
        }
    }

    /** Writes a pickle as Python does, opcode by opcode. */
    static final class Pickle {
        private final Python python;
        private final String core;
        private final ByteArrayOutputStream out = new ByteArrayOutputStream();
        private int memo;

        Pickle(Python python) {
            this(python, "numpy.core");
        }

        /** @param core where the functions that make arrays live: numpy.core until NumPy 1, numpy._core from 2 on */
        Pickle(Python python, String core) {
            this.python = python;
            this.core = core;
            raw(0x80, python.protocol);
        }

        Pickle raw(int... values) {
            out.writeBytes(bytes(values));
            return this;
        }

        Pickle raw(String latin1) {
            out.writeBytes(latin1.getBytes(StandardCharsets.ISO_8859_1));
            return this;
        }

        /** What was just made is remembered, whether or not it is asked for again. */
        Pickle put() {
            return python.protocol >= 4 ? raw(0x94) : raw('q', memo++);
        }

        Pickle text(String text) {
            byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
            if (python == Python.TWO) {
                raw('U', utf8.length);
            } else if (python.protocol >= 4 && utf8.length < 256) {
                raw(0x8c, utf8.length);
            } else {
                raw('X').int32(utf8.length);
            }
            out.writeBytes(utf8);
            return put();
        }

        Pickle int32(int value) {
            out.writeBytes(ByteBuffer.allocate(4)
                    .order(ByteOrder.LITTLE_ENDIAN)
                    .putInt(value)
                    .array());
            return this;
        }

        Pickle int64(long value) {
            out.writeBytes(ByteBuffer.allocate(8)
                    .order(ByteOrder.LITTLE_ENDIAN)
                    .putLong(value)
                    .array());
            return this;
        }

        Pickle number(int value) {
            return value >= 0 && value < 256
                    ? raw('K', value)
                    : value >= 0 && value < 65536 ? raw('M', value & 0xff, value >> 8) : raw('J').int32(value);
        }

        Pickle content(byte[] content) {
            switch (python) {
                case TWO -> raw('T').int32(content.length).raw(new String(content, StandardCharsets.ISO_8859_1));
                case THREE_AS_2 -> {
                    global("_codecs", "encode");
                    return text(new String(content, StandardCharsets.ISO_8859_1))
                            .text("latin1")
                            .raw(0x86)
                            .put()
                            .raw('R')
                            .put();
                }
                case THREE_AS_5 -> raw(0x96)
                        .int64(content.length)
                        .raw(new String(content, StandardCharsets.ISO_8859_1));
                default -> raw('B').int32(content.length).raw(new String(content, StandardCharsets.ISO_8859_1));
            }
            return put();
        }

        Pickle global(String module, String name) {
            return python.protocol >= 4
                    ? text(module).text(name).raw(0x93).put()
                    : raw('c').raw(module + "\n" + name + "\n").put();
        }

        Pickle type(String code, String order) {
            global("numpy", "dtype")
                    .text(code)
                    .raw(0x89, 0x88, 0x87)
                    .put()
                    .raw('R')
                    .put();
            return raw('(').number(3)
                    .text(order)
                    .raw("NNN")
                    .number(-1)
                    .number(-1)
                    .number(0)
                    .raw('t')
                    .put()
                    .raw('b');
        }

        Pickle array(String code, String order, byte[] content, int... shape) {
            if (python == Python.THREE_AS_5) {
                global(core + ".numeric", "_frombuffer")
                        .raw('(')
                        .content(content)
                        .type(code, order);
                return tuple(shape).text("C").raw('t').put().raw('R').put();
            }
            global(core + ".multiarray", "_reconstruct").global("numpy", "ndarray");
            tuple(0).content(bytes('b')).raw(0x87).put().raw('R').put().raw('(').number(1);
            return tuple(shape)
                    .type(code, order)
                    .raw(0x89)
                    .content(content)
                    .raw('t')
                    .put()
                    .raw('b');
        }

        private Pickle tuple(int... values) {
            raw('(');
            for (int value : values) {
                number(value);
            }
            return raw('t').put();
        }

        Pickle list(int... values) {
            raw(']').put().raw('(');
            for (int value : values) {
                number(value);
            }
            return raw('e');
        }

        byte[] end() {
            raw('.');
            return out.toByteArray();
        }
    }

    /** A batch as CIFAR and ImageNet have it. */
    static byte[] batch(Pickle pickle, byte[] data, int rows, String labelsKey, int... labels) {
        return pickle.raw('}')
                .put()
                .raw('(')
                .text("data")
                .array("u1", "|", data, rows, data.length / rows)
                .text(labelsKey)
                .list(labels)
                .raw('u')
                .end();
    }

    /** Batches of two images of 3 x 32 x 32 bytes that count up, of classes 3 and 9. */
    static void cifarPickled(Path folder) {
        byte[] batch = batch(new Pickle(Python.TWO), TestFiles.counting(2 * 3072, 0), 2, "labels", 3, 9);
        for (int i = 1; i <= 5; i++) {
            write(folder.resolve("data_batch_" + i), batch);
        }
        write(folder.resolve("test_batch"), batch);
    }

    /** The same in all eleven files of downsampled ImageNet. */
    static void imageNet(Path folder, byte[] batch, String ending) {
        for (int i = 1; i <= 10; i++) {
            write(folder.resolve("train_data_batch_" + i + ending), batch);
        }
        write(folder.resolve("val_data" + ending), batch);
    }

    /** Two images of 3 x 8 x 8 bytes that count up, of classes 1 and 1000. */
    static void imageNet(Path folder) {
        imageNet(folder, batch(new Pickle(Python.THREE_AS_3), TestFiles.counting(384, 0), 2, "labels", 1, 1000), "");
    }

    static void imageNetZips(Path folder) {
        imageNet(
                folder,
                TestFiles.zip(Map.of(
                        "data.npy", npy("|u1", "(2, 192)", TestFiles.counting(384, 0)),
                        "labels.npy", npy("<i2", "(2,)", bytes(1, 0, 0xe8, 3)),
                        "mean.npy", npy("<f8", "(1,)", new byte[8]))),
                ".npz");
    }

    /** Planes whose red bytes are 10, green 20, blue 30, but for pixel (1, 2): 11, 22, 33. */
    static byte[] planes(int side, boolean byColumns) {
        byte[] image = new byte[3 * side * side];
        for (int c = 0; c < 3; c++) {
            int plane = c * side * side;
            Arrays.fill(image, plane, plane + side * side, (byte) (10 + 10 * c));
            image[plane + (byColumns ? 2 * side + 1 : side + 2)] = (byte) (11 * (c + 1));
        }
        return image;
    }

    static byte[] repeated(byte[] once, int times) {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        for (int i = 0; i < times; i++) {
            all.writeBytes(once);
        }
        return all.toByteArray();
    }

    /** STL-10 of two training images, classes 1 and 10, and one test image, class 2. */
    static void stl(Path folder) {
        write(folder.resolve("train_X.bin"), repeated(planes(96, true), 2));
        write(folder.resolve("train_y.bin"), bytes(1, 10));
        write(folder.resolve("test_X.bin"), planes(96, true));
        write(folder.resolve("test_y.bin"), bytes(2));
        write(folder.resolve("fold_indices.txt"), bytes('0'));
    }

    /** CIFAR-100 of two training records, fine classes 99 and 4, and one test record, 7. */
    static void cifar100(Path folder) {
        write(folder.resolve("train.bin"), joined(bytes(19, 99), planes(32, false), bytes(3, 4), planes(32, false)));
        write(folder.resolve("test.bin"), joined(bytes(0, 7), planes(32, false)));
    }

    static byte[] joined(byte[]... parts) {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        for (byte[] part : parts) {
            all.writeBytes(part);
        }
        return all.toByteArray();
    }

    /** SVHN of two images, labels 1 and 10, in both parts. */
    static void svhn(Path folder) {
        byte[] file = mat(repeated(planes(32, true), 2), new int[] {32, 32, 3, 2}, bytes(1, 10));
        write(folder.resolve("train_32x32.mat"), file);
        write(folder.resolve("test_32x32.mat"), file);
    }

    /** A MATLAB 5 file, not compressed: 128 bytes of header, then X and y as matrices of uint8. */
    static byte[] mat(byte[] x, int[] extents, byte[] y) {
        return joined(matHeader(), matrix("X", extents, x), matrix("y", new int[] {y.length, 1}, y));
    }

    static byte[] matHeader() {
        return ByteBuffer.allocate(128)
                .order(ByteOrder.LITTLE_ENDIAN)
                .put(String.format("%-116s", "MATLAB 5.0 MAT-file, by hand").getBytes(StandardCharsets.US_ASCII))
                .putLong(0)
                .putShort((short) 0x0100)
                .putShort((short) ('M' << 8 | 'I'))
                .array();
    }

    static byte[] matrix(String name, int[] extents, byte[] content) {
        int padded = (content.length + 7) / 8 * 8;
        int size = 16 + 8 + (4 * extents.length + 7) / 8 * 8 + 8 + 8 + padded;
        ByteBuffer matrix = ByteBuffer.allocate(8 + size).order(ByteOrder.LITTLE_ENDIAN);
        matrix.putInt(14).putInt(size); // miMATRIX
        matrix.putInt(6).putInt(8).putInt(9).putInt(0); // flags: class uint8
        matrix.putInt(5).putInt(4 * extents.length);
        for (int extent : extents) {
            matrix.putInt(extent);
        }
        matrix.position((matrix.position() + 7) / 8 * 8);
        matrix.putInt(1 << 16 | 1).put((byte) name.charAt(0)).put(new byte[3]); // a name of one byte, within its tag
        matrix.putInt(2).putInt(content.length).put(content); // miUINT8
        return Arrays.copyOf(matrix.array(), 8 + size);
    }
}

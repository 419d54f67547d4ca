package org.effconv.data;

import static org.effconv.data.DataFiles.invalid;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;

/** A NumPy array, or one of its numbers, as it comes out of a pickle; filled by its state, which follows it there. */
final class PickledArray {
    private long[] shape = {0};
    private Type type;
    private Object content = new byte[0]; // bytes, or a text of their codes
    private boolean fortran;

    /** The type of its elements; the byte order is its state. */
    static final class Type {
        private final String code;
        private String order = "|";
        private boolean composed;

        Type(String code) {
            this.code = code;
        }

        /** (version, byte order, sub-array, names, fields, size, alignment, flags). */
        void setState(Object[] state) {
            order = PickledArrays.text(state[1]);
            composed = state[2] != null || state[3] != null || state[4] != null;
        }

        NumpyType parsed(Object where) {
            if (composed || code.startsWith("O")) {
                throw invalid(where, "holds an array of objects or fields, expected numbers");
            }
            return NumpyType.parse(where, order + code);
        }
    }

    /** A text of many characters, still as UTF-8. */
    record LongText(byte[] utf8) {}

    /** (version, shape, type, Fortran order, content). */
    void setState(Object[] state) {
        setShape(state[1]);
        type = (Type) state[2];
        fortran = (Boolean) state[3];
        content = state[4];
    }

    private void setShape(Object tuple) {
        shape = Arrays.stream((Object[]) tuple)
                .mapToLong(extent -> ((Number) extent).longValue())
                .toArray();
    }

    /** numpy.core.numeric._frombuffer(content, type, shape, order). */
    static PickledArray ofBuffer(Object[] arguments) {
        PickledArray array = new PickledArray();
        array.content = arguments[0];
        array.type = (Type) arguments[1];
        array.setShape(arguments[2]);
        array.fortran = "F".equals(arguments[3]);
        return array;
    }

    /** numpy.core.multiarray.scalar(type, content). */
    static PickledArray ofScalar(Object[] arguments) {
        PickledArray number = new PickledArray();
        number.type = (Type) arguments[0];
        number.shape = new long[0];
        number.content = arguments[1];
        return number;
    }

    long[] shape() {
        return shape;
    }

    NumpyType type(Object where) {
        if (type == null) {
            throw invalid(where, "holds an array without its content");
        }
        return type.parsed(where);
    }

    /** The elements in C order; the array is the caller's only if it was bytes in the pickle. */
    byte[] bytes(Object where) {
        long expected = NpyHeader.bytesOf(type(where), shape);
        if (fortran && shape.length > 1) {
            throw invalid(where, "stands in Fortran order, expected C order");
        }
        byte[] bytes;
        if (content instanceof byte[] plain) {
            bytes = plain;
        } else if (content instanceof String text) {
            bytes = latin1(where, new LongText(text.getBytes(StandardCharsets.UTF_8)));
        } else if (content instanceof LongText text) {
            bytes = latin1(where, text);
        } else {
            throw invalid(where, "holds an array of objects, expected numbers");
        }
        if (bytes.length != expected) {
            throw invalid(
                    where,
                    "holds " + bytes.length + " bytes, expected " + expected + " by its shape "
                            + NpyHeader.written(shape) + " of " + type(where));
        }
        return bytes;
    }

    /** Bytes whose codes are the characters: U+0000 to U+007F take one byte of UTF-8, U+0080 to U+00FF two. */
    private static byte[] latin1(Object where, LongText text) {
        byte[] utf8 = text.utf8();
        int length = 0;
        for (byte b : utf8) {
            length += (b & 0xc0) == 0x80 ? 0 : 1;
        }
        byte[] bytes = DataFiles.array(where.toString(), length);
        int next = 0;
        for (int i = 0; i < utf8.length; i++) {
            int b = utf8[i] & 0xff;
            if (b >= 0x80) {
                if ((b & 0xfe) != 0xc2 || i + 1 == utf8.length || (utf8[i + 1] & 0xc0) != 0x80) {
                    throw invalid(where, "holds bytes written as a text with other characters than 0 to 255");
                }
                i++;
                b = (b & 3) << 6 | utf8[i] & 0x3f;
            }
            bytes[next++] = (byte) b;
        }
        return bytes;
    }

    /** Integers: of a list, or of an array of one dimension. */
    static long[] integers(Object where, Object value) {
        if (value instanceof PickledArray array) {
            if (array.shape.length != 1) {
                throw invalid(where, "labels of shape " + NpyHeader.written(array.shape) + ", expected (N)");
            }
            return array.type(where).integers(where, array.bytes(where));
        }
        if (value instanceof List<?> list) {
            return list.stream().mapToLong(element -> integer(where, element)).toArray();
        }
        throw invalid(where, "holds no list of labels, expected integers");
    }

    private static long integer(Object where, Object element) {
        if (element instanceof Integer || element instanceof Long) {
            return ((Number) element).longValue();
        }
        if (element instanceof PickledArray number && number.shape.length == 0) {
            return number.type(where).integers(where, number.bytes(where))[0];
        }
        throw invalid(
                where,
                "label of type "
                        + (element == null ? "None" : element.getClass().getSimpleName()) + ", expected integers");
    }
}

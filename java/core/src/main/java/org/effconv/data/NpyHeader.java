package org.effconv.data;

import static org.effconv.data.DataFiles.invalid;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * The header of a NumPy .npy file (numpy.lib.format, versions 1 to 3): magic string, version, length, and a Python
 * dictionary of type, order and shape. Pickled objects, fields with names and Fortran order are refused.
 *
 * @param bytes of the header, magic string included
 */
record NpyHeader(NumpyType type, long[] shape, int bytes) {
    private static final byte[] MAGIC = {(byte) 0x93, 'N', 'U', 'M', 'P', 'Y'};
    private static final int MOST = 1 << 16; // bytes of the dictionary; NumPy's own limit is lower

    /** As NumPy and those that follow it write it: these keys, in this order. */
    private static final Pattern DICTIONARY = Pattern.compile("\\{\\s*'descr':\\s*(?:'([^']*)'|(\\[.*\\]))\\s*,"
            + "\\s*'fortran_order':\\s*(True|False)\\s*,\\s*'shape':\\s*\\(([0-9L,\\s]*)\\)\\s*,?\\s*\\}\\s*");

    static NpyHeader read(Object where, InputStream in) throws IOException {
        byte[] start = exactly(where, in, MAGIC.length + 2);
        if (!Arrays.equals(start, 0, MAGIC.length, MAGIC, 0, MAGIC.length)) {
            throw invalid(where, "begins with " + hex(start) + ", expected a .npy file (93 4e 55 4d 50 59)");
        }
        int version = start[MAGIC.length] & 0xff;
        if (version < 1 || version > 3) {
            throw invalid(where, "version " + version + " of the .npy form, expected 1 to 3");
        }
        byte[] lengthField = exactly(where, in, version == 1 ? 2 : 4);
        long length = 0;
        for (int i = lengthField.length - 1; i >= 0; i--) {
            length = length << 8 | lengthField[i] & 0xff;
        }
        if (length > MOST) {
            throw invalid(where, "header of " + length + " bytes, expected at most " + MOST);
        }
        String text = new String(exactly(where, in, (int) length), StandardCharsets.UTF_8);
        Matcher found = DICTIONARY.matcher(text);
        if (!found.matches()) {
            throw invalid(
                    where,
                    "header '" + text.substring(0, Math.min(60, text.length())).strip()
                            + "', expected {'descr': ..., 'fortran_order': ..., 'shape': ..., }");
        }
        if (found.group(2) != null || found.group(1).endsWith("O")) {
            throw invalid(
                    where,
                    "holds " + (found.group(2) != null ? "fields with names" : "pickled objects")
                            + ", expected an array of numbers");
        }
        NumpyType type = NumpyType.parse(where, found.group(1));
        long[] shape = shape(where, found.group(4));
        if (found.group(3).equals("True") && shape.length > 1) {
            throw invalid(
                    where, "stands in Fortran order, expected C order (numpy.save(file, numpy.ascontiguousarray(a)))");
        }
        return new NpyHeader(type, shape, start.length + lengthField.length + (int) length);
    }

    private static byte[] exactly(Object where, InputStream in, int length) throws IOException {
        byte[] bytes = in.readNBytes(length);
        if (bytes.length < length) {
            throw invalid(where, "is truncated within its header, expected " + length + " bytes there");
        }
        return bytes;
    }

    private static long[] shape(Object where, String text) {
        try {
            return Arrays.stream(text.split(","))
                    .map(String::strip)
                    .filter(s -> !s.isEmpty())
                    .mapToLong(s -> Long.parseLong(s.endsWith("L") ? s.substring(0, s.length() - 1) : s))
                    .toArray();
        } catch (NumberFormatException e) {
            throw invalid(where, "shape (" + text + "), expected whole numbers");
        }
    }

    private static String hex(byte[] bytes) {
        return IntStream.range(0, MAGIC.length)
                .mapToObj(i -> String.format(Locale.ROOT, "%02x", bytes[i]))
                .collect(Collectors.joining(" "));
    }

    /** Bytes of all elements; {@link Long#MAX_VALUE} where they cannot be counted. */
    long dataBytes() {
        return bytesOf(type, shape);
    }

    static long bytesOf(NumpyType type, long[] shape) {
        long bytes = type.bytes();
        for (long extent : shape) {
            if (extent != 0 && bytes > Long.MAX_VALUE / extent) {
                return Long.MAX_VALUE;
            }
            bytes *= extent;
        }
        return bytes;
    }

    /** As Python writes it: (4, 2, 3). */
    static String written(long[] shape) {
        return Arrays.stream(shape).mapToObj(Long::toString).collect(Collectors.joining(", ", "(", ")"));
    }
}

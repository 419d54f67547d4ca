package org.effconv.data;

import static org.effconv.data.DataFiles.invalid;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What the elements of a NumPy array are, as its "array interface" writes it: {@code |u1}, {@code <i8}.
 *
 * @param kind i: signed, u: unsigned, f: floating point and so on
 * @param bytes of one element
 */
record NumpyType(char kind, int bytes, ByteOrder order) {
    private static final Pattern FORM = Pattern.compile("([<>|=]?)([a-zA-Z])([0-9]{1,4})");

    static NumpyType parse(Object where, String descr) {
        Matcher form = FORM.matcher(descr);
        if (!form.matches()) {
            throw invalid(where, "elements of type " + shortened(descr) + ", expected a type of numbers such as |u1");
        }
        ByteOrder order =
                switch (form.group(1)) {
                    case ">" -> ByteOrder.BIG_ENDIAN;
                    case "=" -> ByteOrder.nativeOrder();
                    default -> ByteOrder.LITTLE_ENDIAN;
                };
        return new NumpyType(form.group(2).charAt(0), Integer.parseInt(form.group(3)), order);
    }

    private static String shortened(String text) {
        return text.length() <= 40 ? text : text.substring(0, 40) + "...";
    }

    void requirePixels(Object where) {
        if (kind != 'u' || bytes != 1) {
            throw invalid(where, "holds elements of type " + this + ", expected u1 (uint8, 0 to 255)");
        }
    }

    /** Integers of any width; those of 8 unsigned bytes beyond a long turn negative. */
    long[] integers(Object where, byte[] content) {
        if (kind != 'i' && kind != 'u' || bytes != 1 && bytes != 2 && bytes != 4 && bytes != 8) {
            throw invalid(where, "holds elements of type " + this + ", expected integers");
        }
        ByteBuffer buffer = ByteBuffer.wrap(content).order(order);
        long[] values = new long[content.length / bytes];
        for (int i = 0; i < values.length; i++) {
            long value =
                    switch (bytes) {
                        case 1 -> buffer.get();
                        case 2 -> buffer.getShort();
                        case 4 -> buffer.getInt();
                        default -> buffer.getLong();
                    };
            values[i] = kind == 'u' && bytes < 8 ? value & (1L << 8 * bytes) - 1 : value;
        }
        return values;
    }

    @Override
    public String toString() {
        return "" + kind + bytes;
    }
}

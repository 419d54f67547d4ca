package org.effconv.data;

import static org.effconv.data.DataFiles.invalid;

import java.util.List;
import java.util.stream.IntStream;

/** Class labels of a file, checked. */
final class Labels {
    private Labels() {}

    /**
     * Labels counted from 0.
     *
     * @param first the lowest label that the file may hold: 0, or 1 where it counts from 1
     * @param classes how many labels there are from {@code first} on
     */
    static int[] of(Object file, long[] values, int first, int classes) {
        int[] labels = new int[values.length];
        for (int i = 0; i < values.length; i++) {
            requireIn(file, values[i], i, first, classes);
            labels[i] = (int) (values[i] - first);
        }
        return labels;
    }

    static void requireIn(Object file, long value, long index, int first, int classes) {
        if (value < first || value >= first + classes) {
            throw invalid(
                    file,
                    "label " + value + " at index " + index + " is out of range, expected " + first + " to "
                            + (first + classes - 1));
        }
    }

    /** One more than the largest class below which every class has an image. */
    static int classes(Object file, long[] labels) {
        boolean[] seen = new boolean[labels.length + 1];
        for (long label : labels) {
            if (label >= 0 && label < labels.length) {
                seen[(int) label] = true;
            }
        }
        int classes = 0;
        while (seen[classes]) {
            classes++;
        }
        if (classes < 2) {
            throw invalid(
                    file,
                    "labels do not count classes from 0: class " + classes
                            + " has no image, expected at least 2 classes");
        }
        return classes;
    }

    static long[] unsigned(byte[] bytes) {
        long[] values = new long[bytes.length];
        for (int i = 0; i < bytes.length; i++) {
            values[i] = bytes[i] & 0xff;
        }
        return values;
    }

    /** Classes that have no names but their numbers. */
    static List<String> numbers(int first, int classes) {
        return IntStream.range(first, first + classes)
                .mapToObj(Integer::toString)
                .toList();
    }
}

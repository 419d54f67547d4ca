package org.effconv.report;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/** Numbers as a reader sees them. */
final class Text {
    private Text() {}

    static String format(String form, Object... values) {
        return String.format(Locale.ROOT, form, values);
    }

    /** A share, 0..1. */
    static String percent(double share) {
        return format("%.2f %%", 100 * share);
    }

    static String count(long number) {
        return format("%,d", number);
    }

    /** 9653088 as "9.65 million". */
    static String rough(double number) {
        String[] words = {"", " thousand", " million", " billion", " trillion"};
        int w = 0;
        double rest = number;
        while (w < words.length - 1 && rest >= 1000) {
            rest /= 1000;
            w++;
        }
        return rest >= 1000 ? format("%.3g", number) : format(rest >= 100 ? "%.0f" : "%.3g", rest) + words[w];
    }

    static String seconds(double seconds) {
        if (seconds < 60) {
            return format("%.1f s", seconds);
        }
        long whole = Math.round(seconds);
        return whole < 3600
                ? format("%d min %d s", whole / 60, whole % 60)
                : format("%d h %d min", whole / 3600, whole % 3600 / 60);
    }

    static String mebibytes(double bytes) {
        return format("%,.0f MiB", bytes / 1048576);
    }

    static String sizes(int[] sizes) {
        return Arrays.stream(sizes).mapToObj(Integer::toString).collect(Collectors.joining(" "));
    }

    static int[] ints(JsonNode list) {
        int[] values = new int[list.size()];
        Arrays.setAll(values, i -> list.get(i).asInt());
        return values;
    }

    static double[] doubles(JsonNode list) {
        double[] values = new double[list.size()];
        Arrays.setAll(values, i -> list.get(i).asDouble());
        return values;
    }

    /** A number, or NaN where there is none. */
    static double number(JsonNode node) {
        return node.isNumber() ? node.asDouble() : Double.NaN;
    }

    static List<String> texts(JsonNode list) {
        List<String> texts = new ArrayList<>();
        list.forEach(text -> texts.add(text.asText()));
        return texts;
    }

    /** "uniform 5", or what sizes are called that are not all one. */
    static String plainName(int[] sizes) {
        return Arrays.stream(sizes).distinct().count() == 1 ? "uniform " + sizes[0] : "near-uniform";
    }
}

package org.effconv.data;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.effconv.EffconvException;

/** Placeholder text, replaced below. */
public record Planted(int extent, int classes, int size, int trainCount, int testCount, int noise, long seed) {
    static final String PREFIX = "planted:";
    /** Largest extent on offer: the largest kernel there is. */
    public static final int MAX_EXTENT = 33;

    private static final List<String> CLASS_NAMES = List.of("horizontal", "vertical", "falling", "rising");
    private static final int BACKGROUND = 128;
    private static final int BACKGROUND_SPREAD = 8;
    private static final int DOT = 100;
    private static final int DOT_SPREAD = 15;
    private static final int MAX_NOISE = 20;
    private static final int MAX_COUNT = 1_000_000;
    private static final int FREEDOM = 11; // columns (rows) left over beside a pair in an image of the default size

    /**
     * @throws EffconvException.InvalidInput if a value is out of range; the message names it
     */
    public Planted {
        if (extent < 3 || extent > MAX_EXTENT || extent % 2 == 0) {
            throw invalid("extent", extent, "an odd number from 3 to " + MAX_EXTENT);
        }
        check("classes", classes, 2, CLASS_NAMES.size());
        check("size", size, smallestSize(extent), 512);
        check("train", trainCount, classes, MAX_COUNT);
        check("test", testCount, classes, MAX_COUNT);
        check("noise", noise, 0, MAX_NOISE);
    }

    /** Two classes, 4,000 training and 1,000 test images of the default size, no noise, seed 0. */
    public static Planted ofExtent(int extent) {
        return new Planted(extent, 2, defaultSize(extent), 4000, 1000, 0, 0);
    }

    /** Side of the images unless another is asked for: 3 extent + 5, which is 32 for extent 9. */
    public static int defaultSize(int extent) {
        return smallestSize(extent) + FREEDOM;
    }

    /** A pair with its margins just fits. */
    private static int smallestSize(int extent) {
        return extent + 2 * margin(extent);
    }

    private static int margin(int extent) {
        return extent - 3;
    }

    /** Reads {@code planted:<extent>[,key=value...]}. */
    static Planted parse(String spec) {
        String[] parts = spec.substring(PREFIX.length()).split(",", -1);
        Map<String, Long> options = new LinkedHashMap<>();
        int extent = (int) number("extent", parts[0]);
        options.put("classes", 2L);
        options.put("size", (long) (extent >= 3 && extent <= MAX_EXTENT ? defaultSize(extent) : 0));
        options.put("train", 4000L);
        options.put("test", 1000L);
        options.put("noise", 0L);
        options.put("seed", 0L);
        for (int i = 1; i < parts.length; i++) {
            String[] pair = parts[i].split("=", 2);
            if (pair.length < 2 || !options.containsKey(pair[0].strip())) {
                throw new EffconvException.InvalidInput("planted data: option '" + parts[i] + "' is unknown, expected one of "
                        + options.keySet() + " as key=value");
            }
            options.put(pair[0].strip(), number(pair[0].strip(), pair[1]));
        }
        return new Planted(extent, (int) (long) options.get("classes"), (int) (long) options.get("size"),
                (int) (long) options.get("train"), (int) (long) options.get("test"), (int) (long) options.get("noise"),
                options.get("seed"));
    }

    private static long number(String field, String text) {
        try {
            long value = Long.parseLong(text.strip());
            if (field.equals("seed") || value == (int) value) {
                return value;
            }
        } catch (NumberFormatException e) {
            throw new EffconvException.InvalidInput(
                    "planted data: " + field + " '" + text + "' is not a number, expected a whole number", e);
        }
        throw invalid(field, text, "a whole number below 2^31");
    }

    private static void check(String field, int value, int least, int most) {
        if (value < least || value > most) {
            throw invalid(field, value, least + " to " + most);
        }
    }

    private static EffconvException.InvalidInput invalid(String field, Object value, String expected) {
        return new EffconvException.InvalidInput(
                "planted data: " + field + " " + value + " is out of range, expected " + expected);
    }

    /** The dataset: the same bytes for the same values. */
    public Dataset generate() {
        Images train = images(trainCount, 0);
        Images test = images(testCount, 1);
        return Dataset.of(name(), train, test, CLASS_NAMES.subList(0, classes));
    }

    private String name() {
        return PREFIX + extent + ",classes=" + classes + ",size=" + size + ",train=" + trainCount + ",test=" + testCount
                + ",noise=" + noise + ",seed=" + seed;
    }

    private Images images(int count, long part) {
        byte[] pixels = new byte[Images.totalBytes(name(), count, (long) size * size)];
        int[] labels = new int[count];
        for (int i = 0; i < count; i++) {
            labels[i] = i % classes;
        }
        SplittableRandom random = Draws.stream(seed, Draws.PLANTED, part);
        Draws.shuffle(labels, random);
        for (int i = 0; i < count; i++) {
            draw(pixels, i * size * size, labels[i], random);
        }
        return Images.of(pixels, labels, size, size, 1);
    }

    private void draw(byte[] pixels, int start, int label, SplittableRandom random) {
        int background = around(BACKGROUND, BACKGROUND_SPREAD, random);
        for (int p = 0; p < size * size; p++) {
            pixels[start + p] = (byte) (noise == 0 ? background : around(background, noise, random));
        }
        int reach = extent - 1;
        int dy = label == 0 ? 0 : label == 3 ? -reach : reach;
        int dx = label == 1 ? 0 : reach;
        int inner = size - 2 * margin(extent);
        int y = margin(extent) + Draws.below(random, inner - Math.abs(dy)) - Math.min(dy, 0);
        int x = margin(extent) + Draws.below(random, inner - dx);
        brighten(pixels, start + y * size + x, random);
        brighten(pixels, start + (y + dy) * size + x + dx, random);
    }

    private static void brighten(byte[] pixels, int at, SplittableRandom random) {
        pixels[at] = (byte) Math.min(255, (pixels[at] & 0xff) + around(DOT, DOT_SPREAD, random));
    }

    private static int around(int centre, int spread, SplittableRandom random) {
        return centre - spread + Draws.below(random, 2 * spread + 1);
    }
}

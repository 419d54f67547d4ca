package org.effconv.data;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.effconv.error.EffconvException;

/**
 * Generated grey images whose class shows only to a window of a known extent s: what a search for kernel sizes must
 * find.
 *
 * <p>An image is flat, but for two bright dots of one pixel each. Class 0: they stand s - 1 columns apart in one row;
 * class 1: s - 1 rows apart in one column; class 2: s - 1 rows and columns apart, falling to the right; class 3: the
 * same, rising to the right. The position is uniform, with a margin of s - 3 pixels to every border. The brightness of
 * a dot is uniform in {@value #DOT} +- {@value #DOT_SPREAD} above the background, drawn for each dot on its own.
 *
 * <p><b>A kernel of extent s suffices.</b> A window of s x s holds both dots. With taps 1 at the two places where class
 * c has its dots and threshold t between one dot and two, {@code relu(a + b - t)} is positive at exactly one position
 * in an image of class c and nowhere in one of another class: global average pooling and a linear layer then separate
 * the classes, one such channel per class.
 *
 * <p><b>No smaller one does.</b> Let a network map every window of k x k (k odd, k &lt; s, zeros beyond the border) by
 * the same function f and average over all positions; a stack of stride-1 layers with a receptive field of k x k does
 * the same. (1) A window spans k - 1 &lt;= s - 3 pixels, the dots are s - 1 apart in a row or a column: no window holds
 * both. (2) A window that is centred in the image and reaches beyond a border holds at most the k - 1 columns (rows)
 * next to it, and s - 3 &gt;= k - 1 columns (rows) next to it are free of dots: no window holds a dot and the border.
 * So the windows that hold a dot are, for each dot, all k x k places of it in a flat window: which ones there are
 * depends on the dot's brightness alone; the rest are windows without a dot, equally many and the same in every image.
 * Hence the multiset of all windows, and with it every average of f, depends on the image only through the two
 * brightnesses, whose distribution is the same in all classes: no classifier behind the average does better than
 * chance.
 *
 * <p>With {@code noise} above 0 each pixel of the background also varies by an integer, uniform in -noise..noise. Then
 * the <em>expectation</em> of every average of f is still equal over the classes, but no longer its whole distribution:
 * windows at the two dots share noise. For proofs use noise 0, the default.
 *
 * <p>Mirroring an image swaps classes 2 and 3 and moving it breaks the margin: train without augmentation.
 *
 * @param extent s, odd, 3 to {@value #MAX_EXTENT}
 * @param classes 2 to 4
 * @param size side of the square images in pixels, from 3 s - 6 on
 * @param trainCount training images, classes balanced
 * @param testCount test images, classes balanced
 * @param noise largest deviation of a background pixel in grey levels of 255
 * @param seed the same values give the same bytes
 */
public record Planted(int extent, int classes, int size, int trainCount, int testCount, int noise, long seed) {
    static final String PREFIX = "planted:";
    /** Largest extent on offer: the largest kernel there is. */
    public static final int MAX_EXTENT = 33;

    private static final List<String> CLASS_NAMES = List.of("horizontal", "vertical", "falling", "rising");
    private static final int BACKGROUND = 128;
    private static final int DOT = 96;
    private static final int DOT_SPREAD = 10;
    private static final int MAX_NOISE = 20; // brightest pixel: 128 + 96 + 10 + 20 = 254, so nothing is clipped
    private static final int MAX_COUNT = 1_000_000;
    private static final int FREEDOM = 11; // columns (rows) left over beside a pair in an image of the default size

    /** @throws EffconvException.InvalidInput if a value is out of range; the message names it */
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
                throw new EffconvException.InvalidInput("planted data: option '" + parts[i]
                        + "' is unknown, expected one of " + options.keySet() + " as key=value");
            }
            options.put(pair[0].strip(), number(pair[0].strip(), pair[1]));
        }
        return new Planted(
                extent,
                (int) (long) options.get("classes"),
                (int) (long) options.get("size"),
                (int) (long) options.get("train"),
                (int) (long) options.get("test"),
                (int) (long) options.get("noise"),
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
        byte[] pixels = DataFiles.array(name(), Images.totalBytes(name(), count, (long) size * size));
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
        for (int p = 0; p < size * size; p++) {
            pixels[start + p] = (byte) (noise == 0 ? BACKGROUND : around(BACKGROUND, noise, random));
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
        pixels[at] = (byte) ((pixels[at] & 0xff) + around(DOT, DOT_SPREAD, random));
    }

    private static int around(int centre, int spread, SplittableRandom random) {
        return centre - spread + Draws.below(random, 2 * spread + 1);
    }
}

package org.effconv.data;

import static org.effconv.data.TestFiles.rejection;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PlantedTest {
    private static final int BACKGROUND = 128;
    private static final int OUTSIDE = -1;

    /** The dots of an image, in reading order: {y, x, brightness above the background}. */
    private static List<int[]> dots(Images images, int i) {
        List<int[]> found = new ArrayList<>();
        for (int y = 0; y < images.height(); y++) {
            for (int x = 0; x < images.width(); x++) {
                if (images.pixel(i, y, x, 0) != BACKGROUND) {
                    found.add(new int[] {y, x, images.pixel(i, y, x, 0) - BACKGROUND});
                }
            }
        }
        return found;
    }

    /** How often each k x k window occurs among those centred in the image; all dots count as equally bright. */
    private static Map<List<Integer>, Integer> windows(Images images, int i, int k) {
        Map<List<Integer>, Integer> counts = new HashMap<>();
        int r = k / 2;
        for (int y = 0; y < images.height(); y++) {
            for (int x = 0; x < images.width(); x++) {
                List<Integer> window = new ArrayList<>();
                for (int wy = y - r; wy <= y + r; wy++) {
                    for (int wx = x - r; wx <= x + r; wx++) {
                        boolean inside = wy >= 0 && wy < images.height() && wx >= 0 && wx < images.width();
                        window.add(!inside ? OUTSIDE : images.pixel(i, wy, wx, 0) == BACKGROUND ? 0 : 1);
                    }
                }
                counts.merge(window, 1, Integer::sum);
            }
        }
        return counts;
    }

    @ParameterizedTest
    @ValueSource(ints = {3, 5, 9})
    void windowsBelowTheExtentAreTheSameInAllImagesOfAllClasses(int extent) {
        Images images = Datasets.open("planted:" + extent + ",classes=4,train=12,test=4")
                .train();
        for (int k = 1; k < extent; k += 2) {
            Map<List<Integer>, Integer> expected = windows(images, 0, k);
            for (int i = 1; i < images.count(); i++) {
                assertEquals(expected, windows(images, i, k), "image " + i + ", window " + k);
            }
        }
        // and the count does tell classes apart once the window has the extent
        int other = IntStream.range(1, images.count())
                .filter(i -> images.label(i) != images.label(0))
                .findFirst()
                .orElseThrow();
        assertNotEquals(
                windows(images, 0, extent).keySet(),
                windows(images, other, extent).keySet());
    }

    @ParameterizedTest
    @ValueSource(ints = {3, 5, 9, 33})
    void aMatchedFilterOfTheExtentSeparatesTheClasses(int extent) {
        Images images = Datasets.open("planted:" + extent + ",classes=4,train=400,test=4,noise=4")
                .train();
        int reach = extent - 1;
        int[][] offsets = {{0, reach}, {reach, 0}, {reach, reach}, {-reach, reach}};
        for (int i = 0; i < images.count(); i++) {
            for (int c = 0; c < 4; c++) {
                double pooled =
                        0; // global average of relu(a + b - 140), a and b the two taps of a filter of that extent
                for (int y = Math.max(0, -offsets[c][0]); y < images.height() - Math.max(0, offsets[c][0]); y++) {
                    for (int x = 0; x < images.width() - offsets[c][1]; x++) {
                        int sum = images.pixel(i, y, x, 0) + images.pixel(i, y + offsets[c][0], x + offsets[c][1], 0);
                        pooled += Math.max(0, sum - 2 * BACKGROUND - 140);
                    }
                }
                assertEquals(images.label(i) == c, pooled > 0, "image " + i + ", class " + c);
            }
        }
    }

    @Test
    void brightnessTellsNothingAboutTheClass() {
        Images images = Planted.ofExtent(5).generate().train();
        double[][] sums = new double[2][3]; // [class]{first, second, product}, centred
        int[] counts = new int[2];
        for (int i = 0; i < images.count(); i++) {
            List<int[]> dots = dots(images, i);
            assertEquals(2, dots.size());
            double first = dots.get(0)[2] - 96;
            double second = dots.get(1)[2] - 96;
            assertTrue(Math.abs(first) <= 10 && Math.abs(second) <= 10);
            sums[images.label(i)][0] += first;
            sums[images.label(i)][1] += second;
            sums[images.label(i)][2] += first * second;
            counts[images.label(i)]++;
        }
        assertArrayEquals(new int[] {2000, 2000}, counts);
        double variance = (21 * 21 - 1) / 12.0;
        for (double[] sum : sums) {
            assertEquals(0, sum[0] / 2000, 4 * Math.sqrt(variance / 2000));
            assertEquals(0, sum[1] / 2000, 4 * Math.sqrt(variance / 2000));
            assertEquals(0, sum[2] / 2000, 4 * variance / Math.sqrt(2000));
        }
    }

    @Test
    void dotsReachEveryAllowedPlace() {
        Images images = Planted.ofExtent(5).generate().train();
        int low = images.width();
        int high = 0;
        for (int i = 0; i < images.count(); i++) {
            for (int[] dot : dots(images, i)) {
                low = Math.min(low, Math.min(dot[0], dot[1]));
                high = Math.max(high, Math.max(dot[0], dot[1]));
            }
        }
        assertEquals(20, images.width());
        assertEquals(2, low); // the margin: extent - 3
        assertEquals(20 - 1 - 2, high);
    }

    private static byte[] bytes(Images images) {
        ByteBuffer all = ByteBuffer.allocate(images.count() * images.imageBytes());
        for (int i = 0; i < images.count(); i++) {
            images.copyTo(i, all, i * images.imageBytes());
        }
        return all.array();
    }

    @Test
    void sameSpecSameBytesOtherSeedOthers() {
        Dataset a = Datasets.open("planted:5,train=20,test=20,noise=3");
        Dataset b = Datasets.open("planted:5,train=20,test=20,noise=3,seed=0");
        Dataset c = Datasets.open("planted:5,train=20,test=20,noise=3,seed=1");
        assertArrayEquals(bytes(a.train()), bytes(b.train()));
        assertArrayEquals(bytes(a.test()), bytes(b.test()));
        assertArrayEquals(a.train().labels(), b.train().labels());
        assertFalse(Arrays.equals(bytes(a.train()), bytes(c.train())), "another seed");
        assertFalse(Arrays.equals(bytes(a.train()), bytes(a.test())), "the other part");
    }

    @Test
    void badSpecs() {
        String extent = " is out of range, expected an odd number from 3 to 33";
        for (int bad : new int[] {4, -3, 1, 35, 0}) {
            assertEquals("planted data: extent " + bad + extent, rejection(() -> Datasets.open("planted:" + bad)));
        }
        assertEquals(
                "planted data: extent 'nine' is not a number, expected a whole number",
                rejection(() -> Datasets.open("planted:nine")));
        assertEquals(
                "planted data: extent '' is not a number, expected a whole number",
                rejection(() -> Datasets.open("planted:")));
        assertEquals(
                "planted data: option 'colour=3' is unknown, expected one of [classes, size, train, test, noise, seed] "
                        + "as key=value",
                rejection(() -> Datasets.open("planted:5,colour=3")));
        assertEquals(
                "planted data: option 'seed' is unknown, expected one of [classes, size, train, test, noise, seed] "
                        + "as key=value",
                rejection(() -> Datasets.open("planted:5,seed")));
        assertEquals(
                "planted data: classes 5 is out of range, expected 2 to 4",
                rejection(() -> Datasets.open("planted:5,classes=5")));
        assertEquals(
                "planted data: size 20 is out of range, expected 21 to 512",
                rejection(() -> Datasets.open("planted:9,size=20")));
        assertEquals(
                "planted data: train 1 is out of range, expected 2 to 1000000",
                rejection(() -> Datasets.open("planted:9,train=1")));
        assertEquals(
                "planted data: test 9999999999 is out of range, expected a whole number below 2^31",
                rejection(() -> Datasets.open("planted:9,test=9999999999")));
    }
}

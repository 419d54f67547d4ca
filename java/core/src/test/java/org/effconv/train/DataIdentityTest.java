package org.effconv.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.function.Consumer;
import org.effconv.data.Dataset;
import org.effconv.data.Images;
import org.junit.jupiter.api.Test;

class DataIdentityTest {
    private static final int COUNT = 12;
    private static final int PIXELS = 5 * 4;

    /** A part as it would be read: 12 grey images of 5 x 4, three of each of four classes. */
    private static final class Part {
        final byte[] pixels = new byte[COUNT * PIXELS];
        final int[] labels = new int[COUNT];

        Part(long seed) {
            new Random(seed).nextBytes(pixels);
            Arrays.setAll(labels, i -> i % 4);
        }

        Images images() {
            return Images.of(pixels, labels, 5, 4, 1);
        }
    }

    private static String digest(Consumer<Part> ofTrain, Consumer<Part> ofTest, double validation, String... names) {
        Part train = new Part(1);
        Part test = new Part(2);
        ofTrain.accept(train);
        ofTest.accept(test);
        Dataset data = Dataset.of("made", train.images(), test.images(), List.of(names));
        return DataIdentity.digest(validation == 0 ? data : data.withValidation(validation, 0));
    }

    private static String digest(Consumer<Part> ofTrain, Consumer<Part> ofTest) {
        return digest(ofTrain, ofTest, 0.34, "a", "b", "c", "d");
    }

    private static void same(Part part) {}

    private static void rotate(Part part) {
        Arrays.setAll(part.labels, i -> (i + 1) % 4);
    }

    /** Equal histograms, hence statistics. */
    private static void exchangeTwoPixels(Part part) {
        byte first = part.pixels[0];
        part.pixels[0] = part.pixels[1];
        part.pixels[1] = first;
    }

    private static void exchangeTwoImages(Part part) {
        for (int i = 0; i < PIXELS; i++) {
            byte first = part.pixels[i];
            part.pixels[i] = part.pixels[4 * PIXELS + i]; // of the same class
            part.pixels[4 * PIXELS + i] = first;
        }
    }

    @Test
    void everyPartCounts() {
        String whole = digest(DataIdentityTest::same, DataIdentityTest::same);
        assertEquals(whole, digest(DataIdentityTest::same, DataIdentityTest::same));
        for (Consumer<Part> change : List.<Consumer<Part>>of(
                DataIdentityTest::rotate, DataIdentityTest::exchangeTwoPixels, DataIdentityTest::exchangeTwoImages)) {
            assertNotEquals(whole, digest(change, DataIdentityTest::same));
            assertNotEquals(whole, digest(DataIdentityTest::same, change));
        }
        for (int i = 0; i < COUNT; i++) { // whether it was split off or not
            int at = i * PIXELS + 7;
            assertNotEquals(whole, digest(part -> part.pixels[at]++, DataIdentityTest::same));
        }
        assertNotEquals(whole, digest(DataIdentityTest::same, DataIdentityTest::same, 0.34, "a", "b", "d", "c"));
        assertNotEquals(whole, digest(DataIdentityTest::same, DataIdentityTest::same, 0, "a", "b", "c", "d"));
        assertNotEquals(whole, digest(DataIdentityTest::same, DataIdentityTest::same, 0.67, "a", "b", "c", "d"));
    }

    @Test
    void aViewIsWhatItShows() {
        Part part = new Part(3);
        Images chosen = part.images().select(new int[] {4, 1});
        byte[] pixels = new byte[2 * PIXELS];
        System.arraycopy(part.pixels, 4 * PIXELS, pixels, 0, PIXELS);
        System.arraycopy(part.pixels, PIXELS, pixels, PIXELS, PIXELS);
        Images copied = Images.of(pixels, new int[] {0, 1}, 5, 4, 1);
        List<String> names = List.of("a", "b", "c", "d");
        assertEquals(
                DataIdentity.of(Dataset.of("view", chosen, part.images(), names)),
                DataIdentity.of(Dataset.of("copy", copied, part.images(), names)));
    }

    /** It stands in files: whatever changes it makes them strangers. */
    @Test
    void itIsTheSameInEveryVersion() {
        assertEquals("eca2885b5ad9bb20", digest(DataIdentityTest::same, DataIdentityTest::same));
    }
}

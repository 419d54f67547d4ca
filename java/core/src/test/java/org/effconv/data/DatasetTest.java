package org.effconv.data;

import static org.effconv.data.TestFiles.counting;
import static org.effconv.data.TestFiles.rejection;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DatasetTest {
    private static final List<String> THREE = List.of("a", "b", "c");

    /** One pixel an image, whose value is its index; classes sorted: 50 of class 0, 30 of class 1, 20 of class 2. */
    private static Dataset sorted() {
        int[] labels =
                IntStream.range(0, 100).map(i -> i < 50 ? 0 : i < 80 ? 1 : 2).toArray();
        Images images = Images.of(counting(100, 0), labels, 1, 1, 1);
        return Dataset.of("sorted", images, images, THREE);
    }

    private static int[] perClass(Images images) {
        int[] counts = new int[3];
        Arrays.stream(images.labels()).forEach(label -> counts[label]++);
        return counts;
    }

    private static int[] values(Images images) {
        return IntStream.range(0, images.count())
                .map(i -> images.pixel(i, 0, 0, 0))
                .toArray();
    }

    @Test
    void statisticsOfEachChannel() {
        Images images = Images.of(
                new byte[] {0, 10, (byte) 255, 0, 10, (byte) 255, (byte) 255, 10, 0, (byte) 255, 10, 0},
                new int[] {0, 1},
                2,
                1,
                3);
        Dataset data = Dataset.of("d", images, images, List.of("a", "b"));
        assertArrayEquals(new float[] {0.5f, 10 / 255f, 0.5f}, data.mean(), 1e-7f);
        assertArrayEquals(new float[] {0.5f, 1f, 0.5f}, data.std(), 1e-7f, "a flat channel has 1");
    }

    @Test
    void validationKeepsTheMixtureAndLosesNothing() {
        Dataset all = sorted();
        Dataset split = all.withValidation(0.1, 7);
        Images validation = split.validation().orElseThrow();
        assertArrayEquals(new int[] {5, 3, 2}, perClass(validation));
        assertArrayEquals(new int[] {45, 27, 18}, perClass(split.train()));
        int[] both = IntStream.concat(Arrays.stream(values(split.train())), Arrays.stream(values(validation)))
                .sorted()
                .toArray();
        assertArrayEquals(IntStream.range(0, 100).toArray(), both);
        assertEquals(
                Arrays.stream(values(split.train())).average().orElseThrow() / 255,
                split.mean()[0],
                1e-6,
                "statistics are those of the images that remain");
        assertArrayEquals(
                values(validation),
                values(all.withValidation(0.1, 7).validation().orElseThrow()));
        assertFalse(Arrays.equals(
                values(validation),
                values(all.withValidation(0.1, 8).validation().orElseThrow())));
        assertTrue(all.validation().isEmpty());
        assertThrows(IllegalStateException.class, () -> split.withValidation(0.1, 7));
    }

    @Test
    void validationFractionOutOfRange() {
        for (double bad : new double[] {0, 1, -0.5, Double.NaN}) {
            assertEquals(
                    "sorted: validation fraction " + bad + " is out of range, expected above 0 and below 1",
                    rejection(() -> sorted().withValidation(bad, 1)));
        }
        assertEquals(
                "sorted: validation fraction 0.001 of 100 training images leaves a part empty, expected at least 1 "
                        + "image in each",
                rejection(() -> sorted().withValidation(0.001, 1)));
    }

    @Test
    void takeKeepsTheMixtureAndTheFirst() {
        Dataset few = sorted().take(10, 1000);
        assertArrayEquals(new int[] {0, 1, 2, 3, 4, 50, 51, 52, 80, 81}, values(few.train()));
        assertEquals(100, few.test().count());
        assertArrayEquals(
                new int[] {4, 2, 1}, perClass(sorted().take(7, 1).train()), "3.5, 2.1, 1.4 by largest remainder");
        assertArrayEquals(new int[] {0, 50}, values(few.take(2, 1).train()), "a view of a view");
        assertEquals("sorted: asked for 0 test images, expected at least 1", rejection(() -> sorted().take(5, 0)));
    }

    @Test
    void partsMustFit() {
        Images one = Images.of(new byte[4], new int[] {0}, 2, 2, 1);
        Images wide = Images.of(new byte[6], new int[] {0}, 2, 3, 1);
        assertEquals(
                "d: test images are 2x3x1, expected the size of the training images, 2x2x1",
                rejection(() -> Dataset.of("d", one, wide, THREE)));
        Images none = one.select(new int[0]);
        assertEquals(
                "d: holds 1 training and 0 test images, expected at least 1 of each",
                rejection(() -> Dataset.of("d", one, none, THREE)));
        Images five = Images.of(new byte[4], new int[] {5}, 2, 2, 1);
        assertEquals(
                "d: test label 5 of image 0 is out of range, expected 0 to 2",
                rejection(() -> Dataset.of("d", one, five, THREE)));
        assertEquals("d: 1 classes, expected at least 2", rejection(() -> Dataset.of("d", one, one, List.of("a"))));
    }

    @Test
    void imagesMustFitTheirArrays() {
        assertEquals(
                "images: found 5 bytes of pixels for 1 labels, expected 4 (2x2x1 bytes an image)",
                rejection(() -> Images.of(new byte[5], new int[] {0}, 2, 2, 1)));
        assertEquals(
                "images: label -1 of image 1 is negative, expected 0 or more",
                rejection(() -> Images.of(new byte[2], new int[] {0, -1}, 1, 1, 1)));
        assertEquals(
                "images: 2 channels an image, expected 1 (grey) or 3 (colour)",
                rejection(() -> Images.of(new byte[2], new int[] {0}, 1, 1, 2)));
        Images one = Images.of(new byte[4], new int[] {0}, 2, 2, 1);
        assertThrows(IndexOutOfBoundsException.class, () -> one.label(1));
        assertThrows(IndexOutOfBoundsException.class, () -> one.select(new int[] {-1}));
    }

    @Test
    void unknownSpecs(@TempDir Path empty) {
        assertTrue(
                rejection(() -> Datasets.open("mnst"))
                        .startsWith("data 'mnst': is neither a known name nor a file or folder, expected "
                                + "fashion-mnist (the sample"),
                "names what there is");
        assertTrue(rejection(() -> Datasets.open("")).startsWith("data '': is neither"));
        assertTrue(rejection(() -> Datasets.open("a\0b")).startsWith("data 'a\0b': is neither"));
        assertEquals(
                empty + ": holds no dataset, expected train-images-idx3-ubyte[.gz], data_batch_1.bin, train.bin of "
                        + "CIFAR-100, data_batch_1, a file train of CIFAR-100, train_X.bin, train_32x32.mat, "
                        + "train_data_batch_1[.npz], one .npz file or x_train.npy, train.zip, a folder train/ or "
                        + "folders of images, one for each class",
                rejection(empty));
    }

    @Test
    void theSampleComesWithTheProject(@TempDir Path empty) {
        Dataset sample = Datasets.open("fashion-mnist");
        assertEquals(10_000, sample.train().count());
        assertEquals(2_000, sample.test().count());
        assertEquals("Ankle boot", sample.classNames().get(9));
        assertEquals(9, sample.train().label(0));
        assertEquals(10, sample.classes());
        int[] counts = new int[10];
        Arrays.stream(sample.test().labels()).forEach(label -> counts[label]++);
        assertArrayEquals(IntStream.generate(() -> 200).limit(10).toArray(), counts);
        assertEquals(0.286, sample.mean()[0], 0.002, "of all of Fashion-MNIST: 0.2860");
        assertEquals(0.353, sample.std()[0], 0.002, "of all of Fashion-MNIST: 0.3530");

        String before = System.getProperty("effconv.home");
        try {
            System.setProperty("effconv.home", empty.toString());
            assertEquals(
                    empty + "/data/fashion-mnist-sample: folder is missing, expected the sample there because "
                            + "-Deffconv.home=" + empty + " is set",
                    rejection(() -> Datasets.open("fashion-mnist")));
        } finally {
            if (before == null) {
                System.clearProperty("effconv.home");
            } else {
                System.setProperty("effconv.home", before);
            }
        }
    }
}

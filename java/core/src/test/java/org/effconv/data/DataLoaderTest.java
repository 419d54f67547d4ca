package org.effconv.data;

import static org.effconv.data.TestFiles.counting;
import static org.effconv.data.TestFiles.rejection;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.stream.IntStream;
import org.effconv.error.EffconvException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(30)
class DataLoaderTest {
    private static final Augmentation SHIFT_AND_FLIP = new Augmentation(2, true);

    /** Images of 1 x 2 pixels: (i, i + 1); label i % 7. */
    private static Images images(int count) {
        byte[] pixels = new byte[2 * count];
        for (int i = 0; i < count; i++) {
            pixels[2 * i] = (byte) i;
            pixels[2 * i + 1] = (byte) (i + 1);
        }
        return Images.of(pixels, IntStream.range(0, count).map(i -> i % 7).toArray(), 1, 2, 1);
    }

    /** Everything an epoch yields: a line per image. */
    private static List<String> lines(DataLoader loader, long epoch) {
        List<String> lines = new ArrayList<>();
        for (Batch batch : loader.epoch(epoch)) {
            for (int i = 0; i < batch.size(); i++) {
                lines.add(line(batch, i));
            }
        }
        return lines;
    }

    private static String line(Batch batch, int i) {
        return (batch.pixels().get(2 * i) & 0xff) + "," + (batch.pixels().get(2 * i + 1) & 0xff) + " class "
                + batch.labels()[i] + " draws " + Arrays.toString(Arrays.copyOfRange(batch.draws(), 3 * i, 3 * i + 3));
    }

    private static int first(String line) {
        return Integer.parseInt(line.substring(0, line.indexOf(',')));
    }

    private static List<Thread> loaderThreads() {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(t -> t.getName().startsWith("effconv-data"))
                .toList();
    }

    @Test
    void anEpochIsAPureFunctionOfSeedAndNumber() throws InterruptedException {
        try (DataLoader a = DataLoader.training(images(200), 16, SHIFT_AND_FLIP, 5);
                DataLoader b = DataLoader.training(images(200), 16, SHIFT_AND_FLIP, 5);
                DataLoader otherSeed = DataLoader.training(images(200), 16, SHIFT_AND_FLIP, 6)) {
            List<String> zero = lines(a, 0);
            List<String> one = lines(a, 1);
            b.epoch(0).iterator().next(); // begun and left: nothing of it may show in what follows
            Thread.sleep(20);
            assertEquals(one, lines(b, 1));
            assertEquals(zero, lines(b, 0));
            assertNotEquals(zero, one);
            assertNotEquals(zero, lines(otherSeed, 0));
        }
    }

    @Test
    void anEpochGoesOnWhereItWasLeft() {
        try (DataLoader whole = DataLoader.training(images(200), 16, SHIFT_AND_FLIP, 5);
                DataLoader rest = DataLoader.training(images(200), 16, SHIFT_AND_FLIP, 5)) {
            List<String> all = lines(whole, 3);
            for (int from : new int[] {0, 1, 5, 11, 12}) {
                List<String> found = new ArrayList<>();
                for (Batch batch : rest.epoch(3, from)) {
                    for (int i = 0; i < batch.size(); i++) {
                        found.add(line(batch, i));
                    }
                }
                assertEquals(all.subList(16 * from, all.size()), found, "from batch " + from);
            }
            assertThrows(IllegalArgumentException.class, () -> rest.epoch(3, 13));
            assertThrows(IllegalArgumentException.class, () -> rest.epoch(3, -1));
        }
    }

    @Test
    void thePublishedGeneratorIsTheOneInUse() {
        // SplitMix64 of seed 1234567, its first outputs as published with the algorithm: another JDK must not differ
        var random = new java.util.SplittableRandom(1234567);
        assertEquals(6457827717110365317L, random.nextLong());
        assertEquals(3203168211198807973L, random.nextLong());
        int[] order = IntStream.range(0, 8).toArray();
        Draws.shuffle(order, Draws.stream(1, Draws.ORDER, 0));
        assertArrayEquals(new int[] {5, 1, 0, 7, 2, 4, 3, 6}, order, "computed apart, in Python");
    }

    @Test
    void shuffledEpochsHoldEveryImageOnce() {
        try (DataLoader loader =
                new DataLoader(images(101), 10, new DataLoader.Options(true, false, SHIFT_AND_FLIP, 3))) {
            assertEquals(11, loader.batches());
            int[] order =
                    lines(loader, 4).stream().mapToInt(DataLoaderTest::first).toArray();
            assertFalse(Arrays.equals(IntStream.range(0, 101).toArray(), order), "shuffled");
            assertArrayEquals(
                    IntStream.range(0, 101).toArray(),
                    Arrays.stream(order).sorted().toArray());
            for (String line : lines(loader, 4)) {
                int i = first(line);
                assertTrue(line.startsWith(i + "," + (i + 1) + " class " + i % 7 + " "), line);
            }
        }
    }

    @Test
    void trainingDropsThePartialBatchAndEvaluationKeepsIt() {
        try (DataLoader training = DataLoader.training(images(25), 10, Augmentation.none(), 3);
                DataLoader evaluation = DataLoader.evaluation(images(25), 10)) {
            assertEquals(2, training.batches());
            assertEquals(20, lines(training, 0).size());
            assertEquals(3, evaluation.batches());
            List<String> all = lines(evaluation, 9);
            assertArrayEquals(
                    IntStream.range(0, 25).toArray(),
                    all.stream().mapToInt(DataLoaderTest::first).toArray());
            assertTrue(all.stream().allMatch(line -> line.endsWith(" draws [0, 0, 0]")));
            List<Integer> limits = new ArrayList<>();
            evaluation.epoch(0).forEach(batch -> limits.add(batch.pixels().limit()));
            assertEquals(List.of(20, 20, 10), limits);
        }
    }

    @Test
    void drawsAreUniform() {
        int count = 20_000;
        int[][] seen = new int[3][5];
        try (DataLoader loader =
                DataLoader.training(Images.of(counting(count, 0), new int[count], 1, 1, 1), 100, SHIFT_AND_FLIP, 11)) {
            for (Batch batch : loader.epoch(0)) {
                for (int i = 0; i < batch.size(); i++) {
                    seen[0][batch.draws()[3 * i] + 2]++;
                    seen[1][batch.draws()[3 * i + 1] + 2]++;
                    seen[2][batch.draws()[3 * i + 2]]++;
                }
            }
        }
        for (int v = 0; v < 5; v++) {
            double fifth = count / 5.0;
            assertEquals(fifth, seen[0][v], 4 * Math.sqrt(fifth * 0.8), "dy " + (v - 2));
            assertEquals(fifth, seen[1][v], 4 * Math.sqrt(fifth * 0.8), "dx " + (v - 2));
        }
        assertEquals(count / 2.0, seen[2][0], 4 * Math.sqrt(count / 4.0));
        assertEquals(count, seen[2][0] + seen[2][1]);
    }

    @Test
    void buffersAreDirectAlignedAndUsedAgain() {
        try (DataLoader loader = DataLoader.training(images(200), 10, Augmentation.none(), 0)) {
            Batch earlier = null;
            for (Batch batch : loader.epoch(0)) {
                assertTrue(batch.pixels().isDirect());
                assertEquals(0, batch.pixels().alignmentOffset(0, 64));
                assertEquals(0, batch.pixels().position());
                if (earlier != null) {
                    assertThrows(IllegalStateException.class, earlier::pixels);
                }
                earlier = batch;
            }
            Batch last = earlier;
            assertEquals(10, last.labels().length, "the last batch lives until the next epoch");
            loader.epoch(1);
            assertEquals(
                    "use after the next batch was asked for: Batch of 10 images",
                    assertThrows(IllegalStateException.class, last::draws).getMessage());
        }
    }

    @Test
    void aBatchOfAnySizeFitsItsBuffer() {
        for (int size = 1; size <= 70; size++) {
            try (DataLoader loader = DataLoader.evaluation(images(size), size)) {
                assertEquals(size, lines(loader, 0).size());
            }
        }
    }

    @Test
    void closeEndsTheThreadInTheMiddleOfAnEpoch() {
        List<Thread> before = loaderThreads();
        for (int taken = 0; taken < 8; taken++) {
            DataLoader loader = DataLoader.training(images(2000), 10, Augmentation.none(), 0);
            Iterator<Batch> epoch = loader.epoch(0).iterator();
            for (int i = 0; i < taken; i++) {
                epoch.next();
            }
            List<Thread> during = new ArrayList<>(loaderThreads());
            during.removeAll(before);
            assertEquals(1, during.size());
            loader.close();
            loader.close();
            assertFalse(during.get(0).isAlive());
            assertThrows(IllegalStateException.class, epoch::next);
            assertThrows(IllegalStateException.class, () -> loader.epoch(1));
        }
    }

    @Test
    void anEpochIsIteratedOnceAndEnds() {
        try (DataLoader loader = DataLoader.training(images(20), 10, Augmentation.none(), 0)) {
            Iterable<Batch> epoch = loader.epoch(0);
            Iterator<Batch> batches = epoch.iterator();
            assertThrows(IllegalStateException.class, epoch::iterator);
            batches.next();
            batches.next();
            assertFalse(batches.hasNext());
            assertThrows(NoSuchElementException.class, batches::next);
        }
    }

    @Test
    void whatFailsInTheBackgroundReachesTheConsumer() {
        Images broken = Images.of(Pixels.InMemory.of(new byte[100], 2), new int[100], 1, 2, 1); // from 50 on missing
        try (DataLoader loader = DataLoader.evaluation(broken, 20)) {
            Iterator<Batch> epoch = loader.epoch(3).iterator();
            epoch.next();
            epoch.next();
            EffconvException failure = assertThrows(EffconvException.class, epoch::next);
            assertTrue(
                    failure.getMessage().startsWith("reading epoch 3 failed: java.lang.IndexOutOfBounds"),
                    failure.getMessage());
            assertTrue(failure.getCause() instanceof IndexOutOfBoundsException);
            assertThrows(EffconvException.class, epoch::next, "and does so again, rather than wait for ever");
        }
    }

    @Test
    void badSettings() {
        assertEquals(
                "batch size 0 is out of range, expected 1 or more",
                rejection(() -> DataLoader.evaluation(images(5), 0)));
        assertEquals(
                "batch size 6 leaves no full batch of 5 images, expected at most 5",
                rejection(() -> DataLoader.training(images(5), 6, Augmentation.none(), 0)));
        assertEquals(
                "augmentation: pad 65 is out of range, expected 0 to 64", rejection(() -> new Augmentation(65, true)));
        assertEquals(
                "augmentation: pad -1 is out of range, expected 0 to 64", rejection(() -> new Augmentation(-1, true)));
        try (DataLoader loader = DataLoader.evaluation(images(5), 1000)) {
            assertEquals(5, loader.batchSize());
        }
    }
}

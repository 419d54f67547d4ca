package org.effconv.data;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.SplittableRandom;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.stream.IntStream;
import org.effconv.error.EffconvException;

/**
 * Yields the images of one part in batches, gathered ahead of time by a background thread into a few direct buffers
 * that are used again and again.
 *
 * <pre>{@code
 * try (DataLoader loader = DataLoader.training(dataset.train(), 128, Augmentation.none(), seed)) {
 *     for (int epoch = 0; epoch < epochs; epoch++) {
 *         for (Batch batch : loader.epoch(epoch)) { ... }
 *     }
 * }
 * }</pre>
 *
 * Order and augmentation draws are a pure function of (seed, epoch), whatever the timing of threads: to continue a run,
 * ask for the epoch by its number. A loader belongs to one consuming thread at a time.
 */
public final class DataLoader implements AutoCloseable {
    private static final int ALIGNMENT = 64;
    private static final int SLOTS = 4; // one with the consumer, one being filled, two ready

    /**
     * How a part is read.
     *
     * @param shuffle whether every epoch has its own order; otherwise the order of the part
     * @param dropLast whether a last batch that is not full is left out
     * @param augmentation what is drawn for each image
     * @param seed names the random streams
     */
    public record Options(boolean shuffle, boolean dropLast, Augmentation augmentation, long seed) {}

    private final Images images;
    private final int batchSize;
    private final Options options;
    private final ByteBuffer[] slots = new ByteBuffer[SLOTS];
    private Run run; // the epoch under way; null before the first and after close
    private boolean withPixels = true;
    private boolean closed;

    /** @throws EffconvException.InvalidInput if the batch size is below 1, or no batch would be left */
    public DataLoader(Images images, int batchSize, Options options) {
        if (batchSize < 1) {
            throw new EffconvException.InvalidInput("batch size " + batchSize + " is out of range, expected 1 or more");
        }
        if (images.count() == 0 || options.dropLast() && images.count() < batchSize) {
            throw new EffconvException.InvalidInput("batch size " + batchSize + " leaves no full batch of "
                    + images.count() + " images, expected at most " + images.count());
        }
        this.images = images;
        this.batchSize = Math.min(batchSize, images.count());
        this.options = options;
        int bytes = Images.totalBytes("batch of " + this.batchSize + " images", this.batchSize, images.imageBytes());
        for (int i = 0; i < SLOTS; i++) {
            slots[i] = aligned(bytes);
        }
    }

    private static ByteBuffer aligned(int bytes) {
        // alignedSlice cuts off at both ends: up to 63 bytes before the first boundary, and all behind the last one
        int whole = Math.addExact(bytes, ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        return ByteBuffer.allocateDirect(Math.addExact(whole, ALIGNMENT)).alignedSlice(ALIGNMENT);
    }

    /** Shuffled and augmented; a last batch that is not full is left out. */
    public static DataLoader training(Images images, int batchSize, Augmentation augmentation, long seed) {
        return new DataLoader(images, batchSize, new Options(true, true, augmentation, seed));
    }

    /** Every image once, in the order of the part, as it is; the last batch may be smaller. */
    public static DataLoader evaluation(Images images, int batchSize) {
        return new DataLoader(images, batchSize, new Options(false, false, Augmentation.none(), 0));
    }

    /**
     * From the next epoch on batches come without pixels, for a reader that has the images and needs only their
     * numbers.
     */
    public DataLoader leaveOutPixels() {
        stopRun();
        withPixels = false;
        Arrays.setAll(slots, i -> ByteBuffer.allocateDirect(0));
        return this;
    }

    /** Batches of one epoch. */
    public int batches() {
        return options.dropLast() ? images.count() / batchSize : (images.count() + batchSize - 1) / batchSize;
    }

    /** Images in a full batch. */
    public int batchSize() {
        return batchSize;
    }

    /**
     * Starts reading an epoch and ends the one before, finished or not. The result can be iterated once; its
     * {@code next()} throws what the background thread failed with.
     */
    public Iterable<Batch> epoch(long epoch) {
        return epoch(epoch, 0);
    }

    /**
     * The same without its first batches, to go on where somebody ended it.
     *
     * @param from number of the first batch, from 0
     */
    public Iterable<Batch> epoch(long epoch, int from) {
        if (closed) {
            throw new IllegalStateException("use after close: DataLoader");
        }
        if (from < 0 || from > batches()) {
            throw new IllegalArgumentException("batch " + from + " of an epoch of " + batches());
        }
        stopRun();
        run = new Run(epoch, from);
        Run started = run;
        started.thread.start();
        return new Iterable<>() {
            private boolean taken;

            @Override
            public Iterator<Batch> iterator() {
                if (taken) {
                    throw new IllegalStateException("an epoch of a DataLoader can be iterated once");
                }
                taken = true;
                return started;
            }
        };
    }

    /** Ends the background thread and waits for it. A second close is harmless. */
    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        stopRun();
        run = null;
    }

    private void stopRun() {
        if (run != null) {
            run.stop();
        }
    }

    /** The order of an epoch: all image indices, in the order in which they are read. */
    private int[] order(long epoch) {
        int[] order = IntStream.range(0, images.count()).toArray();
        if (options.shuffle()) {
            Draws.shuffle(order, Draws.stream(options.seed(), Draws.ORDER, epoch));
        }
        return order;
    }

    /** An epoch under way: the background thread fills free slots and hands them over in order. */
    private final class Run implements Iterator<Batch>, Runnable {
        private final long epoch;
        private final Thread thread;
        private final BlockingQueue<ByteBuffer> free = new ArrayBlockingQueue<>(SLOTS);
        private final BlockingQueue<Object> ready = new ArrayBlockingQueue<>(SLOTS + 1); // Batch, or what went wrong
        private final int from;
        private int handedOut; // those before the first one count as handed out
        private Batch current;
        private Throwable failure; // of the background thread, once the consumer has heard of it
        private volatile boolean stopped;

        Run(long epoch, int from) {
            this.epoch = epoch;
            this.from = from;
            handedOut = from;
            for (ByteBuffer slot : slots) {
                free.add(slot);
            }
            thread = new Thread(this, "effconv-data-epoch-" + epoch);
            thread.setDaemon(true);
        }

        @Override
        public void run() {
            try (Images.Reader reader = images.open()) {
                int[] order = order(epoch);
                SplittableRandom random = Draws.stream(options.seed(), Draws.AUGMENTATION, epoch);
                for (int b = 0; b < batches() && !stopped; b++) {
                    int start = b * batchSize;
                    int size = Math.min(batchSize, order.length - start);
                    if (b < from) {
                        draws(size, random); // one stream for the whole epoch
                    } else {
                        ready.put(gather(reader, order, start, size, random, free.take()));
                    }
                }
            } catch (InterruptedException e) {
                // only stop() interrupts this thread, and then nobody waits for another batch
                Thread.currentThread().interrupt();
            } catch (Throwable t) {
                ready.add(t); // has room: at most SLOTS batches and this one
            }
        }

        /** Of each image two shifts and whether it is mirrored. */
        private int[] draws(int size, SplittableRandom random) {
            Augmentation augmentation = options.augmentation();
            int[] draws = new int[3 * size];
            int shifts = 2 * augmentation.pad() + 1;
            for (int i = 0; i < size; i++) {
                if (augmentation.pad() > 0) {
                    draws[3 * i] = Draws.below(random, shifts) - augmentation.pad();
                    draws[3 * i + 1] = Draws.below(random, shifts) - augmentation.pad();
                }
                if (augmentation.flip()) {
                    draws[3 * i + 2] = Draws.below(random, 2);
                }
            }
            return draws;
        }

        private Batch gather(
                Images.Reader reader, int[] order, int start, int size, SplittableRandom random, ByteBuffer slot) {
            int[] labels = new int[size];
            int[] indices = Arrays.copyOfRange(order, start, start + size);
            ByteBuffer pixels = slot.duplicate().clear().limit(withPixels ? size * images.imageBytes() : 0);
            if (withPixels) {
                reader.read(indices, pixels);
            }
            Arrays.setAll(labels, i -> images.label(indices[i]));
            return new Batch(size, pixels, withPixels, indices, labels, draws(size, random));
        }

        @Override
        public boolean hasNext() {
            if (stopped) {
                throw new IllegalStateException(
                        "epoch " + epoch + " of a DataLoader was ended by a later epoch or close");
            }
            return handedOut < batches();
        }

        @Override
        public Batch next() {
            if (!hasNext()) {
                throw new NoSuchElementException("epoch " + epoch + " has " + batches() + " batches");
            }
            try {
                giveBack();
                Object got = failure != null ? failure : ready.take();
                if (got instanceof Throwable thrown) {
                    failure = thrown;
                    throw new EffconvException("reading epoch " + epoch + " failed: " + failure, failure);
                }
                current = (Batch) got;
                handedOut++;
                return current;
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new EffconvException("interrupted while waiting for a batch of epoch " + epoch, e);
            }
        }

        private void giveBack() {
            if (current != null) {
                current.expire();
                free.add(current.slot());
                current = null;
            }
        }

        void stop() {
            stopped = true;
            if (current != null) {
                current.expire();
            }
            thread.interrupt();
            boolean interrupted = false;
            while (thread.isAlive()) {
                try {
                    thread.join();
                } catch (InterruptedException e) {
                    interrupted = true; // the buffers may be used again only once the thread is gone: wait on
                }
            }
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }
}

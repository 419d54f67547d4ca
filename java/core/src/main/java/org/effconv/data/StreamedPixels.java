package org.effconv.data;

import static org.effconv.data.DataFiles.invalid;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.effconv.error.EffconvException;

/**
 * Images of which the first ones are in memory and the others are decoded from their files whenever they are read, on a
 * few threads. Epochs read every image once in a new order, so that no other choice of what to keep would save more.
 */
final class StreamedPixels implements Pixels {
    private final List<ImageItem> items;
    private final ImageFit fit;
    private final InMemory kept;
    private final int keptCount;
    private final boolean grey;
    private final Sums sums;
    private final Source source;
    private final int imageBytes;

    /** What images lie in. */
    interface Source {
        /** Opens it again, if it is not open. */
        ImageItem.Hold hold();
    }

    /** What is known of images whose pixels are not kept. */
    static final class Sums {
        private final int[] colourCrc;
        private final int[] greyCrc; // of images that are grey
        private final long[][] moments; // of three channels

        Sums(int images) {
            colourCrc = new int[images];
            greyCrc = new int[images];
            moments = new long[images][];
        }

        /** Takes note of image {@code i}, (H, W, 3); called by one thread for each. */
        void take(int i, byte[] image, boolean grey) {
            moments[i] = new long[6];
            PixelBytes.addMoments(image, 0, image.length, moments[i]);
            colourCrc[i] = PixelBytes.crc32(image, 0, image.length);
            greyCrc[i] = grey ? PixelBytes.crc32(PixelBytes.firstOfThree(image), 0, image.length / 3) : 0;
        }
    }

    StreamedPixels(
            List<ImageItem> items, ImageFit fit, InMemory kept, int keptCount, boolean grey, Sums sums, Source source) {
        this.items = items;
        this.fit = fit;
        this.kept = kept;
        this.keptCount = keptCount;
        this.grey = grey;
        this.sums = sums;
        this.source = source;
        imageBytes = grey ? fit.bytes() / 3 : fit.bytes();
    }

    @Override
    public Reader open() {
        return new Decoding(source.hold());
    }

    @Override
    public int value(int row, int i) {
        if (row < keptCount) {
            return kept.value(row, i);
        }
        byte[] image = new byte[imageBytes];
        try (Reader reader = open()) {
            reader.read(new int[] {row}, ByteBuffer.wrap(image));
        }
        return image[i] & 0xff;
    }

    @Override
    public int checksum(int row) {
        return row < keptCount ? kept.checksum(row) : (grey ? sums.greyCrc : sums.colourCrc)[row];
    }

    @Override
    public void addMoments(int row, long[] moments) {
        if (row < keptCount) {
            kept.addMoments(row, moments);
            return;
        }
        for (int c = 0; c < moments.length; c++) {
            moments[c] += sums.moments[row][c];
        }
    }

    @Override
    public long heapBytes() {
        return kept.heapBytes();
    }

    /** A reader with threads of its own, which begin with the first batch that needs them. */
    private final class Decoding implements Reader {
        private final ImageItem.Hold hold;
        private final Queue<ImageDecoder> decoders = new ConcurrentLinkedQueue<>(); // those that nobody uses just now
        private ExecutorService threads; // null: none were needed yet

        Decoding(ImageItem.Hold hold) {
            this.hold = hold;
        }

        @Override
        public void read(int[] rows, ByteBuffer target) {
            int[] open = IntStream.range(0, rows.length)
                    .filter(i -> rows[i] >= keptCount)
                    .toArray();
            for (int i = 0; i < rows.length; i++) {
                if (rows[i] < keptCount) {
                    target.put(i * imageBytes, kept.array(rows[i]), kept.offset(rows[i]), imageBytes);
                }
            }
            if (open.length == 1) {
                decode(rows, open, new AtomicInteger(), target);
            } else if (open.length > 1) {
                inParallel(rows, open, target);
            }
        }

        private void inParallel(int[] rows, int[] open, ByteBuffer target) {
            if (threads == null) {
                threads = Executors.newFixedThreadPool(ImageWorkers.MAX_THREADS, work -> {
                    Thread thread = new Thread(work, "effconv-decode");
                    thread.setDaemon(true);
                    return thread;
                });
            }
            AtomicInteger next = new AtomicInteger();
            List<Callable<Void>> work = new ArrayList<>();
            for (int t = 0; t < Math.min(ImageWorkers.MAX_THREADS, open.length); t++) {
                work.add(() -> {
                    decode(rows, open, next, target);
                    return null;
                });
            }
            try {
                for (Future<Void> done : threads.invokeAll(work)) {
                    done.get();
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new EffconvException("interrupted while reading images", e);
            } catch (ExecutionException e) {
                throw e.getCause() instanceof RuntimeException runtime
                        ? runtime
                        : new EffconvException("reading images failed: " + e.getCause(), e.getCause());
            }
        }

        private void decode(int[] rows, int[] open, AtomicInteger next, ByteBuffer target) {
            ImageDecoder free = decoders.poll();
            ImageDecoder decoder = free == null ? new ImageDecoder() : free;
            try {
                byte[] colour = new byte[fit.bytes()];
                for (int n = next.getAndIncrement(); n < open.length; n = next.getAndIncrement()) {
                    int row = rows[open[n]];
                    ImageItem item = items.get(row);
                    fit.decode(decoder, item.where(), item.bytes(), colour, 0);
                    byte[] image = grey ? PixelBytes.firstOfThree(colour) : colour;
                    if (PixelBytes.crc32(image, 0, imageBytes) != checksum(row)) {
                        throw invalid(item.where(), "has changed since the dataset was opened");
                    }
                    target.put(open[n] * imageBytes, image, 0, imageBytes);
                }
            } finally {
                decoders.add(decoder);
            }
        }

        @Override
        public void close() {
            boolean interrupted = false;
            if (threads != null) {
                threads.shutdownNow();
                while (!threads.isTerminated()) {
                    try {
                        threads.awaitTermination(1, TimeUnit.MINUTES);
                    } catch (InterruptedException e) {
                        interrupted = true; // what they read from must stay open until they are gone: wait on
                    }
                }
            }
            decoders.forEach(ImageDecoder::close);
            hold.close();
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }
}

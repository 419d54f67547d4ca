package org.effconv.data;

import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.effconv.error.EffconvException;

/** The decoded images of one part, all of one size, held as colour until it is known that all parts are grey. */
final class ImageSet {
    private static final int MAX_THREADS = 4;
    private static final int REPORT_EVERY = 1000;
    private static final int MAX_FILE = 64 << 20; // bytes; a small archive entry must not unpack to gigabytes

    private final String what;
    private final List<ClassFolders.Item> items;
    private final LoadListener listener;
    private final ImageDecoder.Header size;
    private final String sizeReason;
    private final byte[] pixels; // (N, H, W, 3)
    private final int[] labels;

    private final AtomicInteger next = new AtomicInteger();
    private final AtomicBoolean allGrey = new AtomicBoolean(true);
    private int done; // guarded by this
    private int failedAt = Integer.MAX_VALUE; // guarded by this
    private Throwable failure; // guarded by this

    private ImageSet(
            String what, List<ClassFolders.Item> items, ImageSet like, List<String> classes, LoadListener listener) {
        this.what = what;
        this.items = items;
        this.listener = listener;
        if (like == null) {
            ClassFolders.Item first = items.get(0);
            try (ImageDecoder decoder = new ImageDecoder()) {
                size = decoder.header(first.where(), content(first));
            }
            sizeReason = "as " + first.where();
        } else {
            size = like.size;
            sizeReason = like.sizeReason;
        }
        long each = Images.imageBytes(items.get(0).where(), size.height(), size.width(), 3);
        pixels = DataFiles.array(what, Images.totalBytes(what, items.size(), each));
        Map<String, Integer> classIndex = new HashMap<>();
        classes.forEach(c -> classIndex.put(c, classIndex.size()));
        labels = items.stream()
                .mapToInt(item -> classIndex.get(item.className()))
                .toArray();
    }

    /**
     * Decodes all images on a few threads. Of several bad images the first in order is reported, whatever the timing.
     *
     * @param like the part whose size the images must have; null: that of the first image
     */
    static ImageSet decode(
            String what, List<ClassFolders.Item> items, ImageSet like, List<String> classes, LoadListener listener) {
        ImageSet set = new ImageSet(what, items, like, classes, listener);
        listener.progress(what, 0, items.size());
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < Math.min(MAX_THREADS, Runtime.getRuntime().availableProcessors()); i++) {
            Thread thread = new Thread(set::work, "effconv-decode-" + i);
            thread.setDaemon(true);
            thread.start();
            threads.add(thread);
        }
        set.join(threads);
        set.throwFailure();
        return set;
    }

    boolean grey() {
        return allGrey.get();
    }

    /** The images with one channel, which needs {@link #grey}, or with three. */
    Images images(boolean asGrey) {
        if (!asGrey) {
            return Images.of(pixels, labels, size.height(), size.width(), 3);
        }
        byte[] one = DataFiles.array(what, pixels.length / 3);
        for (int i = 0; i < one.length; i++) {
            one[i] = pixels[3 * i];
        }
        return Images.of(one, labels, size.height(), size.width(), 1);
    }

    private void work() {
        try (ImageDecoder decoder = new ImageDecoder()) {
            // indices are handed out in ascending order: when one fails, all before it are in work or done
            for (int i = next.getAndIncrement(); i < items.size(); i = next.getAndIncrement()) {
                try {
                    ClassFolders.Item item = items.get(i);
                    int offset = i * size.height() * size.width() * 3;
                    if (!decoder.decode(item.where(), content(item), size, sizeReason, pixels, offset)) {
                        allGrey.set(false);
                    }
                    finished();
                } catch (Throwable t) {
                    fail(i, t);
                    return;
                }
            }
        }
    }

    private static byte[] content(ClassFolders.Item item) {
        try {
            byte[] file = item.content().read(MAX_FILE);
            if (file.length > MAX_FILE) {
                throw DataFiles.invalid(
                        item.where(), "holds more than " + MAX_FILE + " bytes, expected an image file of less");
            }
            return file;
        } catch (IOException e) {
            throw DataFiles.unreadable(item.where(), e);
        }
    }

    private synchronized void finished() {
        done++;
        if (done % REPORT_EVERY == 0 || done == items.size()) {
            listener.progress(what, done, items.size());
        }
    }

    private synchronized void fail(int index, Throwable t) {
        next.set(items.size()); // nobody begins another image
        if (index < failedAt) {
            failedAt = index;
            failure = t;
        }
    }

    private void join(List<Thread> threads) {
        boolean interrupted = false;
        for (Thread thread : threads) {
            while (thread.isAlive()) {
                try {
                    thread.join();
                } catch (InterruptedException e) {
                    interrupted = true;
                    next.set(items.size());
                }
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
            throw new EffconvException("interrupted while reading " + what);
        }
    }

    private synchronized void throwFailure() {
        if (failure instanceof RuntimeException) {
            throw (RuntimeException) failure;
        }
        if (failure != null) {
            throw new EffconvException("reading " + what + " failed: " + failure, failure);
        }
    }
}

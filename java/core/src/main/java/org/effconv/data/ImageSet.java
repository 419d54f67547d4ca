package org.effconv.data;

import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * The images of one part, each decoded once, as colour until it is known that all parts are grey. As many as memory is
 * granted for stay; of the others only sums are kept, and {@link StreamedPixels} decodes them again when they are read.
 */
final class ImageSet {
    private final ImageFit fit;
    private final List<ImageItem> items;
    private final int[] labels;
    private final Pixels.InMemory kept; // (n, H, W, 3) of the first n images
    private final int keptCount;
    private final StreamedPixels.Sums sums;
    private final AtomicBoolean allGrey = new AtomicBoolean(true);

    private ImageSet(String what, List<ImageItem> items, int[] labels, ImageFit fit, long memory) {
        this.items = items;
        this.labels = labels;
        this.fit = fit;
        keptCount = (int) Math.min(items.size(), memory / fit.bytes());
        kept = Pixels.InMemory.allocate(what, keptCount, fit.bytes());
        sums = new StreamedPixels.Sums(items.size());
    }

    /**
     * Decodes all images on a few threads. Of several bad images the first in order is reported, whatever the timing.
     *
     * @param labels class of each item
     * @param memory bytes that decoded images may take
     */
    static ImageSet decode(
            String what, List<ImageItem> items, int[] labels, ImageFit fit, long memory, LoadListener listener) {
        ImageSet set = new ImageSet(what, items, labels, fit, memory);
        ImageWorkers.run(what, items.size(), listener, set::worker);
        return set;
    }

    boolean grey() {
        return allGrey.get();
    }

    /** Bytes that the images take while they are held as colour. */
    long heapBytes() {
        return kept.heapBytes();
    }

    /**
     * The images with one channel, which needs {@link #grey}, or with three.
     *
     * @param source what is held while images are read again
     */
    Images images(boolean asGrey, StreamedPixels.Source source) {
        Pixels.InMemory memory = asGrey ? kept.firstOfThree() : kept;
        Pixels pixels = keptCount == items.size()
                ? memory
                : new StreamedPixels(items, fit, memory, keptCount, asGrey, sums, source);
        return Images.of(pixels, labels, fit.size().height(), fit.size().width(), asGrey ? 1 : 3);
    }

    private ImageWorkers.Worker worker() {
        return new ImageWorkers.Worker() {
            private final ImageDecoder decoder = new ImageDecoder();
            private final byte[] scratch = new byte[keptCount < items.size() ? fit.bytes() : 0];

            @Override
            public void image(int i) {
                ImageItem item = items.get(i);
                byte[] target = i < keptCount ? kept.array(i) : scratch;
                int offset = i < keptCount ? kept.offset(i) : 0;
                boolean grey = fit.decode(decoder, item.where(), item.bytes(), target, offset);
                if (!grey) {
                    allGrey.set(false);
                }
                if (i >= keptCount) {
                    sums.take(i, target, grey);
                }
            }

            @Override
            public void close() {
                decoder.close();
            }
        };
    }
}

package org.effconv.data;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.TreeMap;
import org.effconv.error.EffconvException.InvalidInput;

/** A look at every image of a part, of which none is kept. */
final class ImageInspection {
    private final List<ImageItem> items;
    private final String[] sizes; // "HxW"; null: damaged
    private final String[] damage; // null: whole
    private final boolean[] colour;
    private final long[] moments = new long[6]; // guarded by this
    private long pixels; // guarded by this

    private ImageInspection(List<ImageItem> items) {
        this.items = items;
        sizes = new String[items.size()];
        damage = new String[items.size()];
        colour = new boolean[items.size()];
    }

    /** Decodes every image; statistics are those of the scaled ones, if they are to be scaled. */
    static ImageInspection of(ClassifiedImages.Part part, ReadOptions options) {
        ImageInspection inspection = new ImageInspection(part.items());
        try (ImageItem.Hold held = part.source().hold()) {
            ImageWorkers.run(part.what(), part.items().size(), options.listener(), () -> inspection.worker(options));
        }
        return inspection;
    }

    private ImageWorkers.Worker worker(ReadOptions options) {
        return new ImageWorkers.Worker() {
            private final ImageDecoder decoder = new ImageDecoder();

            @Override
            public void image(int i) {
                ImageItem item = items.get(i);
                try {
                    look(i, decoder, item, options.imageSize());
                } catch (InvalidInput e) {
                    damage[i] = e.getMessage();
                }
            }

            @Override
            public void close() {
                decoder.close();
            }
        };
    }

    private void look(int i, ImageDecoder decoder, ImageItem item, int side) {
        byte[] file = item.bytes();
        ImageDecoder.Header size = decoder.header(item.where(), file);
        ImageFit fit = side > 0 ? ImageFit.square(side) : ImageFit.of(size);
        Images.imageBytes(item.where(), fit.size().height(), fit.size().width(), 3);
        byte[] image = new byte[fit.bytes()];
        colour[i] = !fit.decode(decoder, item.where(), file, image, 0);
        sizes[i] = size.height() + "x" + size.width();
        long[] own = new long[6];
        PixelBytes.addMoments(image, 0, image.length, own);
        add(own, image.length / 3);
    }

    private synchronized void add(long[] own, int count) {
        for (int m = 0; m < own.length; m++) {
            moments[m] += own[m];
        }
        pixels += count;
    }

    boolean grey() {
        for (boolean c : colour) {
            if (c) {
                return false;
            }
        }
        return true;
    }

    synchronized DatasetReport.Statistics statistics(int channels) {
        return DatasetReport.Statistics.of(Arrays.copyOf(moments, 2 * channels), pixels);
    }

    DatasetReport.Part report(String name, List<String> classes) {
        List<Integer> labels = new ArrayList<>();
        TreeMap<String, Integer> frequency = new TreeMap<>();
        for (int i = 0; i < items.size(); i++) {
            if (sizes[i] != null) {
                labels.add(classes.indexOf(items.get(i).className()));
                frequency.merge(sizes[i], 1, Integer::sum);
            }
        }
        return new DatasetReport.Part(
                name,
                DatasetReport.counts(labels.stream().mapToInt(Integer::intValue).toArray(), classes.size()),
                DatasetReport.byFrequency(frequency),
                Arrays.stream(damage).filter(Objects::nonNull).toList());
    }
}

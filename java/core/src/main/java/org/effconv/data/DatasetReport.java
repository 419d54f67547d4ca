package org.effconv.data;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;

/**
 * What a dataset is.
 *
 * @param name what was asked for
 * @param format in which form it lies there, in words
 * @param classNames in the order of the labels
 * @param parts train, validation and test, as far as there are any; the first one is for training
 * @param statistics of the training images
 */
public record DatasetReport(
        String name, String format, List<String> classNames, List<Part> parts, Statistics statistics) {
    /**
     * One part.
     *
     * @param counts images of each class, in the order of the labels; damaged ones are not among them
     * @param sizes how many images are of each size, "HxW", most frequent first
     * @param damaged of each image that cannot be read where it stands and why
     */
    public record Part(String name, List<Integer> counts, Map<String, Integer> sizes, List<String> damaged) {
        public int images() {
            return counts.stream().mapToInt(Integer::intValue).sum();
        }
    }

    /**
     * Mean and standard deviation of each channel over all pixels, as fractions of 255; one value for grey images,
     * three for colour.
     */
    public record Statistics(double[] mean, double[] deviation) {
        static Statistics of(Images images) {
            return of(images.moments(), (double) images.count() * images.height() * images.width());
        }

        static Statistics of(long[] moments, double pixels) {
            double[] mean = new double[moments.length / 2];
            double[] deviation = new double[mean.length];
            for (int c = 0; c < mean.length; c++) {
                double average = moments[2 * c] / pixels;
                mean[c] = average / 255;
                deviation[c] = Math.sqrt(Math.max(0, moments[2 * c + 1] / pixels - average * average)) / 255;
            }
            return new Statistics(mean, deviation);
        }
    }

    static DatasetReport of(String format, Dataset data) {
        List<Part> parts = new ArrayList<>();
        parts.add(part("train", data.train(), data.classes()));
        data.validation().ifPresent(images -> parts.add(part("validation", images, data.classes())));
        parts.add(part("test", data.test(), data.classes()));
        return new DatasetReport(data.name(), format, data.classNames(), parts, Statistics.of(data.train()));
    }

    private static Part part(String name, Images images, int classes) {
        return new Part(
                name,
                counts(images.labels(), classes),
                Map.of(images.height() + "x" + images.width(), images.count()),
                List.of());
    }

    static List<Integer> counts(int[] labels, int classes) {
        int[] counts = new int[classes];
        for (int label : labels) {
            counts[label]++;
        }
        List<Integer> list = new ArrayList<>();
        for (int count : counts) {
            list.add(count);
        }
        return list;
    }

    /** Most frequent first; of equally many in the order of their names. */
    static Map<String, Integer> byFrequency(SortedMap<String, Integer> sizes) {
        Map<String, Integer> sorted = new LinkedHashMap<>();
        sizes.entrySet().stream()
                .sorted((a, b) -> Integer.compare(b.getValue(), a.getValue()))
                .forEach(e -> sorted.put(e.getKey(), e.getValue()));
        return sorted;
    }

    /** Images that cannot be read. */
    public int damaged() {
        return parts.stream().mapToInt(part -> part.damaged().size()).sum();
    }
}

package org.effconv.data;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;

/** Makes a dataset of image files whose classes are known. */
final class ClassifiedImages {
    private static final long HELD_OUT_SEED = 0; // the same images at every seed of a run

    private final String name;
    private final List<String> classes;
    private final ReadOptions options;

    /**
     * Image files of one part.
     *
     * @param what names the part in messages
     * @param source what is held while they are read again
     */
    record Part(String what, List<ImageItem> items, StreamedPixels.Source source) {
        Part of(List<ImageItem> some) {
            return new Part(what, some, source);
        }
    }

    /** @param classes names, in the order of the labels */
    ClassifiedImages(String name, List<String> classes, ReadOptions options) {
        this.name = name;
        this.classes = classes;
        this.options = options;
    }

    /** Decodes what is asked for of the parts. All must be of one size, or are scaled to it. */
    Dataset read(Part train, Optional<Part> validation, Part test) {
        Part chosenTrain = first(train, options.trainImages());
        ImageFit fit = options.imageSize() > 0
                ? ImageFit.square(options.imageSize())
                : ImageFit.like(chosenTrain.items().get(0));
        ImageSet trainSet = decode(chosenTrain, fit, options.memory());
        long left = options.memory() - trainSet.heapBytes();
        Optional<ImageSet> validationSet = validation.map(part -> decode(part, fit, left));
        long rest = left - validationSet.map(ImageSet::heapBytes).orElse(0L);
        ImageSet testSet = decode(first(test, options.testImages()), fit, rest);
        boolean grey = trainSet.grey()
                && testSet.grey()
                && validationSet.map(ImageSet::grey).orElse(true);
        Images trainImages = trainSet.images(grey, train.source());
        Images testImages = testSet.images(grey, test.source());
        return validationSet
                .map(set -> Dataset.of(
                        name,
                        trainImages,
                        set.images(grey, validation.orElseThrow().source()),
                        testImages,
                        classes))
                .orElseGet(() -> Dataset.of(name, trainImages, testImages, classes));
    }

    /** The same for images without a test part: of each class some are set aside, always the same ones. */
    Dataset read(Part all) {
        int[] labels = labels(all.items());
        int wanted = Math.max(1, (int) Math.round(labels.length * options.heldOut()));
        SplittableRandom random = Draws.stream(HELD_OUT_SEED, Draws.HELD_OUT);
        boolean[] held = Strata.choose(labels, classes.size(), wanted, members -> Draws.shuffle(members, random));
        return read(
                all.of(select(all.items(), held, false)), Optional.empty(), all.of(select(all.items(), held, true)));
    }

    /** Looks at all images of the parts, by name; statistics are those of the first one. */
    DatasetReport inspect(String format, Map<String, Part> parts) {
        List<DatasetReport.Part> reports = new ArrayList<>();
        List<ImageInspection> inspections = new ArrayList<>();
        parts.forEach((role, part) -> {
            ImageInspection inspection = ImageInspection.of(part, options);
            inspections.add(inspection);
            reports.add(inspection.report(role, classes));
        });
        boolean grey = inspections.stream().allMatch(ImageInspection::grey);
        return new DatasetReport(
                name, format, classes, reports, inspections.get(0).statistics(grey ? 1 : 3));
    }

    private ImageSet decode(Part part, ImageFit fit, long memory) {
        return ImageSet.decode(part.what(), part.items(), labels(part.items()), fit, memory, options.listener());
    }

    private Part first(Part part, int count) {
        if (count >= part.items().size()) {
            return part;
        }
        boolean[] chosen = Strata.choose(labels(part.items()), classes.size(), count, members -> {});
        return part.of(select(part.items(), chosen, true));
    }

    private int[] labels(List<ImageItem> items) {
        Map<String, Integer> index = new HashMap<>();
        classes.forEach(c -> index.put(c, index.size()));
        return items.stream().mapToInt(item -> index.get(item.className())).toArray();
    }

    private static List<ImageItem> select(List<ImageItem> items, boolean[] marks, boolean value) {
        return Arrays.stream(Strata.indices(marks, value)).mapToObj(items::get).toList();
    }
}

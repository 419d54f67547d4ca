package org.effconv.data;

import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import org.effconv.error.EffconvException;

/**
 * Training and test images in memory, with the statistics that normalise them. Immutable; every change gives another
 * dataset on the same pixels.
 */
public final class Dataset {
    private final String name;
    private final Images train;
    private final Images validation; // null: none was split off
    private final Images test;
    private final List<String> classNames;
    private final float[] mean;
    private final float[] std;

    private Dataset(String name, Images train, Images validation, Images test, List<String> classNames) {
        this.name = name;
        this.train = train;
        this.validation = validation;
        this.test = test;
        this.classNames = classNames;
        this.mean = new float[train.channels()];
        this.std = new float[train.channels()];
        statistics();
    }

    /**
     * @param classNames one name per class; labels index it
     * @throws EffconvException.InvalidInput if a part is empty, the image sizes of the parts differ or a label has no
     *     name
     */
    public static Dataset of(String name, Images train, Images test, List<String> classNames) {
        if (train.count() == 0 || test.count() == 0) {
            throw new EffconvException.InvalidInput(name + ": holds " + train.count() + " training and " + test.count()
                    + " test images, expected at least 1 of each");
        }
        if (train.height() != test.height() || train.width() != test.width() || train.channels() != test.channels()) {
            throw new EffconvException.InvalidInput(name + ": test images are " + size(test)
                    + ", expected the size of the training images, " + size(train));
        }
        if (classNames.size() < 2) {
            throw new EffconvException.InvalidInput(name + ": " + classNames.size() + " classes, expected at least 2");
        }
        for (Images part : List.of(train, test)) {
            for (int i = 0; i < part.count(); i++) {
                if (part.label(i) >= classNames.size()) {
                    throw new EffconvException.InvalidInput(name + ": " + (part == train ? "training" : "test")
                            + " label " + part.label(i) + " of image " + i + " is out of range, expected 0 to "
                            + (classNames.size() - 1));
                }
            }
        }
        return new Dataset(name, train, null, test, List.copyOf(classNames));
    }

    /** The same for a dataset that comes with a validation part; the statistics are those of the training images. */
    public static Dataset of(String name, Images train, Images validation, Images test, List<String> classNames) {
        Dataset tested = of(name, train, test, classNames);
        of(name + ", validation part", train, validation, classNames); // refuses what does not fit
        return new Dataset(name, train, validation, test, tested.classNames);
    }

    /**
     * Moves a fraction of the training images into a validation part: drawn per class, so that both keep the mixture of
     * classes; both keep the order of the file. The statistics are those of the training images that remain.
     *
     * @param fraction of the training images, between 0 and 1, both excluded
     * @throws EffconvException.InvalidInput if the fraction is out of range or leaves either part empty
     */
    public Dataset withValidation(double fraction, long seed) {
        if (validation != null) {
            throw new IllegalStateException("dataset " + name + " has a validation part already");
        }
        if (!(fraction > 0 && fraction < 1)) {
            throw new EffconvException.InvalidInput(
                    name + ": validation fraction " + fraction + " is out of range, expected above 0 and below 1");
        }
        int wanted = (int) Math.round(train.count() * fraction);
        if (wanted == 0 || wanted == train.count()) {
            throw new EffconvException.InvalidInput(name + ": validation fraction " + fraction + " of " + train.count()
                    + " training images leaves a part empty, expected at least 1 image in each");
        }
        SplittableRandom random = Draws.stream(seed, Draws.VALIDATION);
        boolean[] chosen = Strata.choose(train.labels(), classes(), wanted, members -> Draws.shuffle(members, random));
        return new Dataset(
                name,
                train.select(Strata.indices(chosen, false)),
                train.select(Strata.indices(chosen, true)),
                test,
                classNames);
    }

    /**
     * A smaller dataset for short runs: the first images of each class, the mixture of classes and the order kept. An
     * equal or larger count keeps a part whole. The statistics are those of the training images that remain.
     *
     * @throws EffconvException.InvalidInput if a count is below 1
     */
    public Dataset take(int trainCount, int testCount) {
        return new Dataset(
                name, first(train, trainCount, "training"), validation, first(test, testCount, "test"), classNames);
    }

    /** The same with all images scaled to a square of that many pixels a side, as {@link Scaling} has it. */
    Dataset scaled(int side) {
        return new Dataset(
                name,
                train.scaled(side),
                validation == null ? null : validation.scaled(side),
                test.scaled(side),
                classNames);
    }

    static void requireCount(String name, int count, String what) {
        if (count < 1) {
            throw new EffconvException.InvalidInput(
                    name + ": asked for " + count + " " + what + " images, expected at least 1");
        }
    }

    private Images first(Images part, int count, String what) {
        requireCount(name, count, what);
        if (count >= part.count()) {
            return part;
        }
        return part.select(Strata.indices(Strata.choose(part.labels(), classes(), count, members -> {}), true));
    }

    /** What was opened, as it appears in logs and run folders. */
    public String name() {
        return name;
    }

    public Images train() {
        return train;
    }

    public Images test() {
        return test;
    }

    /** The part split off by {@link #withValidation}; empty without it. */
    public Optional<Images> validation() {
        return Optional.ofNullable(validation);
    }

    /** Number of classes. */
    public int classes() {
        return classNames.size();
    }

    /** Name of each class, in the order of the labels. */
    public List<String> classNames() {
        return classNames;
    }

    public int height() {
        return train.height();
    }

    public int width() {
        return train.width();
    }

    public int channels() {
        return train.channels();
    }

    /** Mean of each channel over all pixels of the training part, as a fraction of 255; a fresh array of C values. */
    public float[] mean() {
        return mean.clone();
    }

    /**
     * Standard deviation of each channel over all pixels of the training part, as a fraction of 255; a fresh array of C
     * values. A channel without any variation has 1 here, so that it normalises to 0.
     */
    public float[] std() {
        return std.clone();
    }

    /**
     * What is commonly done to such images in training: colour images are shifted by up to 4 pixels and mirrored; grey
     * ones, where a mirrored digit or a moved planted pair is another thing, stay as they are.
     */
    public Augmentation commonAugmentation() {
        return channels() == 3 ? new Augmentation(4, true) : Augmentation.none();
    }

    private void statistics() {
        DatasetReport.Statistics statistics = DatasetReport.Statistics.of(train);
        for (int c = 0; c < mean.length; c++) {
            mean[c] = (float) statistics.mean()[c];
            std[c] = statistics.deviation()[c] == 0 ? 1f : (float) statistics.deviation()[c];
        }
    }

    private static String size(Images part) {
        return part.height() + "x" + part.width() + "x" + part.channels();
    }

    @Override
    public String toString() {
        return name + ": " + train.count() + " training, "
                + (validation == null ? "" : validation.count() + " validation, ") + test.count() + " test images, "
                + size(train) + ", " + classes() + " classes";
    }
}

package org.effconv.data;

import static org.effconv.data.DataFiles.invalid;

import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;
import org.effconv.error.EffconvException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Opens a dataset by what a user writes. */
public final class Datasets {
    private static final Logger LOG = LoggerFactory.getLogger(Datasets.class);

    /** Where several are found in one place, the first one counts. */
    private static final List<DatasetFormat> FORMATS = List.of(
            new IdxFolder(),
            CifarBinary.ten(),
            CifarBinary.hundred(),
            CifarPickled.ten(),
            CifarPickled.hundred(),
            new StlBinary(),
            new SvhnMat(),
            new ImageNetBatches(),
            new NumpyArrays(),
            new ImageFolder());

    /** What a spec may be, for help texts. */
    public static final String SPEC_HELP =
            "fashion-mnist (the sample that comes with the project); a folder of train/<class>/*.png|jpg and test/..., "
                    + "of train.zip and test.zip with one folder per class, or of the published files of MNIST (IDX), "
                    + "CIFAR-10, CIFAR-100, STL-10, SVHN or ImageNet-32; NumPy arrays (.npz or .npy); or planted:<extent>[,classes=2][,size=..][,train=4000]"
                    + "[,test=1000][,noise=0][,seed=0]";

    private Datasets() {}

    /**
     * Whether a spec is the name of a dataset that this library makes or brings; otherwise it is the path of a folder.
     */
    public static boolean isName(String spec) {
        return spec.startsWith(Planted.PREFIX) || spec.equals(Sample.NAME);
    }

    /**
     * Reads a dataset into memory. Files are validated whole before any of them is used, and nothing is written.
     *
     * @param spec one of the forms in {@link #SPEC_HELP}
     * @throws EffconvException.InvalidInput if the spec or a file is wrong; the message names the file, the field, the
     *     value and what was expected
     */
    public static Dataset open(String spec) {
        return open(spec, ReadOptions.standard());
    }

    /**
     * Reads a dataset into memory, or as much of it as {@code options} grant memory for. Where images are files of
     * their own, those that are not asked for are neither read nor validated.
     *
     * @throws EffconvException.InvalidInput as {@link #open(String)}
     */
    public static Dataset open(String spec, ReadOptions options) {
        long start = System.nanoTime();
        Dataset taken = read(spec.strip(), options).take(options.trainImages(), options.testImages());
        Dataset dataset = options.imageSize() == 0 ? taken : taken.scaled(options.imageSize());
        LOG.info("opened {} in {} ms", dataset, (System.nanoTime() - start) / 1_000_000);
        return dataset;
    }

    /**
     * What a dataset is: its form, classes, sizes, and which images are damaged. All images are read, none is kept.
     *
     * @throws EffconvException.InvalidInput as {@link #open(String)}, but for damaged image files, which are listed
     */
    public static DatasetReport inspect(String spec, ReadOptions options) {
        String name = spec.strip();
        if (isName(name)) {
            return DatasetReport.of(
                    name.equals(Sample.NAME) ? new IdxFolder().name() : "generated images", read(name, options));
        }
        Path place = place(name);
        return format(place).inspect(name, place, options);
    }

    private static Dataset read(String spec, ReadOptions options) {
        if (spec.startsWith(Planted.PREFIX)) {
            return Planted.parse(spec).generate();
        }
        if (spec.equals(Sample.NAME)) {
            return new IdxFolder().read(spec, Sample.folder(), options);
        }
        Path place = place(spec);
        return format(place).read(spec, place, options);
    }

    private static Path place(String spec) {
        try {
            Path place = Path.of(spec);
            if (!spec.isEmpty() && Files.exists(place)) {
                return place;
            }
        } catch (InvalidPathException e) {
            LOG.debug("not a path: {}", spec, e); // falls through to the one message for what is neither name nor place
        }
        throw new EffconvException.InvalidInput(
                "data '" + spec + "': is neither a known name nor a file or folder, expected " + SPEC_HELP);
    }

    private static DatasetFormat format(Path place) {
        List<DatasetFormat> found =
                FORMATS.stream().filter(format -> format.isAt(place)).toList();
        if (found.isEmpty()) {
            throw invalid(
                    place,
                    "holds no dataset, expected "
                            + FORMATS.stream().map(DatasetFormat::expected).collect(Collectors.joining(", ")));
        }
        if (found.size() > 1) {
            LOG.warn(
                    "{}: holds {}; only the {} are used",
                    place,
                    found.stream().map(DatasetFormat::name).collect(Collectors.joining(" and ")),
                    found.get(0).name());
        }
        return found.get(0);
    }
}

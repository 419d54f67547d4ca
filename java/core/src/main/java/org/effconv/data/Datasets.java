package org.effconv.data;

import static org.effconv.data.DataFiles.invalid;

import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Supplier;
import org.effconv.error.EffconvException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Opens a dataset by what a user writes. */
public final class Datasets {
    private static final Logger LOG = LoggerFactory.getLogger(Datasets.class);

    /** What a spec may be, for help texts. */
    public static final String SPEC_HELP =
            "fashion-mnist (the sample that comes with the project); a folder of IDX files "
                    + "(MNIST names, plain or .gz), of CIFAR-10 binary batches, of train/<class>/*.png|jpg and test/..., or of "
                    + "train.zip and test.zip with one folder per class; or planted:<extent>[,classes=2][,size=..][,train=4000]"
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
        return open(spec, LoadListener.silent());
    }

    /** {@link #open(String)} for whoever wants to show how far it is. */
    public static Dataset open(String spec, LoadListener listener) {
        return open(spec, Integer.MAX_VALUE, Integer.MAX_VALUE, listener);
    }

    /**
     * The first images of each class, as {@link Dataset#take} chooses them. Where images are files of their own, the
     * others are neither read nor validated.
     *
     * @param trainCount training images; more than there are: all
     * @param testCount test images, likewise
     * @throws EffconvException.InvalidInput as {@link #open(String)}, or if a count is below 1
     */
    public static Dataset open(String spec, int trainCount, int testCount, LoadListener listener) {
        Dataset.requireCount(spec, trainCount, "training");
        Dataset.requireCount(spec, testCount, "test");
        long start = System.nanoTime();
        Dataset dataset = read(spec.strip(), trainCount, testCount, listener).take(trainCount, testCount);
        LOG.info("opened {} in {} ms", dataset, (System.nanoTime() - start) / 1_000_000);
        return dataset;
    }

    private static Dataset read(String spec, int trainCount, int testCount, LoadListener listener) {
        if (spec.startsWith(Planted.PREFIX)) {
            return Planted.parse(spec).generate();
        }
        if (spec.equals(Sample.NAME)) {
            return IdxFolder.read(spec, Sample.folder(), listener);
        }
        return readFolder(spec, folder(spec), trainCount, testCount, listener);
    }

    private static Path folder(String spec) {
        try {
            Path folder = Path.of(spec);
            if (!spec.isEmpty() && Files.isDirectory(folder)) {
                return folder;
            }
        } catch (InvalidPathException e) {
            LOG.debug(
                    "not a path: {}", spec, e); // falls through to the one message for what is neither name nor folder
        }
        throw new EffconvException.InvalidInput(
                "data '" + spec + "': is neither a known name nor a folder, expected " + SPEC_HELP);
    }

    private static Dataset readFolder(String name, Path folder, int trainCount, int testCount, LoadListener listener) {
        Map<String, Supplier<Dataset>> forms = new LinkedHashMap<>();
        if (IdxFolder.isAt(folder)) {
            forms.put("IDX files", () -> IdxFolder.read(name, folder, listener));
        }
        if (CifarBinary.isAt(folder)) {
            forms.put("CIFAR-10 binary batches", () -> CifarBinary.read(name, folder, listener));
        }
        if (ImageFolder.isAt(folder)) {
            forms.put("class folders of images", () -> new ImageFolder(name, trainCount, testCount, listener)
                    .read(folder));
        }
        if (forms.size() > 1) {
            LOG.warn(
                    "{}: holds {}; only the {} are used",
                    folder,
                    String.join(" and ", forms.keySet()),
                    forms.keySet().iterator().next());
        }
        return forms.values().stream()
                .findFirst()
                .orElseThrow(() -> invalid(
                        folder,
                        "holds no dataset, expected "
                                + "train-images-idx3-ubyte[.gz], data_batch_1.bin, train.zip or a folder train/"))
                .get();
    }
}

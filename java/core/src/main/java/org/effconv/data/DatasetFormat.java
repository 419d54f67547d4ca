package org.effconv.data;

import java.nio.file.Path;
import org.effconv.error.EffconvException;

/** A form in which datasets lie on disk. {@link Datasets} lists all. */
interface DatasetFormat {
    /** What it is called in messages, in the plural: "IDX files". */
    String name();

    /** What is looked for, as part of a message of what was expected. */
    String expected();

    /** Whether a folder, or a file of its own, looks like it. Reads no contents but a few first bytes. */
    boolean isAt(Path place);

    /**
     * Reads it, validated whole before any of it is used.
     *
     * @param name what the dataset is to be called
     * @param options where they cannot spare work (images in one file) the caller applies counts and sizes afterwards
     * @throws EffconvException.InvalidInput if a file is wrong: names the file, the field, what was found and expected
     */
    Dataset read(String name, Path place, ReadOptions options);

    /**
     * Looks at all of it. Where images are files of their own, damaged ones are listed instead of thrown.
     *
     * @throws EffconvException.InvalidInput as {@link #read}, where one file holds many images
     */
    default DatasetReport inspect(String name, Path place, ReadOptions options) {
        return DatasetReport.of(name(), read(name, place, options));
    }
}

package org.effconv.report;

import gg.jte.html.OwaspHtmlTemplateOutput;
import gg.jte.output.StringOutput;
import java.nio.file.Path;
import java.util.function.Supplier;
import org.effconv.Job;
import org.effconv.data.Dataset;
import org.effconv.data.Images;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.io.AtomicFile;

/**
 * report.html: one page that shows a run, with everything it needs in it. It can be written at any time, also of a run
 * that was interrupted; what is not there yet, or was not kept by an older version, is left out, and the page says so.
 */
public final class RunReport {
    /** Its name in a run folder. */
    public static final String FILE = "report.html";

    private RunReport() {}

    /**
     * Writes the page into a run folder. Reads the run's data, for the images that the network was wrong of.
     *
     * @return the file
     * @throws InvalidInput if the folder holds no run
     */
    public static Path write(Path run) {
        return write(run, () -> Job.data(run).test());
    }

    /**
     * The same with the run's data at hand.
     *
     * @param data that the run used
     */
    public static Path write(Path run, Dataset data) {
        return write(run, data::test);
    }

    private static Path write(Path run, Supplier<Images> images) {
        StringOutput html = new StringOutput();
        JterunGenerated.render(new OwaspHtmlTemplateOutput(html), null, RunPage.of(RunFiles.read(run, images)));
        Path file = run.resolve(FILE);
        AtomicFile.write(file, html.toString());
        return file;
    }
}

package org.effconv.report;

import gg.jte.html.OwaspHtmlTemplateOutput;
import gg.jte.output.StringOutput;
import java.nio.file.Path;
import java.util.List;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.io.AtomicFile;

/** A page that compares networks: those of runs, and those of sweeps. */
public final class ComparisonReport {
    private final ComparePage page;

    private ComparisonReport(ComparePage page) {
        this.page = page;
    }

    /**
     * @param results files that sweeps wrote (results.jsonl)
     * @param runs folders of runs that have come to their end
     * @throws InvalidInput if one of them is not
     */
    public static ComparisonReport of(List<Path> results, List<Path> runs) {
        return new ComparisonReport(ComparePage.of(results, runs));
    }

    /** Writes the page. */
    public void write(Path file) {
        StringOutput html = new StringOutput();
        JtecompareGenerated.render(new OwaspHtmlTemplateOutput(html), null, page);
        AtomicFile.write(file, html.toString());
    }

    /** The networks in lines for people. */
    public String toText() {
        StringBuilder s = new StringBuilder();
        for (ComparePage.Section section : page.sections()) {
            int width = section.rows().stream()
                    .mapToInt(r -> r.name().length())
                    .max()
                    .orElse(0);
            String form = "%-" + width + "s  %13s  %6s  %15s  %12s  %6s%n";
            s.append(Text.format(form, section.title(), "test accuracy", "+-", "multiply-adds", "parameters", "work"));
            section.rows()
                    .forEach(r -> s.append(Text.format(
                            form,
                            r.name(),
                            r.accuracyText(),
                            r.errorText(),
                            r.costText(),
                            r.parametersText(),
                            r.workText())));
            section.sizes()
                    .forEach(one -> s.append(Text.format("%s: sizes %s%n", one.name(), Text.sizes(one.sizes()))));
        }
        return s.toString();
    }
}

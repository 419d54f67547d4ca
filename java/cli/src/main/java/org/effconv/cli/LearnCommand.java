package org.effconv.cli;

import java.io.PrintWriter;
import java.nio.file.Path;
import org.effconv.Device;
import org.effconv.Learning;
import org.effconv.LearningResult;
import org.effconv.Settings;
import org.effconv.data.Dataset;
import org.effconv.nn.Architecture;
import picocli.CommandLine.Command;

/** {@code effconv learn}: the whole job. */
@Command(
        name = "learn",
        mixinStandardHelpOptions = true,
        description = {
            "Learns kernel sizes and trains the network found.",
            "Beside it a plain network that costs the whole budget is trained, to compare: by default 5x5 everywhere."
        })
final class LearnCommand extends RunCommand<Learning, LearningResult> {
    LearnCommand() {
        super(Settings::table);
    }

    @Override
    Learning newJob(Settings settings, Architecture architecture, Dataset data) {
        return Learning.of(settings, architecture);
    }

    @Override
    Learning oldJob(Path folder) {
        return Learning.resume(folder);
    }

    @Override
    LearningResult run(Learning job, Device device, Dataset data) {
        return job.run(device, data);
    }

    @Override
    void report(LearningResult result, Learning job, PrintWriter to, End end) {
        end.tell(job.out(), result.toJson(), result.toText(), to);
    }
}

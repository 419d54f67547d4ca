package org.effconv.train;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import org.effconv.io.AtomicFile;
import org.effconv.io.Json;
import org.effconv.io.JsonLines;

/**
 * steps.jsonl: loss and soft sizes after each step of a phase that is over in an epoch or two, of which metrics.jsonl
 * would tell next to nothing. Written after each epoch; nothing goes on from it.
 */
public final class StepLog implements TrainingListener {
    /** Its name in a run folder. */
    public static final String FILE = "steps.jsonl";

    private final Path file;
    private final String phase;
    private final Supplier<double[]> softSizes;
    private final List<ObjectNode> lines = new ArrayList<>();
    private int batches;
    private int last; // step of the last line

    /** @param softSizes of the pass begun last, one per sized layer */
    public StepLog(Path file, String phase, Supplier<double[]> softSizes) {
        this.file = file;
        this.phase = phase;
        this.softSizes = softSizes;
    }

    @Override
    public void onStart(String name, int epochs, int epochsDone, int batchesPerEpoch) {
        batches = batchesPerEpoch;
        JsonLines.read(file).stream()
                .filter(line -> line.path("step").asInt() <= epochsDone * batchesPerEpoch)
                .forEach(lines::add);
    }

    // The loss that is told is that of the batch before.
    @Override
    public void onBatch(String name, int epoch, int batch, double loss) {
        if (Double.isFinite(loss)
                && !lines.isEmpty()
                && last == lines.get(lines.size() - 1).path("step").asInt()) {
            lines.get(lines.size() - 1).put("loss", loss);
        }
        last = (epoch - 1) * batches + batch + 1; // batches count from 0
        ObjectNode line = Json.object().put("phase", phase).put("step", last);
        line.putNull("loss");
        line.set("softSizes", Json.tree(softSizes.get()));
        lines.add(line);
    }

    @Override
    public void onEpoch(EpochMetrics metrics) {
        StringBuilder text = new StringBuilder();
        lines.forEach(line -> text.append(Json.line(line)).append('\n'));
        AtomicFile.write(file, text.toString());
    }
}
